"""What a tick of re-poll costs while many setups wait: Firestore reads and writes, calls, and time.

Production adapters against the emulators. One setup in a hundred is due; in the last row all are, of which a
tick handles a part. The time includes the emulator's, which looks through all documents where Firestore looks
into an index; the last column is that share alone.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from google.pubsub_v1 import PublisherClient

from localcloud.firestore import FirestoreEmulator
from localcloud.pubsub import PubSubEmulator
from milvus_l7.adapters.setup import documents
from milvus_l7.adapters.setup.firestore import FirestoreSetups
from milvus_l7.adapters.setup.pubsub import PubSubEvents
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.repoll import Repoll
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.ports import Queue
from tests.builders import TOPOLOGY, new_setup
from tests.fakes.state import FakeClock

# Waiting setups, and one in how many is due.
SCALES = ((100, 100), (1_000, 100), (10_000, 100), (10_000, 1))
TICKS = 5
# So short that no wake-up is repeated within the ticks.
STEP = timedelta(seconds=20)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """One tick."""

    due: int
    reads: int
    writes: int
    calls: int
    ms: float
    scan_ms: float  # of the query of a tick that finds nothing


@contextmanager
def emulators() -> Iterator[FirestoreEmulator]:
    """Both emulators, named in the environment."""
    with FirestoreEmulator() as firestore, PubSubEmulator() as pubsub:
        os.environ["FIRESTORE_EMULATOR_HOST"] = firestore.address
        os.environ["PUBSUB_EMULATOR_HOST"] = pubsub.address
        try:
            yield firestore
        finally:
            del os.environ["FIRESTORE_EMULATOR_HOST"], os.environ["PUBSUB_EMULATOR_HOST"]


def measure(waiting: int, one_due_in: int) -> list[Row]:
    """Ticks over that many waiting setups; that share of them comes due before each."""
    with emulators() as firestore:
        setups, clock = FirestoreSetups("bench"), FakeClock(NOW)
        publisher = PublisherClient()
        publisher.create_topic(name=f"projects/bench/topics/{TOPOLOGY.trigger(Stage.PREPARE_TLS)}")
        repoll = Repoll(Outbox(setups, PubSubEvents("bench", "rejected")), clock, TOPOLOGY)
        fill(setups, waiting, one_due_in)
        repoll.handle()  # connects
        rows = []
        for _ in range(TICKS):
            clock.advance(seconds=STEP.total_seconds())
            rows.append(tick(repoll, firestore))
        return rows


def fill(setups: FirestoreSetups, waiting: int, steps: int) -> None:
    """That many setups, of which equally many come due in each step."""
    client = setups._client
    for start in range(0, waiting, 250):
        batch = client.batch()
        for number in range(start, min(start + 250, waiting)):
            setup = due_in(number, (0.5 + number % steps) * STEP)
            batch.set(client.document(f"setups/{setup.setup_id}"), documents.to_document(setup))
        batch.commit()


def due_in(number: int, span: timedelta) -> Setup:
    """A setup that is due so long after the start."""
    return replace(new_setup(release=f"release-{number}"), poll_at=NOW + span)


def tick(repoll: Repoll, firestore: FirestoreEmulator) -> Row:
    """One tick, and what it cost."""
    started = time.perf_counter()
    repoll.outbox.setups.due(Queue.POLL, NOW - timedelta(days=1), 1)
    scan_ms = (time.perf_counter() - started) * 1000
    before, started = firestore.counts, time.perf_counter()
    done = repoll.handle()
    ms, after = (time.perf_counter() - started) * 1000, firestore.counts
    calls = sum(after.rpcs.values()) - sum(before.rpcs.values())
    return Row(done.woken, after.reads - before.reads, after.writes - before.writes, calls, ms, scan_ms)


def show() -> None:
    """Print the table: medians of some ticks."""
    heads = ("re-poll: waiting", *Row.__slots__)
    print("\n{:>24} {:>5} {:>6} {:>6} {:>6} {:>6} {:>8}".format(*heads))
    for waiting, one_due_in in SCALES:
        rows = measure(waiting, one_due_in)
        figures = (statistics.median(getattr(row, name) for row in rows) for name in Row.__slots__)
        print("{:24,} {:5.0f} {:6.0f} {:6.0f} {:6.0f} {:6.0f} {:8.0f}".format(waiting, *figures))


if __name__ == "__main__":
    show()
