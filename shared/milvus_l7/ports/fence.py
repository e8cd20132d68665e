"""The fence before every write: nothing is written under a lease that may have run out."""

from __future__ import annotations

from typing import Protocol


class Fence(Protocol):
    """Of one execution. Every port that writes passes it before each write."""

    def pass_write(self, may_take_s: float) -> None:
        """Return if the lease lasts longer than the write may take, and no newer generation exists.

        `may_take_s` holds the client's time-out and the server's own limit, in seconds. Raises `LeaseLost`:
        the execution ends and commits nothing.
        """
        ...

    def lose_answer(self, limit_s: float) -> None:
        """Note that a write was sent and not answered: it may still take effect within `limit_s` seconds.

        The lease is then not freed when the execution ends.
        """
        ...
