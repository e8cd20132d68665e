"""The process that Helm runs in: one action, asked for on standard input, answered on standard output.

    {parent, server, ca_pem, token, namespace, name, action, options, archive?, before?, fullname?}
    --> {result} or {error: [class, reason, message]}

Rendering compares what is deployed with what would be in here, too, because YAML's aliases can make that
endless. The chart's archive is base64. `helm.py` runs this module, and says how the answer is read.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from milvus_l7.adapters.release import child, helm_sdk, stored_release
from milvus_l7.adapters.release.helm_sdk import Session, sdk, translated
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.release import containment
from milvus_l7.ports import ClusterAccess

if TYPE_CHECKING:
    from helm_python import Chart, Config

RENDERED_BYTES = 16 * 1024 * 1024  # a release Secret holds one MiB, packed

Request = Mapping[str, Any]


def main() -> None:
    """Answer the request on standard input."""
    # Go's libraries may write to file descriptor 1, which must hold nothing but the answer.
    answer_to = os.dup(1)
    os.dup2(2, 1)
    request = json.load(sys.stdin.buffer)
    child.die_with_parent(request["parent"])
    answer = json.dumps(_answer(request), default=str).encode()
    with os.fdopen(answer_to, "wb") as out:
        out.write(answer)


def _answer(request: Request) -> dict[str, Any]:
    try:
        session = _session(request)
        with session.connected() as helm:
            return {"result": ACTIONS[request["action"]](helm, request)}
    except (Transient, Permanent) as error:
        return {"error": [type(error).__name__, error.reason.name, error.message]}


def _session(request: Request) -> Session:
    access = ClusterAccess(request["server"], request["ca_pem"])
    return Session(access, request["token"], request["namespace"])


def _render(helm: Config, request: Request) -> dict[str, Any]:
    name = request["name"]
    with _chart(request) as chart, translated(name, is_write=False):
        proof = helm.upgrade(chart, name, dry_run="server", **request["options"])
    return {"revision": proof.get("revision"), **_compared(request, str(proof.get("manifest") or ""))}


def _compared(request: Request, rendered: str) -> dict[str, Any]:
    """What is deployed and what would be; `found` tells what differs beyond what we are here for."""
    if len(rendered) > RENDERED_BYTES:
        message = f"the chart renders more than {RENDERED_BYTES // 1024 // 1024} MiB"
        raise Permanent(Reason.CHART_TOO_EXPENSIVE, message)
    try:
        before, after = stored_release.rendered(request["before"]), stored_release.rendered(rendered)
        found = containment.unexpected_changes(before, after, request["fullname"])
        json.dumps([before, after], default=str)
    except (ValueError, TypeError, RecursionError) as error:
        return {"found": helm_sdk.words(error)}
    return {"found": found, "before": before, "after": after}


def _upgrade(helm: Config, request: Request) -> None:
    with _chart(request) as chart, translated(request["name"], is_write=True):
        helm.upgrade(chart, request["name"], **request["options"])


def _rollback(helm: Config, request: Request) -> None:
    with translated(request["name"], is_write=True):
        helm.rollback(request["name"], **request["options"])


ACTIONS: Mapping[str, Callable[[Config, Request], dict[str, Any] | None]] = {
    "render": _render,
    "upgrade": _upgrade,
    "rollback": _rollback,
}


@contextmanager
def _chart(request: Request) -> Iterator[Chart]:
    try:
        chart = sdk().Chart.load_archive(b64decode(request["archive"]))
    except (ValueError, sdk().HelmError) as error:
        message = f"the stored chart cannot be loaded: {helm_sdk.words(error)}"
        raise Permanent(Reason.UPGRADE_NOT_CONTAINED, message) from None
    with chart:
        yield chart


if __name__ == "__main__":
    main()
