"""The process that Helm runs in: one action, asked for on standard input, answered on standard output.

    {parent, server, ca_pem, token, namespace, name, action, options, before, archive?, ...}
    --> {result} or {error: [class, reason, message]}

What is deployed and what would be is compared in here, too, because YAML's aliases can make that endless. The
chart's archive is base64. `helm.py` runs this module, and says how the answer is read.
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from milvus_l7.adapters.release import child, gateway, helm_sdk, stored_release
from milvus_l7.adapters.release.gateway import Upstream
from milvus_l7.adapters.release.helm_sdk import Session, sdk, translated
from milvus_l7.adapters.release.object_writes import Mode
from milvus_l7.adapters.release.oversight import Oversight, Rendered
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import L7Error, Permanent, Transient
from milvus_l7.domain.release import containment, suitability
from milvus_l7.domain.text import excerpt

if TYPE_CHECKING:
    from helm_python import Chart, Config

RENDERED_BYTES = 16 * 1024 * 1024  # a release Secret holds one MiB, packed
SHOWN = 5

Request = Mapping[str, Any]
Judging = Callable[[Rendered], Sequence[Manifest]]


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
        return {"result": ACTIONS[request["action"]](request)}
    except (Transient, Permanent) as error:
        return {"error": [type(error).__name__, error.reason.name, error.message]}


def _prove(request: Request) -> dict[str, Any]:
    """Upgrade as in earnest, with nothing but dry runs, and tell all that it would write."""
    judge = _Judge(request)
    work = _oversight(request, "upgrade", Mode.REHEARSE, judge.contained)
    with translated(request["name"], work), _connected(request, work) as helm, _chart(request) as chart:
        helm.upgrade(chart, request["name"], **request["options"])
    fault = _worst(work.writes.faults)
    if fault is not None:
        raise fault
    if work.rendered is None:
        raise Transient(Reason.HELM_FAILED, f"release {request['name']}: Helm stored no revision")
    writes = [[each.live, each.after, each.hook] for each in work.writes.made]
    told = {"revision": work.rendered.revision, "digest": work.rendered.digest, "writes": writes}
    return {**told, "before": list(work.before[0]), "after": list(judge.after)}


def _upgrade(request: Request) -> None:
    judge = _Judge(request)
    work = _oversight(request, "upgrade", Mode.WRITE, judge.proven)
    with translated(request["name"], work), _connected(request, work) as helm, _chart(request) as chart:
        helm.upgrade(chart, request["name"], **request["options"])


def _rollback(request: Request) -> None:
    judge = _Judge(request)
    work = _oversight(request, "rollback", Mode.WRITE, judge.read)
    with translated(request["name"], work), _connected(request, work) as helm:
        helm.rollback(request["name"], **request["options"])


ACTIONS: Mapping[str, Callable[[Request], dict[str, Any] | None]] = {
    "prove": _prove,
    "upgrade": _upgrade,
    "rollback": _rollback,
}


@dataclass(slots=True)
class _Judge:
    """Says whether what was rendered may be written, before anything is."""

    request: Request
    after: Sequence[Manifest] = ()

    def read(self, rendered: Rendered) -> Sequence[Manifest]:
        """Return what was rendered; raises `Permanent` if it cannot be read."""
        if len(rendered.manifest) > RENDERED_BYTES:
            message = f"the chart renders more than {RENDERED_BYTES // 1024 // 1024} MiB"
            raise Permanent(Reason.CHART_TOO_EXPENSIVE, message)
        self.after = _manifests(rendered.manifest)
        return self.after

    def contained(self, rendered: Rendered) -> Sequence[Manifest]:
        """Return it; raises `Permanent` if it has more than what the upgrade is for."""
        before, after = _manifests(self.request["before"][0]), self.read(rendered)
        try:
            fullname, annotations = self.request["fullname"], self.request["annotations"]
            found = containment.unexpected_changes(before, after, fullname, annotations)
            json.dumps([before, after], default=str)
        except (ValueError, TypeError, RecursionError) as error:
            found = helm_sdk.words(error)
        if found:
            raise Permanent(Reason.UPGRADE_NOT_CONTAINED, f"{found} {self.request['remedy']}")
        missing = suitability.lacks_file(after, self.request["fullname"])
        if missing and self.request["wants_file"]:
            raise Permanent(Reason.CHART_WITHOUT_TLS, missing)
        return after

    def proven(self, rendered: Rendered) -> Sequence[Manifest]:
        """Return it; raises `Permanent` if it is not what was proven."""
        if rendered.digest != self.request["digest"]:
            message = f"the chart of release {self.request['name']} renders differently each time"
            raise Permanent(Reason.UPGRADE_NOT_CONTAINED, message)
        return self.read(rendered)


def _manifests(rendered: str) -> Sequence[Manifest]:
    try:
        return stored_release.rendered(rendered)
    except ValueError as error:
        raise Permanent(Reason.UPGRADE_NOT_CONTAINED, helm_sdk.words(error)) from None


def _worst(faults: Sequence[L7Error]) -> L7Error | None:
    """Return all faults as one: what will pass only if all of them will."""
    permanent = [each for each in faults if isinstance(each, Permanent)]
    transient = [each for each in faults if isinstance(each, Transient)]
    if not permanent:
        return transient[0] if transient else None
    return Permanent(permanent[0].reason, excerpt.listed([each.message for each in permanent], SHOWN))


def _oversight(request: Request, action: str, mode: Mode, judge: Judging) -> Oversight:
    return Oversight(
        upstream=Upstream(request["server"], request["ca_pem"], request["token"]),
        namespace=request["namespace"],
        name=request["name"],
        action=action,
        before=[_manifests(each) for each in request["before"]],
        mode=mode,
        judge=judge,
        hidden_above=request.get("hidden_above"),
    )


@contextmanager
def _connected(request: Request, work: Oversight) -> Iterator[Config]:
    with gateway.opened(work.answer) as url, Session(url, request["namespace"]).connected() as helm:
        yield helm


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
