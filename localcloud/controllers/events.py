"""Kubernetes Events, as a component reports them: repeated ones are counted, not multiplied."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import time
from collections.abc import Callable
from typing import Any, Literal

from localcloud.controllers.client import KubeClient, KubeError

Object = dict[str, Any]


BURST = 25


class Allowance:
    """How many Events about an object are written: client-go drops what is beyond, for good."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}  # object -> how many, when that was

    def takes(self, uid: str, refill_s: float) -> bool:
        """Return whether one more is written; 0 seconds for one more: always."""
        if not refill_s:
            return True
        now = time.monotonic()
        left, since = self._left.get(uid, (float(BURST), now))
        left = min(left + (now - since) / refill_s, float(BURST))
        self._left[uid] = (max(left - 1, left if left < 1 else 0.0), now)
        return left >= 1


class Events:
    """Reports Events of one component."""

    def __init__(
        self, client: KubeClient, component: str, refill_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._client = client
        self._component = component
        self._counts: dict[str, int] = {}
        self._allowance = Allowance()
        self._refill_s = refill_s  # see `Quirks.event_refill_s`

    def normal(self, about: Object, reason: str, message: str) -> None:
        """Report that something went as it should. A failure to report is ignored, as by the real ones."""
        self._record(about, "Normal", reason, message)

    def warning(self, about: Object, reason: str, message: str) -> None:
        """Report that something went wrong. A failure to report is ignored, as by the real ones."""
        self._record(about, "Warning", reason, message)

    def _record(self, about: Object, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        metadata = about["metadata"]
        if not self._allowance.takes(metadata["uid"], self._refill_s()):
            return
        digest = hashlib.sha256(f"{metadata['uid']}/{kind}/{reason}/{message}".encode()).hexdigest()[:16]
        name = f"{metadata['name']}.{digest}"
        path = f"/api/v1/namespaces/{metadata['namespace']}/events"
        count = self._counts[name] = self._counts.get(name, 0) + 1
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with contextlib.suppress(KubeError):
            if count > 1:
                self._client.patch(f"{path}/{name}", {"count": count, "lastTimestamp": now})
                return
            self._client.create(
                path,
                {
                    "apiVersion": "v1",
                    "kind": "Event",
                    "metadata": {"name": name, "namespace": metadata["namespace"]},
                    "involvedObject": {
                        "apiVersion": about["apiVersion"],
                        "kind": about["kind"],
                        "name": metadata["name"],
                        "namespace": metadata["namespace"],
                        "uid": metadata["uid"],
                    },
                    "type": kind,
                    "reason": reason,
                    "message": message,
                    "source": {"component": self._component},
                    "reportingComponent": self._component,
                    "count": 1,
                    "firstTimestamp": now,
                    "lastTimestamp": now,
                },
            )
