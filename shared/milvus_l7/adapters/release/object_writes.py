"""What becomes of Helm's write of one object: only what the upgrade is meant to change is written.

    the same in both renderings         nothing is written
    gone from the cluster               stays so; an upgrade that needs it is refused
    fields of it changed past Helm      those stay, and are left out of what is written; an upgrade that would
                                        have to overwrite one is refused

Helm applies server-side, or sends a patch (three-way merge) for a release that Helm 3 installed; either way
its own request is what is dry-run, reduced and sent, onto the object in the version that was read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode

from milvus_l7.adapters.kubernetes import answers, bounds
from milvus_l7.adapters.release.gateway import JSON, Reply, Request, answer_of, reply_of
from milvus_l7.domain.kubernetes import kinds, manifests
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, L7Error, Permanent, Transient
from milvus_l7.domain.release import intent
from milvus_l7.domain.release.hooks import Hook
from milvus_l7.domain.release.intent import Intent, Place
from milvus_l7.domain.text import excerpt
from milvus_l7.domain.text.untrusted import mapping, objects, text

APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_NEEDED = frozenset({kinds.SERVICE.kind, kinds.CONFIG_MAP.kind})
_READINGS = 3  # an object that others keep changing is read anew so often
SHOWN = 5


class Mode(StrEnum):
    """Whether it is meant."""

    REHEARSE = "rehearse"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Target:
    """One object that Helm writes."""

    place: Place
    intent: Intent


@dataclass(frozen=True, slots=True)
class Write:
    """What was, or would be, written: the object before and after."""

    live: Manifest | None
    after: Manifest | None
    hook: str = ""  # of a hook: when it runs, and what becomes of it


@dataclass(slots=True)
class ObjectWrites:
    """Makes the writes of one action, or rehearses them. Rehearsing goes on after a fault, to find all."""

    send: Callable[[Request], Reply]
    mode: Mode
    is_strict: bool  # refuse what a way back could not bring back
    made: list[Write] = field(default_factory=list)
    faults: list[L7Error] = field(default_factory=list)
    read: dict[Place, Reply] = field(default_factory=dict)  # what Helm has just been answered
    _gone: set[Place] = field(default_factory=set)

    def note(self, fault: L7Error) -> None:
        """Take note of what stands in the way."""
        self.faults.append(fault)

    def written(self, request: Request, target: Target) -> Reply:
        """Return what Helm is told of its write of an object."""
        if request.method == "DELETE":
            return self._deleted(request, target)
        meant = target.intent
        if not meant.differences and meant.after:
            return standing(meant.after, target.place)
        try:
            return self._settled(request, target)
        except (Transient, Permanent) as error:
            if self.mode is Mode.WRITE:
                raise
            self.note(error)
            return standing(meant.after or {}, target.place)

    def _deleted(self, request: Request, target: Target) -> Reply:
        """Only a way back deletes, what the upgrade that it undoes has made."""
        if self.is_strict or target.intent.after is not None:
            raise Permanent(Reason.UPGRADE_NOT_CONTAINED, f"{target.intent.name} would be deleted")
        return self.send(rehearsed(request) if self.mode is Mode.REHEARSE else request)

    def _settled(self, request: Request, target: Target) -> Reply:
        for reading in range(1, _READINGS + 1):
            try:
                return self._onto_live(request, target)
            except Conflict:
                if reading == _READINGS:
                    raise
        raise AssertionError

    def _onto_live(self, request: Request, target: Target) -> Reply:
        live = self._live(request, target)
        if live is None:
            return self._absent(request, target)
        if request.media_type == _JSON_PATCH:
            return self._ownership(request, live)
        if target.intent.before is None or target.intent.after is None:
            return self.send(rehearsed(request) if self.mode is Mode.REHEARSE else request)
        if self.is_strict:
            _refuse_edited(target.intent, live)
        proven = self._proven(request, target.intent, live)
        if proven is None:
            return reply_of(live)
        last, result = proven
        self.made.append(Write(live, result))
        if self.mode is Mode.REHEARSE or not _differs(live, result):
            return reply_of(result)
        return self._sent(last, target.intent, live)

    def _sent(self, request: Request, meant: Intent, live: Manifest) -> Reply:
        body = json.loads(request.body)
        version = mapping(live, "metadata").get("resourceVersion")
        body = {**body, "metadata": {**mapping(body, "metadata"), "resourceVersion": version}}
        answer = self.send(request.asking(body=json.dumps(body).encode()))
        answers.content(answer_of(answer), meant.kind, is_write=True)
        return answer

    def _live(self, request: Request, target: Target) -> Manifest | None:
        name = target.place.name
        live = self._read(request, name, target.intent.kind, self.read.pop(target.place, None))
        if manifests.is_terminating(live):
            raise Transient(Reason.OBJECT_BEING_DELETED, f"{target.intent.name} is being deleted")
        return live

    def _read(self, request: Request, name: str, kind: str, known: Reply | None = None) -> Manifest | None:
        """Return what is live at the name; `known`: what Helm was answered when it has just read it."""
        path = request.path if request.method != "POST" else f"{request.path}/{name}"
        answer = answer_of(known or self.send(Request("GET", path, headers={"Accept": JSON})))
        return None if answer.says_missing(name) else answers.content(answer, kind)

    def _absent(self, request: Request, target: Target) -> Reply:
        """What somebody has deleted stays so, unless the upgrade cannot do without; a way back makes it."""
        meant = target.intent
        if meant.before is None or (not self.is_strict and meant.kind in _NEEDED):
            return self.send(rehearsed(request) if self.mode is Mode.REHEARSE else request)
        if meant.kind in _NEEDED:
            message = f"{meant.name} of the release is not in the cluster; somebody has deleted it"
            raise Permanent(Reason.UPGRADE_NOT_CONTAINED, message)
        return standing(meant.after or {}, target.place)

    def _ownership(self, request: Request, live: Manifest) -> Reply:
        """Helm hands its fields from one way of writing to the other, and nothing else."""
        steps = objects(json.loads(request.body))
        allowed = ("/metadata/managedFields", "/metadata/resourceVersion")
        if not all(text(step.get("path")).startswith(allowed) for step in steps):
            raise Permanent(Reason.CHART_OUT_OF_BOUNDS, "a patch of Helm's is not one of owners alone")
        return reply_of(live) if self.mode is Mode.REHEARSE else self.send(request)

    def _proven(self, request: Request, meant: Intent, live: Manifest) -> tuple[Request, Manifest] | None:
        """Return the reduced request and what it does, by a dry run; None if nothing is left of it."""
        body = json.loads(request.body)
        result = self._dry(request, body, meant, force=False)
        if isinstance(result, Permanent) or meant.foreign(live, result):
            forced = self._dry(request, body, meant, force=True)
            if isinstance(forced, Permanent):
                raise forced
            for path in meant.foreign(live, forced):
                body = intent.without(body, path)
            if _is_empty(body):
                return None
            result = self._dry(request, body, meant, force=False)
        force = isinstance(result, Permanent)
        if isinstance(result, Permanent):
            if self.is_strict:
                _refuse_rivals(result, meant, live)
            result = self._dry(request, body, meant, force=True)
        if isinstance(result, Permanent):
            raise result
        self._refuse_more(meant, live, result)
        return _forced(request, force).asking(body=json.dumps(body).encode()), result

    def _refuse_more(self, meant: Intent, live: Manifest, result: Manifest) -> None:
        if not self.is_strict:
            return
        more = [intent.described(path) for path in meant.foreign(live, result)]
        if more:
            message = f"{meant.name} would change in {excerpt.listed(more, SHOWN)}, too"
            raise Permanent(Reason.UPGRADE_NOT_CONTAINED, message)
        missed = list(meant.missed(result))
        if missed:
            message = f"{meant.name} would not change in {excerpt.listed(missed, SHOWN)}"
            raise Permanent(Reason.UPGRADE_NOT_CONTAINED, message)

    def _dry(self, request: Request, body: Any, meant: Intent, *, force: bool) -> Manifest | Permanent:
        """Return what the write would make of the object, or the conflict with other managers."""
        asked = rehearsed(_forced(request, force)).asking(body=json.dumps(body).encode())
        answer = answer_of(self.send(asked))
        if answer.conflicts:
            return Permanent(Reason.FIELD_CONFLICT, f"{meant.name}: {'; '.join(answer.conflicts)}"[:300])
        return answers.content(answer, meant.kind)

    # Hooks --------------------------------------------------------------------------------------------

    def hook(self, request: Request, place: Place, hook: Hook) -> Reply:
        """Rehearse what Helm does with the object of a hook."""
        if request.method == "DELETE":
            return self._hook_deleted(request, place, hook)
        live = self._read(request, place.name, hook.kind)
        if place not in self._gone or live is None:
            answer = answer_of(self.send(rehearsed(request)))
            if answer.is_success:
                self.made.append(Write(live, answer.body, hook.told))
            else:
                self.note(answers.failure(answer, hook.kind))
        else:  # it would have been deleted, so that nothing can be tried at its name
            self.made.append(Write(live, hook.manifest, hook.told))
        return standing(hook.manifest, place)

    def _hook_deleted(self, request: Request, place: Place, hook: Hook) -> Reply:
        self._gone.add(place)
        answer = self.send(rehearsed(request))
        if answer.status >= 400 and not answer_of(answer).says_missing(place.name):
            self.note(answers.failure(answer_of(answer), hook.kind))
            return reply_of({"apiVersion": "v1", "kind": "Status", "status": "Success", "metadata": {}})
        return answer


def standing(manifest: Manifest, place: Place) -> Reply:
    """Return what Helm is told of an object that is not asked for: it is as it was rendered."""
    named = {"namespace": place.namespace, "name": place.name}
    return reply_of({**manifest, "metadata": {**mapping(manifest, "metadata"), **named}})


def finished(request: Request, hooks: list[Hook], namespace: str) -> Reply:
    """Return hooks as they are once they have run, for Helm to wait for nothing in a rehearsal."""
    done = [hook.finished(namespace) for hook in hooks]
    query = dict(parse_qsl(request.query))
    if query.get("watch") in ("1", "true"):
        return Reply(200, stream=_events(done, wants_end="sendInitialEvents" in query))
    if not request.path.endswith(f"/{kinds.plural(hooks[0].kind)}"):
        return reply_of(done[0])
    kind = {"apiVersion": done[0]["apiVersion"], "kind": f"{hooks[0].kind}List"}
    return reply_of({**kind, "metadata": {"resourceVersion": "1"}, "items": done})


def _events(done: list[Manifest], *, wants_end: bool) -> Iterator[bytes]:
    import time

    for each in done if wants_end else []:
        yield json.dumps({"type": "ADDED", "object": each}).encode() + b"\n"
    if wants_end:
        marked = {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}}
        kind = {"apiVersion": done[0]["apiVersion"], "kind": done[0]["kind"]}
        yield json.dumps({"type": "BOOKMARK", "object": {**kind, "metadata": marked}}).encode() + b"\n"
    while True:  # until Helm has seen enough, and hangs up
        time.sleep(0.2)
        yield b"\n"


def rehearsed(request: Request) -> Request:
    """Return the request as a dry run."""
    return request.asking(query=_with(request.query, dryRun="All"))


def limited(request: Request) -> Request:
    """Return the request with the time after which the API server does nothing more for it."""
    return request.asking(query=_with(request.query, timeout=f"{bounds.SERVER_S}s"))


def _forced(request: Request, force: bool) -> Request:
    if request.media_type != APPLY:
        return request
    return request.asking(query=_with(request.query, force="true" if force else "false"))


def _with(query: str, **more: str) -> str:
    return urlencode({**dict(parse_qsl(query)), **more})


def _differs(live: Manifest, result: Manifest) -> bool:
    fields = ("resourceVersion", "managedFields")
    old, new = (
        {**each, "metadata": {k: v for k, v in mapping(each, "metadata").items() if k not in fields}}
        for each in (live, result)
    )
    return old != new


def _is_empty(body: Any) -> bool:
    """Whether a patch says nothing: neither a field nor an item."""
    if isinstance(body, Mapping):
        identity = ("apiVersion", "kind", "name", "namespace")
        return all(_is_empty(value) for key, value in body.items() if key not in identity and key[0] != "$")
    return isinstance(body, list) and not body


def _refuse_edited(meant: Intent, live: Manifest) -> None:
    edited = list(meant.edited(live))
    if edited:
        message = f"{meant.name}: {excerpt.listed(edited, SHOWN)} was changed past Helm, and would be lost"
        raise Permanent(Reason.UPGRADE_NOT_CONTAINED, message)


def _refuse_rivals(conflict: Permanent, meant: Intent, live: Manifest) -> None:
    """A Service's type that somebody has changed by hand is taken over, and given back on the way back."""
    by_hand = {
        text(row.get("manager"))
        for row in objects(mapping(live, "metadata").get("managedFields"))
        if row.get("operation") == "Update"
    }
    clashes = conflict.message.partition(": ")[2].split("; ")
    is_type = all(".spec.type" in each for each in clashes)
    if not (meant.changes_type and is_type and any(f'"{name}"' in conflict.message for name in by_hand)):
        raise conflict
