"""The Events about objects, for explanations: without the right to list them there is less to tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.ports import Manifest

Read = Callable[[], Sequence[Manifest]]  # oldest first


@dataclass(slots=True)
class ObjectEvents:
    """Reads Events, each object's at most once, and remembers that some may not be read."""

    is_refused: bool = False
    _known: dict[str, Sequence[Manifest]] = field(default_factory=dict)

    def of(self, target: str, read: Read) -> Sequence[Manifest]:
        """Return the target's Events, none if they may not be listed. Raises other errors."""
        if target not in self._known:
            self._known[target] = self._read(read)
        return self._known[target]

    def _read(self, read: Read) -> Sequence[Manifest]:
        try:
            return read()
        except Permanent as error:
            if error.reason is not Reason.CLUSTER_ACCESS_DENIED:
                raise
            self.is_refused = True
            return ()

    @property
    def unseen(self) -> str:
        """Return what could not be seen, for people; "" if everything could."""
        return "the cause may be in events, which we have no right to list" if self.is_refused else ""
