"""The one way to write an object that others write too: server-side apply, only if it would change."""

from __future__ import annotations

from dataclasses import dataclass

from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.kubernetes.difference import difference
from milvus_l7.domain.kubernetes.field_managers import is_applied
from milvus_l7.domain.kubernetes.manifests import OURS
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.ports import KubeObjects, Manifest


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """One object as it is and as it must be."""

    live: Manifest | None  # as it was read, None if there is none
    manifest: Manifest  # the fields that we own, and nothing else
    force: bool = False  # take over fields that other managers own; the caller must have merged their values
    manager: str = OURS


def plan(objects: KubeObjects, target: ApplyRequest) -> Plan:
    """Return what applying the target would change, found by a dry run. Writes nothing.

    Sends no request if the live object already tells that there is nothing to change.
    Raises what the dry run raises, and `Transient(OBJECT_BEING_DELETED)`: what is written into an object that
    is being deleted is lost.
    """
    live = target.live
    if live is not None and live["metadata"].get("deletionTimestamp"):
        name = f"{live['kind']} {live['metadata']['name']}"
        raise Transient(Reason.OBJECT_BEING_DELETED, f"{name} is being deleted")
    if live is not None and is_applied(live, target.manifest, target.manager):
        return ()
    after = objects.apply(target.manifest, dry_run=True, force=target.force, manager=target.manager)
    return difference(live, after)


def apply_if_changed(objects: KubeObjects, target: ApplyRequest) -> Plan:
    """Apply the target if its plan is not empty, and return the plan. A second call writes nothing."""
    changes = plan(objects, target)
    if changes:
        write(objects, target)
    return changes


def write(objects: KubeObjects, target: ApplyRequest) -> None:
    """Apply the target onto the object as it was read, and onto no other; see `plan` for whether to.

    Raises `Conflict` if somebody has changed, replaced, deleted or, where there was none, made it since.
    """
    # Where there was none there is nobody to conflict with; with force the name that is taken is told so.
    force = target.force or target.live is None
    objects.apply(manifests.onto(target.live, target.manifest), force=force, manager=target.manager)
