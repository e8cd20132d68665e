"""What a set-up would do, stage by stage, and what that would cost its users; as JSON for whoever asked.

    {"setup_id": ..., "is_empty": false,
     "impacts": [{"kind": "PlaintextClientsCut", "message": ...}, ...],
     "notes": ["adopts Ingress default/my-release-milvus; ...", ...],
     "steps": [{"stage": ..., "when": ..., "begins_at": null | ...,
                "changes": [{"target", "field", "before", "after"}, ...],
                "reason": null | ..., "message": ...}, ...]}

`begins_at` (ISO 8601, UTC) is the beginning of the maintenance window that a stage would wait for.
A step with a reason is one whose stage would not end well as things are; later stages cannot be planned then.
Without a reason, the message is what users should know all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from milvus_l7.domain.kubernetes.change import Change, Plan
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.text.excerpt import excerpt

AT_ONCE = "at once"
WHEN_ADDRESSED = "once the load balancer has an address"
WHEN_SERVED = "once the new certificate is served and verified"

_TLS_MODE = "extraConfigFiles[user.yaml].common.security.tlsMode"
_SERVER_TLS = "1"
_LAYER_4 = "LoadBalancer"
_SERVICE_TYPES = ("service.type", "spec.type")  # by Helm, and past it

# Characters of JSON. A document holds one MiB, and a plan has some dozens of values, half of them of others.
LONGEST_VALUE = 8 * 1024


class ImpactKind(StrEnum):
    """What a change would cost those who use the release now. Stable: scripts match on it."""

    PLAINTEXT_CLIENTS_CUT = "PlaintextClientsCut"
    MILVUS_DOWN = "MilvusDown"
    MILVUS_RESTARTS = "MilvusRestarts"
    ADDRESS_RELEASED = "AddressReleased"
    DOMAIN_DROPPED = "DomainDropped"


@dataclass(frozen=True, slots=True)
class Impact:
    """One outage that the plan contains."""

    kind: ImpactKind
    message: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one stage would do."""

    stage: Stage
    changes: Plan
    when: str = AT_ONCE
    fault: Condition | None = None  # why the stage would not end well
    begins_at: datetime | None = None  # before which its changes are not made, if that is known
    notice: str = ""  # what its users should know all the same


@dataclass(frozen=True, slots=True)
class ChainPlan:
    """What the whole set-up would do, in order."""

    setup_id: SetupId
    steps: tuple[Step, ...]
    impacts: tuple[Impact, ...] = ()
    notes: tuple[str, ...] = ()  # what users should know besides
    is_transient: bool = False  # what it ended at is expected to go away by itself

    @property
    def changes(self) -> Plan:
        """Return every change, in order."""
        return tuple(change for step in self.steps for change in step.changes)

    @property
    def refusal(self) -> Condition | None:
        """Return why the set-up must not begin; what a later wait is for is no reason."""
        return next((step.fault for step in self.steps if step.fault and step.when == AT_ONCE), None)

    @property
    def fault(self) -> Condition | None:
        """Return what the set-up would fail on; None if nothing is known."""
        return next((step.fault for step in self.steps if step.fault), None)


@dataclass(frozen=True, slots=True)
class ClientAccess:
    """How clients reach the release before the set-up; for telling what they lose."""

    address: str | None = None  # of the Layer-4 load balancer
    is_standalone: bool = False


def impacts(steps: tuple[Step, ...], ways: ClientAccess) -> tuple[Impact, ...]:
    """Return the outages that the steps' changes contain, the worst first."""
    changes = [change for step in steps for change in step.changes]
    found = [
        *_tls_impacts(changes),
        *_restart_impacts(changes, ways),
        *_address_impacts(changes, ways),
        *_domain_impacts(steps),
    ]
    return tuple(dict.fromkeys(found))


def _tls_impacts(changes: list[Change]) -> Iterator[Impact]:
    for change in changes:
        if change.field == _TLS_MODE and str(change.after) == _SERVER_TLS:
            message = "Milvus will accept TLS only: clients that connect in plaintext are cut off."
            yield Impact(ImpactKind.PLAINTEXT_CLIENTS_CUT, message)


def _restart_impacts(changes: list[Change], ways: ClientAccess) -> Iterator[Impact]:
    """Yield the restart that a change of user.yaml brings.

    It changes the checksum on every Pod template (milvus-helm, `checksum/config`).
    """
    if not any(change.field.startswith("extraConfigFiles[user.yaml]") for change in changes):
        return
    if ways.is_standalone:
        yield Impact(ImpactKind.MILVUS_DOWN, "Milvus runs standalone: it is down while it restarts.")
    else:
        yield Impact(ImpactKind.MILVUS_RESTARTS, "All Milvus components are restarted, in turn.")


def _address_impacts(changes: list[Change], ways: ClientAccess) -> Iterator[Impact]:
    for change in changes:
        if change.field in _SERVICE_TYPES and change.before == _LAYER_4:
            address = f" {ways.address}" if ways.address else ""
            message = f"The Layer-4 address{address} is released; another one may be given on the way back."
            yield Impact(ImpactKind.ADDRESS_RELEASED, message)


def _domain_impacts(steps: tuple[Step, ...]) -> Iterator[Impact]:
    for step in steps:
        for change in step.changes:
            dropped = _hosts(change.before) - _hosts(change.after)
            if change.field == "spec.rules" and step.when == WHEN_SERVED and dropped:
                names = ", ".join(sorted(dropped))
                yield Impact(ImpactKind.DOMAIN_DROPPED, f"Clients of {names} get no answer any more.")


def _hosts(rules: Any) -> set[str]:
    if not isinstance(rules, list):
        return set()
    return {str(rule.get("host")) for rule in rules if isinstance(rule, Mapping) and rule.get("host")}


def to_json(plan: ChainPlan) -> dict[str, Any]:
    """Return the plan as JSON; see the module."""
    return {
        "setup_id": plan.setup_id,
        "is_empty": not plan.changes and plan.fault is None,
        "impacts": [asdict(impact) for impact in plan.impacts],
        "notes": list(plan.notes),
        "steps": [
            {
                "stage": str(step.stage),
                "when": step.when,
                "begins_at": step.begins_at.isoformat() if step.begins_at else None,
                "changes": [asdict(_storable(change)) for change in step.changes],
                "reason": str(step.fault.reason) if step.fault else None,
                "message": step.fault.message if step.fault else step.notice,
            }
            for step in plan.steps
        ],
    }


def _storable(change: Change) -> Change:
    """Return the change with a value that is too large to be stored cut short, as text."""
    return replace(change, before=_cut(change.before), after=_cut(change.after))


def _cut(value: Any) -> Any:
    text = json.dumps(value, default=str)
    return value if len(text) <= LONGEST_VALUE else excerpt(text, LONGEST_VALUE)
