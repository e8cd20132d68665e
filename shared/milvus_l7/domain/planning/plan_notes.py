"""What users should know of a plan besides its changes: what changes hands, and what they could undo."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.planning.chain_plan import Step
from milvus_l7.domain.setup.facts import Adopted

_RELEASE = "Release "  # how the targets of a release's values begin
_STATUS = "status"


def notes(steps: Sequence[Step], adopted: Collection[Adopted], namespace: str) -> tuple[str, ...]:
    """Return the notes, for people: one for each object that is adopted, and one for the release's values."""
    return (*_adoptions(adopted, namespace), *_undoings(steps))


def _adoptions(adopted: Collection[Adopted], namespace: str) -> Iterator[str]:
    for each in sorted(adopted, key=lambda record: (record.kind, record.name)):
        is_read_only = each.kind == kinds.SECRET.kind
        how = "it is used as it is" if is_read_only else "the way back gives it back as it was found"
        yield f"adopts {each.kind} {namespace}/{each.name}: {how}"


def _undoings(steps: Sequence[Step]) -> Iterator[str]:
    """Yield which values a `helm upgrade` without them takes away again."""
    changes = [change for step in steps for change in step.changes if change.target.startswith(_RELEASE)]
    paths = dict.fromkeys(change.field for change in changes if change.field != _STATUS)
    if paths:
        yield (
            f"a helm upgrade with values of your own undoes {', '.join(paths)}: set them there, too, "
            "or use --reuse-values"
        )
