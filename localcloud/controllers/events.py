"""Kubernetes Events, as a component reports them: repeated ones are counted, not multiplied."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
from typing import Any, Literal

from localcloud.controllers.client import KubeClient, KubeError

Object = dict[str, Any]


class Events:
    """Reports Events of one component."""

    def __init__(self, client: KubeClient, component: str) -> None:
        self._client = client
        self._component = component
        self._counts: dict[str, int] = {}

    def normal(self, about: Object, reason: str, message: str) -> None:
        """Report that something went as it should. A failure to report is ignored, as by the real ones."""
        self._record(about, "Normal", reason, message)

    def warning(self, about: Object, reason: str, message: str) -> None:
        """Report that something went wrong. A failure to report is ignored, as by the real ones."""
        self._record(about, "Warning", reason, message)

    def _record(self, about: Object, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        metadata = about["metadata"]
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
