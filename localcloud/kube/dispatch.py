"""From a request to its answer, for everything but the network: authentication, gates, verbs, audit."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from localcloud.gates import Call, Gates
from localcloud.kube import status
from localcloud.kube.audit import AuditLog, AuditRecord
from localcloud.kube.requests import discovery, http, table
from localcloud.kube.requests.http import HttpRequest, Target
from localcloud.kube.store import deletion, reads
from localcloud.kube.store.objects import Store
from localcloud.kube.store.writes import Writes

Json = dict[str, Any]
PodLogs = Callable[[str, str, str], str | None]  # (namespace, pod, container or "") -> text, None if unknown

_LOG = logging.getLogger(__name__)

ANONYMOUS = "system:anonymous"
_HEALTH = frozenset({"healthz", "readyz", "livez"})
_OPEN_TO_ALL = _HEALTH | {"version"}
_SUBRESOURCES = {"status", "log"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back; with `watch`, the body is the stream of its events."""

    code: int
    body: bytes = b""
    content_type: str = "application/json"
    watch: reads.Watch | None = None
    first_events: tuple[Json, ...] = ()


def _no_logs(_namespace: str, _pod: str, _container: str) -> str | None:
    return None


@dataclass(slots=True)
class Dispatcher:
    """Answers requests on one store. `answer` may be called from many threads."""

    store: Store
    gates: Gates
    audit: AuditLog = field(default_factory=AuditLog)
    users: dict[str, str] = field(default_factory=dict)  # token -> user
    pod_logs: PodLogs = _no_logs

    def answer(self, request: HttpRequest) -> Answer:
        """Do what the request asks and record it in the audit log; errors are answers as well."""
        user, target, verb = ANONYMOUS, None, request.method.lower()
        try:
            user = self._user(request)
            target = http.target(request.path)
            if target is not None:
                verb = http.verb(request, target)
            _authorize(user, request, target, verb)
            self._wait(request, user)
            result = self._handle(request, target, verb)
        except status.ApiError as error:
            result = _json(error.code, error.body)
        except Exception:  # noqa: BLE001 (a fault of the emulator must reach the client as an answer)
            _LOG.exception("internal error on %s %s", request.method, request.path)
            result = _json(500, status.internal_error().body)
        self.audit.append(_record(request, _named(target, verb, request), (user, verb, result.code)))
        return result

    def _wait(self, request: HttpRequest, user: str) -> None:
        """Pass the gates; a request that was held for longer than it allows has no effect any more."""
        deadline = time.monotonic() + http.time_limit_s(request)
        self.gates.pass_through(Call("kubernetes", request.method, request.path, user))
        if time.monotonic() > deadline and not request.is_watch:
            raise status.timed_out()

    def _user(self, request: HttpRequest) -> str:
        header = request.headers.get("authorization", "")
        if not header:
            return ANONYMOUS
        scheme, _, token = header.partition(" ")
        user = self.users.get(token.strip())
        if scheme.lower() != "bearer" or user is None:
            raise status.unauthorized()
        return user

    def _handle(self, request: HttpRequest, target: Target | None, verb: str) -> Answer:
        if target is None:
            return _unrelated(request)
        if target.subresource and not _is_served(target):
            raise status.no_such_path()
        if target.subresource == "log":
            return self._log(request, target)
        if verb == "watch":
            return self._watch(request, target)
        code, body = self._operate(request, target, verb)
        if verb in {"get", "list"} and table.MEDIA_TYPE in request.headers.get("accept", ""):
            body = table.table(target.resource, body, datetime.now(UTC))
        return _json(code, body)

    def _operate(self, request: HttpRequest, target: Target, verb: str) -> tuple[int, Json]:
        if verb == "get":
            return 200, reads.get(self.store, target)
        if verb == "list":
            return 200, reads.listed(self.store, target, request.query)
        body = http.decoded(request)
        if request.method == "DELETE":
            return 200, self._delete(request, target, body)
        return self._write(request, target, verb, body)

    def _write(self, request: HttpRequest, target: Target, verb: str, body: Any) -> tuple[int, Json]:
        writes, options = Writes(self.store), http.options(request)
        if verb == "create":
            return 201, writes.create(target, body, options)
        if verb == "update":
            return writes.replace(target, body, options)
        return writes.patch(target, request.content_type, body, options)

    def _delete(self, request: HttpRequest, target: Target, body: Any) -> Json:
        wanted = deletion.options(body, dict(request.query))
        if target.name:
            return deletion.delete(self.store, target, wanted)
        found = reads.listed(self.store, target, request.query)
        return found | {"items": deletion.delete_all(self.store, target.resource, found["items"], wanted)}

    def _watch(self, request: HttpRequest, target: Target) -> Answer:
        query = dict(request.query)
        if target.name:  # the old form /.../NAME?watch=1
            query["fieldSelector"] = f"metadata.name={target.name}"
        watch = reads.Watch(self.store, target, reads.predicate(query))
        try:
            first = watch.begin(query)
        except status.ApiError as error:
            if error.code != 410:
                raise
            first = [{"type": "ERROR", "object": error.body}]
        return Answer(200, watch=watch, first_events=tuple(first))

    def _log(self, request: HttpRequest, target: Target) -> Answer:
        reads.get(self.store, Target(target.resource, target.namespace, target.name, ""))
        text = self.pod_logs(target.namespace, target.name, request.query.get("container", ""))
        if text is None:
            raise status.bad_request(
                f'container in pod "{target.name}" is waiting to start: ContainerCreating'
            )
        tail = request.query.get("tailLines")
        if tail is not None:
            text = "".join(text.splitlines(keepends=True)[-int(tail) :]) if int(tail) else ""
        return Answer(200, text.encode(), "text/plain")


def _is_served(target: Target) -> bool:
    if target.subresource == "status":
        return target.resource.has_status
    return target.subresource == "log" and target.resource.kind == "Pod"


def _unrelated(request: HttpRequest) -> Answer:
    path = request.path.strip("/")
    if path in _HEALTH:
        return Answer(200, b"ok", "text/plain")
    if path in {"api", "apis"} and "as=APIGroupDiscoveryList" in request.headers.get("accept", ""):
        body = json.dumps(discovery.aggregated(path)).encode()
        return Answer(200, body, discovery.AGGREGATED)
    document = discovery.document(path)
    if document is None or request.method not in {"GET", "HEAD"}:
        raise status.no_such_path()
    return _json(200, document)


def _authorize(user: str, request: HttpRequest, target: Target | None, verb: str) -> None:
    if user != ANONYMOUS or request.path.strip("/") in _OPEN_TO_ALL:
        return
    if target is None:
        message = f'forbidden: User "{user}" cannot {verb} path "{request.path}"'
        raise status.forbidden(message)
    row = target.resource
    place = f' in the namespace "{target.namespace}"' if target.namespace else " at the cluster scope"
    subject = f"{row.plural}.{row.group}" if row.group else row.plural
    if target.name:
        subject += f' "{target.name}"'
    what = f'{verb} resource "{row.plural}" in API group "{row.group}"{place}'
    message = f'{subject} is forbidden: User "{user}" cannot {what}'
    raise status.forbidden(message, row, target.name)


def _json(code: int, body: Json) -> Answer:
    return Answer(code, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


def _named(target: Target | None, verb: str, request: HttpRequest) -> Target | None:
    """Return the target of a request; of one that creates an object, with the name that its body gives it."""
    if target is None or verb != "create" or target.name:
        return target
    try:
        metadata = http.decoded(request)["metadata"]
        return replace(target, name=str(metadata.get("name") or ""))
    except (status.ApiError, KeyError, TypeError, AttributeError):
        return target


def _record(request: HttpRequest, target: Target | None, outcome: tuple[str, str, int]) -> AuditRecord:
    user, verb, code = outcome
    row = target.resource if target else None
    return AuditRecord(
        at=time.time(),
        user=user,
        user_agent=request.user_agent,
        verb=verb,
        group=row.group if row else "",
        version=row.version if row else "",
        resource=row.plural if row else "",
        subresource=target.subresource if target else "",
        namespace=target.namespace if target else "",
        name=target.name if target else "",
        dry_run=request.is_dry_run or (request.method == "DELETE" and deletion.is_dry_run(request.body)),
        status_code=code,
    )
