"""What Helm may read and write: the release's namespace, its records, its hooks, and what is meant to change.

    before the new revision is stored   reads within the namespace, for templates that look things up
    when it is stored                   all that was rendered is known, and judged, before anything is written
    then, of each object                the same in both renderings: nothing is written, and Helm is told so;
                                        else only what the renderings differ in (see `object_writes`)

The stored chart is a program of whoever wrote it. Nothing that it renders, hooks included, is taken to
another namespace or to the cluster as a whole, and no look-up of it gets there. In a rehearsal, every write
is a dry run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from urllib.parse import parse_qs

from milvus_l7.adapters.kubernetes import answers
from milvus_l7.adapters.release import object_writes, storage, stored_release
from milvus_l7.adapters.release.gateway import READ, Reply, Request, Upstream, answer_of, reply_of
from milvus_l7.adapters.release.object_writes import Mode, ObjectWrites, Target
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import L7Error, Permanent, Transient, Unanswered
from milvus_l7.domain.release import intent
from milvus_l7.domain.release.hooks import Hook
from milvus_l7.domain.release.intent import Intent, Place
from milvus_l7.domain.text.untrusted import mapping, objects, text

_RESOURCE = re.compile(
    r"/(?:api/(?P<core>v[0-9a-z]+)|apis/(?P<group>[^/]+)/(?P<version>v[0-9a-z]+))"
    r"/namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?P<sub>/[a-z]+)?"
)
_ALL_NAMESPACES = re.compile(
    r"(?P<root>/(?:api/(?P<core>v[0-9a-z]+)|apis/(?P<group>[^/]+)/(?P<version>v[0-9a-z]+)))/(?P<plural>[^/]+)"
)
_DISCOVERY = re.compile(r"/version|/api|/apis|/openapi/v[23](/.*)?|/api/v1|/apis/[^/]+(/[^/]+)?")
_ODD = re.compile(r"%|//|/\.")  # no name of an object has it; in a path it may lead elsewhere


@dataclass(frozen=True, slots=True)
class Rendered:
    """A revision that Helm is about to store."""

    revision: int
    manifest: str
    hooks: Sequence[Hook]

    @property
    def digest(self) -> str:
        """Return what tells this rendering from every other one."""
        told = [self.manifest, *(hook.text for hook in self.hooks)]
        return sha256(json.dumps(told).encode()).hexdigest()


@dataclass(slots=True)
class Oversight:
    """Answers what Helm asks for in one action on one release. Threads may call `answer` side by side."""

    upstream: Upstream
    namespace: str
    name: str  # of the release
    action: str  # upgrade | rollback
    before: Sequence[Sequence[Manifest]]  # each rendering that the action may start from
    mode: Mode
    judge: Callable[[Rendered], Sequence[Manifest]]  # what was rendered; raises what refuses it
    hidden_above: int | None = None  # revisions that are taken for rolled back
    rendered: Rendered | None = None
    writes: ObjectWrites = field(init=False)
    refusal: Transient | Permanent | None = None  # the first one: Helm was told no, and is to end
    denied: list[str] = field(default_factory=list)  # reads and writes that the API server did not allow
    lost: list[L7Error] = field(default_factory=list)  # requests that were not answered
    has_written: bool = False  # something was sent that is no dry run
    in_flight: int = 0  # writes whose answer has not come
    _intents: Mapping[Place, Intent] = field(default_factory=dict)
    _hooks: Mapping[Place, Hook] = field(default_factory=dict)
    _documents: dict[tuple[str, str], Reply] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.writes = ObjectWrites(self._sent, self.mode, is_strict=self.action == "upgrade")

    def answer(self, request: Request) -> Reply:
        """Answer one request, by the API server's word or by our own."""
        try:
            return self._answer(request)
        except (Transient, Permanent) as error:
            with self._lock:
                self.refusal = self.refusal or error
            return _refused(error.message)

    def _answer(self, request: Request) -> Reply:
        if not _ODD.search(request.path):
            request = self._narrowed(request)
            if request.method == READ and _DISCOVERY.fullmatch(request.path):
                return self._described(request)
            found = _RESOURCE.fullmatch(request.path)
            if found is not None and found["namespace"] == self.namespace:
                return self._of_namespace(request, _place(found), found["sub"] or "")
        message = f"the chart of release {self.name} reaches outside of its namespace: {request.method}"
        raise Permanent(Reason.CHART_OUT_OF_BOUNDS, f"{message} {request.path[:120]}")

    def _described(self, request: Request) -> Reply:
        """What the API server serves, asked for once: Helm asks for each object anew."""
        key = (request.path, request.headers.get("Accept", ""))
        if key not in self._documents:
            answer = self._sent(request)
            if answer.status != 200:
                return answer
            self._documents[key] = answer
        return self._documents[key]

    def _narrowed(self, request: Request) -> Request:
        """Helm looks for its hooks in all namespaces; they are in one."""
        found = _ALL_NAMESPACES.fullmatch(request.path)
        if request.method != READ or found is None:
            return request
        api_version = found["core"] or f"{found['group']}/{found['version']}"
        if not self._hooks_of(Place(api_version, found["plural"], self.namespace, "")):
            return request
        return request.asking(path=f"{found['root']}/namespaces/{self.namespace}/{found['plural']}")

    def _of_namespace(self, request: Request, place: Place, sub: str) -> Reply:
        if request.method == READ:
            return self._read(request, place)
        if self.refusal is not None:
            return _refused(self.refusal.message)
        if place.plural == "secrets" and _is_record(request, place, self.name):
            return self._stored(request, place)
        with self._lock:  # one write at a time, so that the first that fails is the last
            return self._write(request, _named(request, place) if not sub else place)

    def _read(self, request: Request, place: Place) -> Reply:
        known = self._intents.get(place)
        if self.rendered is not None and known is not None and not known.differences and known.after:
            return object_writes.standing(known.after, place)
        hook = self._hooks_of(place)
        if self.mode is Mode.REHEARSE and hook:
            return object_writes.finished(request, hook, self.namespace)
        query = parse_qs(request.query)
        if query.get("watch", ["false"])[0] in ("1", "true"):
            return self.upstream.watch(request)
        if place.plural == "secrets" and not place.name and self.hidden_above is not None:
            return self._without_later(self._sent(_as_json(request)), self.hidden_above)
        if known is None:
            return self._sent(request)
        self.writes.read[place] = self._sent(_as_json(request))
        return self.writes.read[place]

    def _hooks_of(self, place: Place) -> list[Hook]:
        """Return the hooks at a place, or of its kind if it names no object; none before all is rendered."""
        if place in self._hooks:
            return [self._hooks[place]]
        if place.name or self.rendered is None:
            return []
        kind = (place.api_version, place.plural)
        return [hook for each, hook in self._hooks.items() if (each.api_version, each.plural) == kind]

    @staticmethod
    def _without_later(answer: Reply, last: int) -> Reply:
        """The list of Secrets without revisions that are taken for rolled back."""
        if answer.status != 200:
            return answer
        body = json.loads(answer.body)
        kept = [each for each in objects(body.get("items")) if stored_release.revision(each) <= last]
        return reply_of({**body, "items": kept})

    def _stored(self, request: Request, place: Place) -> Reply:
        """Take note of the new revision, and let it be stored only if all of it may be written."""
        if request.method == "POST":
            self._judge(request)
        is_new = self.rendered is not None and place.name.endswith(f".v{self.rendered.revision}")
        if self.mode is Mode.WRITE:
            return self._sent(request)
        # A revision that is taken for rolled back still has the name.
        if is_new or self.hidden_above is not None:
            return reply_of({**_header("v1", "Secret"), "metadata": {"name": place.name}})
        answer = self._sent(object_writes.rehearsed(request))
        if answer.status >= 400:
            self.writes.note(answers.failure(answer_of(answer), "Secret"))
            return reply_of({**_header("v1", "Secret"), "metadata": {"name": place.name}})
        return answer

    def _judge(self, request: Request) -> None:
        try:
            content = stored_release.decoded(storage.secret(request.body)).content
            hooks = [Hook.of(each) for each in objects(content.get("hooks"))]
            rendered = Rendered(int(content["version"]), text(content.get("manifest")), hooks)
        except (ValueError, KeyError, StopIteration, TypeError) as error:
            message = f"release {self.name}: what Helm would store cannot be read: {type(error).__name__}"
            raise Permanent(Reason.RELEASE_UNREADABLE, message) from None
        after = self.judge(rendered)
        mine = [hook for hook in hooks if hook.runs_at(self.action)]
        for hook in mine:
            self._bound(hook)
        self._intents = intent.intents(self.before, after, self.namespace)
        self._hooks = {intent.place(hook.manifest, self.namespace): hook for hook in mine}
        self.rendered = rendered

    def _bound(self, hook: Hook) -> None:
        where = intent.place(hook.manifest, self.namespace)
        if where.namespace != self.namespace or _ODD.search(f"/{where.name}") or "/" in where.name:
            message = f"hook {hook.name} of the chart is not for namespace {self.namespace}"
            raise Permanent(Reason.CHART_OUT_OF_BOUNDS, message)

    def _write(self, request: Request, place: Place) -> Reply:
        if self.refusal is not None:
            return _refused(self.refusal.message)
        hook = self._hooks.get(place)
        if hook is not None:
            return self._hook_written(request, place, hook)
        meant = self._intents.get(place)
        if self.rendered is None or meant is None:
            message = f"the chart writes {place.plural} {place.name}, which is not in its rendering"
            raise Permanent(Reason.CHART_OUT_OF_BOUNDS, message)
        return self.writes.written(request, Target(place, meant))

    def _hook_written(self, request: Request, place: Place, hook: Hook) -> Reply:
        if self.mode is Mode.WRITE:
            return self._sent(request)
        return self.writes.hook(request, place, hook)

    def _sent(self, request: Request) -> Reply:
        """Send a request on, with a time limit of the server's own if it writes."""
        is_write = request.method != READ
        is_dry = "dryRun=" in request.query
        if is_write:
            request = object_writes.limited(request)
        is_effect = is_write and not is_dry
        self.has_written = self.has_written or is_effect
        self.in_flight += is_effect
        try:
            answer = self.upstream.send(request)
        except Transient as error:
            self.lost.append(error)
            raise
        finally:
            self.in_flight -= is_effect
        if answer.status in (401, 403):
            self.denied.append(answers.words(answer_of(answer), _kind_of(request)))
        elif answer.status in (408, 429) or answer.status >= 500:
            words = answers.words(answer_of(answer), _kind_of(request))
            kind = Unanswered if is_effect and answer.status != 429 else Transient
            self.lost.append(kind(Reason.CLUSTER_UNAVAILABLE, words))
        return answer


def _is_record(request: Request, place: Place, release: str) -> bool:
    """Whether the Secret is one of Helm's own, of this release; a chart's object is written as JSON."""
    if request.method == "POST":
        return "protobuf" in request.media_type
    return place.name.startswith(f"{storage.PREFIX}{release}.v") and (
        request.method == "DELETE" or "protobuf" in request.media_type
    )


def _place(found: re.Match[str]) -> Place:
    api_version = found["core"] or f"{found['group']}/{found['version']}"
    return Place(api_version, found["plural"], found["namespace"], found["name"] or "")


def _named(request: Request, place: Place) -> Place:
    """The place of an object that is created, which only the body names."""
    if place.name or request.method != "POST":
        return place
    try:
        name = text(mapping(json.loads(request.body), "metadata").get("name"))
    except ValueError:
        name = ""
    return Place(place.api_version, place.plural, place.namespace, name)


def _kind_of(request: Request) -> str:
    found = _RESOURCE.fullmatch(request.path)
    if found is None:
        return request.path
    singular = {"secrets": "Secret", "configmaps": "ConfigMap"}
    return singular.get(found["plural"], found["plural"])


def _as_json(request: Request) -> Request:
    return request.asking(headers={**request.headers, "Accept": "application/json"})


def _header(api_version: str, kind: str) -> dict[str, str]:
    return {"apiVersion": api_version, "kind": kind}


def _refused(message: str) -> Reply:
    """What Helm is told; what the user is told is the refusal itself."""
    status = {"status": "Failure", "message": message, "reason": "Forbidden", "code": 403}
    return reply_of({**_header("v1", "Status"), "metadata": {}, **status}, 403)
