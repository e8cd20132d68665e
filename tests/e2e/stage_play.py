"""What the end-to-end tests do with the embedded cloud: publish, follow, look."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from localcloud.cloud import CLUSTER, PROJECT, Cloud
from localcloud.release import install, wait_plaintext
from shared.adapters.firestore import FirestoreSetups
from shared.domain.setup import Setup, SetupId, Status

T = TypeVar("T")
REQUESTS = "l7-setup-requested"


def eventually(look: Callable[[], T | None], timeout_s: float, what: str) -> T:
    """The first true value that `look` returns; fails the test with `what` after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"not within {timeout_s} s: {what}")


@dataclass(frozen=True)
class Play:
    """One release in the embedded cloud, and its setup."""

    cloud: Cloud
    release: str

    @property
    def service(self) -> str:
        return self.release if "milvus" in self.release else f"{self.release}-milvus"

    @property
    def domain(self) -> str:
        return f"{self.release}.milvus.io"

    def install(self) -> None:
        install(self.cloud, self.release)
        wait_plaintext(self.cloud, self.service)

    def publish(self, **changes: Any) -> str:
        body = {"cluster": CLUSTER, "release": self.release, "domain": self.domain, **changes}
        return self.cloud.messaging.publish(REQUESTS, json.dumps(body).encode())

    def setup(self) -> Setup | None:
        found = FirestoreSetups(PROJECT).load(
            SetupId(f"{PROJECT}.us-central1-a.milvus.default.{self.release}")
        )
        return found.setup if found else None

    def wait(self, status: Status, timeout_s: float = 120, run: int = 1) -> Setup:
        """The setup once it has the status in at least that run of the chain."""

        def look() -> Setup | None:
            setup = self.setup()
            if setup is not None and setup.status is Status.FAILED is not status:
                raise AssertionError(f"the setup failed: {setup.stages}")
            return setup if setup and setup.status is status and setup.run >= run else None

        try:
            return eventually(look, timeout_s, f"{self.release} is {status}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.setup()}\n{self._logs()}") from None

    def _logs(self) -> str:
        paths = [self.cloud.functions.log_path(name) for name in self.cloud.functions.all]
        return "\n".join(f"--- {path.name}\n{path.read_text()[-2000:]}" for path in paths)

    def writes(self) -> list[str]:
        """What the functions wrote to the cluster so far, in order: `identity verb resource/name`.

        As in the API server's own log, a created object has no name yet.
        """
        records = self.cloud.kube.audit.writes(user_prefix="l7-")
        return [f"{r.user.partition('@')[0]} {r.verb} {r.resource}/{r.name}" for r in records]
