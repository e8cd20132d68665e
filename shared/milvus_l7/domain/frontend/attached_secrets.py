"""The TLS Secrets on an Ingress: which of them GKE's controller fails on, judged by what they hold.

One that it cannot use holds back all the others, and what it says does not always name it: of a pair that
Compute Engine refuses it tells the name of the certificate only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from milvus_l7.domain.frontend.ingress_objects import Attachments
from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.domain.text.excerpt import excerpt, listed

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SecretFaults:
    """What is wrong with the Secrets on one Ingress."""

    faults: Mapping[str, str]  # by name: what the controller, or Compute Engine, cannot do with it
    unreadable: frozenset[str] = frozenset()  # those that we have no right to read

    def __bool__(self) -> bool:
        return bool(self.faults)

    def __str__(self) -> str:
        """Return every fault, with who must mend it."""
        return listed([excerpt(fault, 160) for fault in self.faults.values()], _SHOWN)


NO_FAULTS = SecretFaults({})


def missing(name: str) -> str:
    """Return the fault of a Secret that is not there."""
    return f"Secret {name} does not exist: create it, or take it off the Ingress"


def broken(secret: Manifest, fault: str) -> str:
    """Return the fault of a Secret, with who must mend it; `fault` holds nothing of its values."""
    name = secret["metadata"]["name"]
    told = fault if name in fault else f"Secret {name}: {fault}"
    if manifests.is_ours(secret):
        return f"{told} (made by milvus-l7: publish the request again)"
    return f"{told} (its owner must correct it)"


def explained(warning: Condition | None, found: SecretFaults) -> Condition | None:
    """Return a warning about a Secret or its certificate with which Secret it is about, and whose it is."""
    if warning is None or warning.reason is not Reason.TLS_ENTRY_WITHOUT_SECRET:
        return warning
    if found:
        return replace(warning, message=f"{warning.message}; {found}")
    if found.unreadable:
        names = listed(sorted(found.unreadable), _SHOWN)
        return replace(warning, message=f"{warning.message}; no right to read the Secrets {names}")
    message = f"{warning.message}; its Secrets are in order now, and GKE looks at them every ten minutes"
    return replace(warning, message=message)


def left_off(attachments: Attachments, found: SecretFaults) -> str:
    """Return which Secrets are left off the Ingress, why, and who must mend them; "" for none."""
    off = {name: fault for name, fault in found.faults.items() if name not in attachments.secrets}
    return f"left off the Ingress: {SecretFaults(off)}" if off else ""


def noticed(waiting: Waiting, notice: str) -> Waiting:
    """Return what is waited for with what is left off the Ingress meanwhile."""
    if not notice:
        return waiting
    is_told = waiting.reason is Reason.TLS_ENTRY_WITHOUT_SECRET
    message = waiting.message if is_told else f"{waiting.message}; {notice}"
    return replace(waiting, message=message, notice=notice)
