"""Facts that are stored before the effect that needs them."""

from __future__ import annotations

from typing import Protocol

from milvus_l7.domain.setup.facts import Facts


class WriteAhead(Protocol):
    """Of one execution: what it is about to change, in the state store before it changes it."""

    def record(self, facts: Facts, *, begins_effect: bool = False) -> None:
        """Store the facts, which replace the setup's; nothing is stored if they are its facts already.

        `begins_effect`: what follows must be completed or taken back before anything else runs, should this
        execution die. Raises `LeaseLost`, and `StateUnavailable`.
        """
        ...
