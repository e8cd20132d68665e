"""How long Helm may take, and how much memory.

A rendering, a write, and what a killed write may still do fit into the lease of the functions that upgrade;
one rendering fits into those that plan (infra/topology.yaml; tests/adapters/test_fencing.py holds them
together). A module of its own, because the fence needs it where Helm is never loaded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """When a child process is killed."""

    time_s: float
    memory_mib: int


RENDER = Limits(time_s=60, memory_mib=256)
WRITE = Limits(time_s=150, memory_mib=256)
KILL_S = 5.0  # allowed for the kill to take effect
HOOKS_S = 120  # for the SDK's waiting on hooks, so that Helm itself can still note that they failed
SERVER_S = 60.0  # kube-apiserver's default for a request, because Helm's name no limit of their own
WRITE_MAY_TAKE_S = WRITE.time_s + KILL_S + SERVER_S
