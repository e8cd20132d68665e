"""From an HTTP request to what it asks for: verb, target, options, body."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from localcloud.kube import status
from localcloud.kube.requests import protobuf
from localcloud.kube.resources import BY_PATH, Resource

Json = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"

_PATH = re.compile(
    r"^/(?P<base>api/v1|apis/[^/]+/[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?$"
)
_NAMESPACE_PATH = re.compile(
    r"^/api/v1/(?P<plural>namespaces)/(?P<name>[^/]+)(?:/(?P<subresource>status|finalize))?$"
)
# A Go duration (time.ParseDuration), but for the units below a millisecond, signs and fractions.
_DURATION = re.compile(r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?|0")
_LONGEST_S = 60.0  # kube-apiserver's --request-timeout
_VERBS = {"PUT": "update", "PATCH": "patch"}


class _YamlLoader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a timestamp is a string."""


_YamlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; `name` is "" for a collection, `namespace` is "" for all or for none."""

    resource: Resource
    namespace: str
    name: str
    subresource: str


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a write."""

    manager: str
    is_dry_run: bool = False
    force: bool = False
    validation: str = "Warn"  # Strict | Warn | Ignore: what to do about unknown fields


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # lower-case names
    body: bytes

    @property
    def content_type(self) -> str:
        """Return the media type of the body without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def user_agent(self) -> str:
        """Return the client's name for itself."""
        return self.headers.get("user-agent", "")

    @property
    def is_dry_run(self) -> bool:
        """Return True for `dryRun=All`, in the query."""
        return self.query.get("dryRun") == "All"

    @property
    def is_watch(self) -> bool:
        """Return True for `watch=1` or `watch=true` on a read."""
        return self.method == "GET" and self.query.get("watch", "") in {"1", "true"}


def target(path: str) -> Target | None:
    """Return what a URL path names, or None if it is not a resource that is served."""
    found = _NAMESPACE_PATH.match(path) or _PATH.match(path)
    if found is None:
        return None
    parts = found.groupdict()
    resource = BY_PATH.get((parts.get("base") or "api/v1", parts["plural"]))
    if resource is None:
        return None
    namespace = parts.get("namespace") or ""
    return Target(resource, namespace, parts["name"] or "", parts["subresource"] or "")


def verb(request: HttpRequest, what: Target) -> str:
    """Return the Kubernetes verb: get, list, watch, create, update, patch, delete or deletecollection."""
    if request.method in {"GET", "HEAD"}:
        if request.is_watch:
            return "watch"
        return "get" if what.name else "list"
    if request.method == "DELETE":
        return "delete" if what.name else "deletecollection"
    if request.method == "POST" and (not what.name or what.subresource):
        return "create"
    if request.method in _VERBS and what.name:
        return _VERBS[request.method]
    raise status.method_not_allowed()


def time_limit_s(request: HttpRequest) -> float:
    """Return how long the request may take by its `timeout`, at most a minute; `ApiError` 400 if it is none.

    Source: k8s.io/apiserver `pkg/endpoints/filters/request_deadline.go`.
    """
    text = request.query.get("timeout", "")
    found = _DURATION.fullmatch(text)
    if found is None:
        why = f'time: invalid duration "{text}"'
        raise status.bad_request(f"invalid timeout specified in the request URL - {why}")
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in found.groups())
    wanted = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    return min(wanted or _LONGEST_S, _LONGEST_S)


def options(request: HttpRequest) -> Options:
    """Return the options of a write; `ApiError` 400/422 for values that are not understood."""
    dry_run = request.query.get("dryRun", "")
    if dry_run not in {"", "All"}:
        raise status.bad_request(f"invalid dryRun: {dry_run!r}")
    manager = request.query.get("fieldManager", "")
    if not manager and request.content_type == APPLY_PATCH:
        why = "Required value: is required for apply patch"
        message = f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: {why}'
        cause = status.Cause("FieldValueRequired", why, "fieldManager")
        details = {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [cause.as_json()]}
        raise status.ApiError(422, "Invalid", message, details)
    return Options(
        manager or request.user_agent.partition("/")[0] or "unknown",
        dry_run == "All",
        request.query.get("force", "") in {"1", "true"},
        request.query.get("fieldValidation", "Warn") or "Warn",
    )


def decoded(request: HttpRequest) -> Any:
    """Return the body as JSON values, {} for none; `ApiError` 400 if broken, 415 for other formats."""
    if not request.body:
        return {}
    if request.content_type == PROTOBUF:
        try:
            return protobuf.decode(request.body)
        except protobuf.ProtobufError as error:
            raise status.unsupported_media_type("application/json") from error
    if request.content_type in {"application/yaml", APPLY_PATCH}:
        return _yaml(request.body)
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise status.bad_request(f"the object provided is unrecognized: {error}") from error


def _yaml(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        pass
    try:
        return _text_keys(yaml.load(body, Loader=_YamlLoader))  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        raise status.bad_request(f"error decoding YAML: {type(error).__name__}") from error


def _text_keys(value: Any) -> Any:
    # JSON has only text as keys: YAML's `on: x` is {"true": "x"} for Kubernetes.
    if isinstance(value, list):
        return [_text_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key if isinstance(key, str) else json.dumps(key): _text_keys(inner) for key, inner in value.items()
    }
