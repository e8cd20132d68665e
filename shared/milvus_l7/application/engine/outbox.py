"""Commit, publish, take out of the outbox: the transactional outbox in one place."""

from __future__ import annotations

from dataclasses import dataclass

from milvus_l7.ports import Commit, Events, Setups


@dataclass(frozen=True, slots=True)
class Outbox:
    """Commits changes together with their events, and publishes those."""

    setups: Setups
    events: Events

    def commit(self, commit: Commit) -> None:
        """Write the change and its events in one transaction, then publish the events.

        A crash at any point loses nothing: re-poll publishes what is left in the outbox.
        Raises `StateConflict` if the setup has changed, `StateUnavailable` if store or bus do not answer.
        """
        self.setups.commit(commit)
        for event in commit.events:
            self.events.publish(event)
            self.setups.mark_published(event.event_id)
