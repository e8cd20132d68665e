"""The unacknowledged messages of one subscription. No locks and no clock here: the broker has both."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

from localcloud.pubsub.delivery import Delivery


@dataclass(slots=True, eq=False)
class Entry:
    """One copy of a message, from publication to acknowledgement.

    `due_s` is when it may be delivered (again): for a leased one that is the end of its lease.
    """

    message: Any
    number: int
    due_s: float
    attempts: int = 0
    ack_id: str = ""


class Backlog:
    """Messages by acknowledgement id and due time. All times are seconds of one monotonic clock."""

    def __init__(self, subscription: Any) -> None:
        self.subscription = subscription
        self._entries: dict[int, Entry] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, message: Any, now_s: float, delivery: Delivery) -> None:
        """Add a new message, as often as `delivery` wants it delivered."""
        for _ in range(delivery.copies):
            number = next(self._numbers)
            self._entries[number] = Entry(message, number, now_s + delivery.first_delay_s())

    def take(self, now_s: float, lease_s: float) -> Entry | None:
        """Return the entry due first, leased for `lease_s`, or `None`; entries to be buried are left."""
        due = [entry for entry in self._due(now_s) if not self._is_exhausted(entry)]
        if not due:
            return None
        entry = min(due, key=lambda entry: (entry.due_s, entry.number))
        entry.attempts += 1
        entry.ack_id = f"{entry.number}-{entry.attempts}"
        entry.due_s = now_s + lease_s
        return entry

    def exhausted(self, now_s: float) -> list[Entry]:
        """Return entries that used up the attempts of the dead-letter policy."""
        return [entry for entry in self._due(now_s) if self._is_exhausted(entry)]

    def leased(self, ack_id: str) -> Entry | None:
        """Return the entry of an acknowledgement id; `None` if that is not the id of its latest delivery."""
        number = ack_id.partition("-")[0]
        entry = self._entries.get(int(number)) if number.isdigit() else None
        return entry if entry is not None and entry.ack_id == ack_id else None

    def remove(self, entry: Entry) -> None:
        """Forget an entry: acknowledged or buried."""
        self._entries.pop(entry.number, None)

    def release(self, entry: Entry, now_s: float, delivery: Delivery) -> None:
        """Make an unacknowledged entry due again: after the policy's pause, at once if exhausted."""
        pause_s = delivery.retry_delay_s(self.subscription, entry.attempts)
        entry.due_s = now_s if self._is_exhausted(entry) else now_s + pause_s
        entry.ack_id = ""

    def next_due_s(self) -> float:
        """Return when the next entry is due; infinity if none will be."""
        return min((entry.due_s for entry in self._entries.values()), default=math.inf)

    def _due(self, now_s: float) -> list[Entry]:
        return [entry for entry in self._entries.values() if entry.due_s <= now_s]

    def _is_exhausted(self, entry: Entry) -> bool:
        if not self.subscription.HasField("dead_letter_policy"):
            return False
        return bool(entry.attempts >= self.subscription.dead_letter_policy.max_delivery_attempts)
