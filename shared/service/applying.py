"""The one way to write an object that others write too: server-side apply, only if it would change."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.difference import difference
from shared.domain.errors import Transient
from shared.domain.plan import Plan
from shared.domain.reasons import Reason
from shared.ports import KubeObjects, Manifest


@dataclass(frozen=True, slots=True)
class Target:
    """One object as it is and as it must be."""

    live: Manifest | None  # as it was read, None if there is none
    manifest: Manifest  # the fields that we own, and nothing else
    force: bool = False  # take over fields that other managers own; the caller must have merged their values


def plan(objects: KubeObjects, target: Target) -> Plan:
    """What applying the target would change, found by a dry run. Writes nothing.

    Raises what the dry run raises, and `Transient(OBJECT_BEING_DELETED)`: what is written into an object that
    is being deleted is lost.
    """
    live = target.live
    if live is not None and live["metadata"].get("deletionTimestamp"):
        name = f"{live['kind']} {live['metadata']['name']}"
        raise Transient(Reason.OBJECT_BEING_DELETED, f"{name} is being deleted")
    return difference(live, objects.apply(target.manifest, dry_run=True, force=target.force))


def act(objects: KubeObjects, target: Target) -> Plan:
    """Apply the target if its plan is not empty, and return the plan. A second call writes nothing."""
    changes = plan(objects, target)
    if changes:
        objects.apply(target.manifest, force=target.force)
    return changes
