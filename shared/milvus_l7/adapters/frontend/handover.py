"""Take an object over that somebody made by hand, and give it back as it was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from milvus_l7.domain.kubernetes import adoption, manifests
from milvus_l7.domain.kubernetes.adoption import Path
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, Permanent
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Adopted
from milvus_l7.ports import KubeObjects


def to_adopt(
    setup: Setup,
    live: Manifest | None,
    fields: Sequence[Path],
    fault: Callable[[Manifest], str | None],
) -> Adopted | None:
    """Return the record of what is to be adopted; None if that is nothing, or is recorded already.

    Raises `Permanent`: OBJECT_NOT_OURS without leave, NOT_ADOPTABLE if somebody claims it, or for the fault.
    """
    if live is None or not _is_foreign(setup, live):
        return None
    if not setup.desired.adopt:
        raise Permanent(Reason.OBJECT_NOT_OURS, adoption.not_adopted(live))
    adoption.refuse_unfit(live, fault(live))
    return adoption.recorded(live, fields)


def refuse_unrecorded(setup: Setup, live: Manifest | None) -> None:
    """Raise `Conflict` before an object is written that somebody has made since it was looked for."""
    if live is not None and _is_foreign(setup, live):
        raise Conflict(Reason.CLUSTER_UNAVAILABLE, f"{adoption.named(live)} has just been made by somebody")


def _is_foreign(setup: Setup, live: Manifest) -> bool:
    """Return whether the object is somebody else's, and not recorded as adopted."""
    metadata = live["metadata"]
    is_known = setup.facts.has_adopted(live["kind"], metadata["name"], metadata.get("uid"))
    return not manifests.is_held(live) and not is_known


def give_back(objects: KubeObjects, setup: Setup, live: Manifest) -> None:
    """Give an adopted object back, in two writes; our label goes with the second, so it is safe to repeat.

    Its fields get a person's manager first, because what we alone own goes with us.
    """
    record = setup.facts.adopted_as(live["kind"], live["metadata"]["name"])
    manifest = manifests.onto(live, adoption.given_back(live, record))
    returned = objects.apply(manifest, force=True, manager=adoption.KUBECTL)
    objects.apply(manifests.onto(returned, manifests.empty_apply(returned)), force=True)
