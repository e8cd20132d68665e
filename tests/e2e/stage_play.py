"""What the end-to-end tests do with the embedded cloud: publish, follow, look."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from demo.deployment import Pacing, embedded_cloud
from demo.release import install, wait_plaintext
from localcloud.cloud import CLUSTER, OPERATOR, PROJECT, Cloud
from localcloud.controllers import BAD_DAY, Delays, Quirks
from localcloud.controllers.client import KubeClient
from milvus_l7.adapters.setup.firestore import FirestoreSetups
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup, StageRecord, StageState, Status

T = TypeVar("T")
REQUESTS = "l7-setup-requested"
PATHS = {
    "Service": "/api/v1/namespaces/default/services",
    "Secret": "/api/v1/namespaces/default/secrets",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
    "BackendConfig": "/apis/cloud.google.com/v1/namespaces/default/backendconfigs",
    "ManagedCertificate": "/apis/networking.gke.io/v1/namespaces/default/managedcertificates",
}


# With this variable set every suite has a bad day: what the real control plane does now and then, always.
IS_BAD_DAY = bool(os.environ.get("BAD_DAY"))
# Queues that back off to half of a resync's period and beyond it, as 1000 s are to ten minutes.
SLOW = {"resync_s": 6.0, "retry_s": 1.0, "retry_cap_s": 10.0}


@contextmanager
def open_cloud(pacing: Pacing | None = None, delays: Delays | None = None) -> Iterator[Cloud]:
    """An embedded cloud that Google's clients in this process talk to, for the body of the `with`."""
    with embedded_cloud(pacing or Pacing(), on_this_day(delays or Delays())) as cloud:
        cloud.control_plane.quirks = BAD_DAY if IS_BAD_DAY else Quirks()
        before = dict(os.environ)
        os.environ.update(cloud.environment)
        try:
            yield cloud
        finally:
            os.environ.clear()
            os.environ.update(before)


def on_this_day(delays: Delays) -> Delays:
    """The delays, with slow queues on a bad day."""
    return replace(delays, **SLOW) if IS_BAD_DAY else delays


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

    @property
    def setup_id(self) -> SetupId:
        return SetupId(f"{PROJECT}.us-central1-a.milvus.default.{self.release}")

    def setup(self) -> Setup | None:
        found = FirestoreSetups(PROJECT).load(self.setup_id)
        return found.setup if found else None

    def looks(self, stage: Stage) -> list[tuple[datetime, str]]:
        """When the stage has ended, and with which reason ("" for none), oldest first."""
        from google.cloud.firestore import Client

        client = Client(project=PROJECT)
        entries = [
            entry.to_dict() for entry in client.collection("setups", self.setup_id, "history").stream()
        ]
        client.close()
        mine = [(entry["at"], entry.get("reason") or "") for entry in entries if entry["stage"] == stage]
        return sorted(mine)

    def explained(self, stage: Stage, reason: Reason, timeout_s: float = 60) -> StageRecord:
        """The stage's record once it has ended with that reason."""

        def look() -> StageRecord | None:
            setup = self.setup()
            record = setup.record(stage) if setup else StageRecord()
            is_told = record.reason is reason and record.state in (StageState.WAITING, StageState.FAILED)
            return record if is_told else None

        try:
            return eventually(look, timeout_s, f"{self.release} is told {reason}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.setup()}\n{self._logs()}") from None

    def annotate(self, kind: str, name: str, annotations: Mapping[str, str | None]) -> None:
        """Set or remove (None) annotations of an object, as a person would."""
        self.patch(kind, name, {"metadata": {"annotations": dict(annotations)}})

    def patch(self, kind: str, name: str, body: Mapping[str, Any]) -> None:
        """Merge `body` into an object, as a person would."""
        with self.cluster() as kube:
            kube.patch(f"{PATHS[kind]}/{name}", dict(body))

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """The object, or None."""
        with self.cluster() as kube:
            return kube.find(f"{PATHS[kind]}/{name}")

    @contextmanager
    def cluster(self) -> Iterator[KubeClient]:
        """The cluster, as a person with all rights."""
        kube = self.cloud.kube
        client = KubeClient(kube.url, kube.ca_pem, kube.issue_token(OPERATOR))
        try:
            yield client
        finally:
            client.close()

    def wait(self, status: Status, timeout_s: float = 120, run: int = 1, generation: int = 1) -> Setup:
        """The setup once it has the status in at least that run of the chain, and that generation."""

        def look() -> Setup | None:
            setup = self.setup()
            if setup is not None and setup.status is Status.FAILED is not status:
                raise AssertionError(f"the setup failed: {setup.stages}")
            is_late = setup is not None and setup.run >= run and setup.generation >= generation
            return setup if setup and is_late and setup.status is status else None

        try:
            return eventually(look, timeout_s, f"{self.release} is {status}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.setup()}\n{self._logs()}") from None

    def _logs(self) -> str:
        paths = [self.cloud.functions.log_path(name) for name in self.cloud.functions.all]
        return "\n".join(f"--- {path.name}\n{path.read_text()[-2000:]}" for path in paths)

    def writes(self) -> list[str]:
        """What the functions wrote to the cluster so far, in order: `identity verb resource/name`."""
        records = self.cloud.kube.audit.writes(user_prefix="l7-")
        return [f"{r.user.partition('@')[0]} {r.verb} {r.resource}/{r.name}" for r in records]
