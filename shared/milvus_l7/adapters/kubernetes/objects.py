"""The objects of one cluster, through the `kubernetes` package's `ApiClient` and plain JSON.

The typed models are left out because importing them takes seconds of CPU time (see `make bench`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from milvus_l7.adapters.kubernetes import answers, bounds
from milvus_l7.adapters.kubernetes.answers import Answer
from milvus_l7.adapters.kubernetes.bounds import Bounds, TooLargeError
from milvus_l7.adapters.lazy_import import postponed
from milvus_l7.domain.kubernetes import events, kinds
from milvus_l7.domain.kubernetes.manifests import OURS
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient, Unanswered
from milvus_l7.domain.text import bounded_json
from milvus_l7.domain.text.bounded_json import Limits
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7.ports import ClusterAccess, Manifest, ObjectRef

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

# Of the values in one answer; its bytes are bounded as it is read.
LIMITS = Limits(size_bytes=64 * 1024 * 1024, depth=100, items=1_000_000)
# A value takes so many bytes of memory besides its text: a list of that many bytes can hold 20 million `{}`.
VALUE_BYTES = 64
# Anybody in a namespace can fill Secrets to the brim, as Helm's own are.
MOST_ON_A_PAGE = {"Secret": 20}

_PLURALS: Mapping[tuple[str, str], str] = {
    kinds.CONFIG_MAP: "configmaps",
    kinds.EVENT: "events",
    kinds.POD: "pods",
    kinds.SECRET: "secrets",
    kinds.SERVICE: "services",
    kinds.DEPLOYMENT: "deployments",
    kinds.STATEFUL_SET: "statefulsets",
    kinds.INGRESS: "ingresses",
    kinds.BACKEND_CONFIG: "backendconfigs",
    kinds.MANAGED_CERTIFICATE: "managedcertificates",
}

_SEGMENT = re.compile(r"[A-Za-z0-9:._-]{1,253}")

Query = list[tuple[str, str]]
DRY = frozenset({("dryRun", "All")})


# Not used here; `config` alone loads OAuth and three credential plug-ins.
UNUSED_PARTS = ("config", "dynamic", "watch", "stream", "utils", "leaderelection", "informer")


@dataclass(slots=True)
class KubernetesObjects:
    """Implements `KubeObjects`. The client is made on first use; `token` is called before every request."""

    access: ClusterAccess
    token: Callable[[], str]
    page_size: int = 100  # objects per list request
    bounds: Bounds = field(default_factory=Bounds)
    _client: ApiClient | None = field(default=None, init=False, repr=False)

    def get(self, ref: ObjectRef) -> Manifest | None:
        """Return the object, or None if the API server says that it does not exist."""
        answer = self._send("GET", ref)
        if answer.says_missing(ref.name):
            return None
        return answers.content(answer, ref.kind)

    def list(self, ref: ObjectRef, labels: Mapping[str, str]) -> Sequence[Manifest]:
        """Return all objects of the kind in the namespace that carry the labels, page by page."""
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        return self._pages(ref, [("labelSelector", selector)] if selector else [])

    def events(self, ref: ObjectRef) -> Sequence[Manifest]:
        """Return the Kubernetes Events about the object, oldest first."""
        about = {"kind": ref.kind, "name": ref.name, "namespace": ref.namespace}
        selector = ",".join(f"involvedObject.{key}={value}" for key, value in about.items())
        found = self._pages(ObjectRef(*kinds.EVENT, ref.namespace), [("fieldSelector", selector)])
        return sorted(found, key=events.last_seen)

    def apply(
        self, manifest: Manifest, *, dry_run: bool = False, force: bool = False, manager: str = OURS
    ) -> Manifest:
        """Apply server-side; return the object as it then is (or would be). Repeating it changes nothing."""
        query = [*_writing(manager), ("force", "true" if force else "false")]
        query += _dry(dry_run)
        answer = self._send("PATCH", ObjectRef.of(manifest), query, manifest)
        return answers.content(answer, manifest["kind"], is_write=not dry_run)

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> bool:
        """Create the object; return False if one of its name exists, which is left as it is."""
        ref = ObjectRef.of(manifest)
        collection = ObjectRef(ref.api_version, ref.kind, ref.namespace)
        answer = self._send("POST", collection, [*_writing(), *_dry(dry_run)], manifest)
        if answer.says_exists:
            return False
        answers.content(answer, manifest["kind"], is_write=not dry_run)
        return True

    def delete(self, live: Manifest) -> None:
        """Delete the object in the version that was read; nothing happens if it is gone."""
        read = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": read}
        ref = ObjectRef.of(live)
        answer = self._send("DELETE", ref, _within(), {**options, "propagationPolicy": "Background"})
        if not answer.says_missing(ref.name):
            answers.content(answer, ref.kind, is_write=True)

    def _pages(self, ref: ObjectRef, query: Query) -> Sequence[Manifest]:
        kind = {"apiVersion": ref.api_version, "kind": ref.kind}  # items of a list do not say it
        found: Sequence[Manifest] = ()
        more: Query = []
        size_bytes, limit = 0, min(self.page_size, MOST_ON_A_PAGE.get(ref.kind, self.page_size))
        while True:
            answer = self._send("GET", ref, [*query, ("limit", str(limit)), *more])
            page = answers.content(answer, ref.kind)
            size_bytes += answer.size_bytes
            if size_bytes > self.bounds.list_bytes:
                raise _too_large(ref, self.bounds.list_bytes)
            found = [*found, *({**kind, **item} for item in page.get("items") or ())]
            position = page.get("metadata", {}).get("continue")
            if not position:
                return found
            more = [("continue", position)]

    def _send(
        self, verb: str, ref: ObjectRef, query: Query | None = None, body: Manifest | None = None
    ) -> Answer:
        """Send one request, without retries: a stage is run again by state, and its lease must not run out.

        Raises `Transient(CLUSTER_UNAVAILABLE)` if there is no answer.
        """
        from urllib3.exceptions import HTTPError

        content_type = "application/apply-patch+yaml" if verb == "PATCH" else "application/json"
        headers = {"Accept": "application/json", "Content-Type": content_type}
        client = self._connected()
        request = client.param_serialize(
            verb,
            _path(ref),
            query_params=query,
            header_params=headers,
            body=dict(body) if body else None,
            auth_settings=["BearerToken"],
        )
        deadline = time.monotonic() + self.bounds.total_s
        limit = self.bounds.object_bytes if ref.name or body else self.bounds.list_bytes
        try:
            response = client.call_api(*request, _request_timeout=self.bounds.total_s)
            content = bounds.read(response.response, deadline, limit)
        except TooLargeError:
            raise _too_large(ref, limit) from None
        except (HTTPError, rest_client().ApiException, TimeoutError) as error:
            raise self._silence(error, verb, query or []) from error
        size_bytes = len(content) + VALUE_BYTES * bounded_json.items(content)
        return Answer(response.status, _json(content), size_bytes)

    def _silence(self, error: Exception, verb: str, query: Query) -> Transient:
        """What it means that a request was not answered: of a write, if it was sent, that it may be made."""
        from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

        message = f"the Kubernetes API at {self.access.server} did not answer: {type(error).__name__}"
        is_write = verb != "GET" and not DRY.issubset(query)
        if is_write and not isinstance(error, NewConnectionError | ConnectTimeoutError):
            return Unanswered(Reason.CLUSTER_UNAVAILABLE, f"{message}; it may still do what was asked for")
        return Transient(Reason.CLUSTER_UNAVAILABLE, message)

    def _connected(self) -> ApiClient:
        if self._client is None:
            self._client = _client(self.access, self.token)
        return self._client


def rest_client() -> ModuleType:
    """Return the module `kubernetes.client`.

    The rest of its package, which costs several times as much, is not imported.
    """
    with postponed(f"kubernetes.{part}" for part in UNUSED_PARTS):
        import kubernetes.client
    return kubernetes.client


def _client(access: ClusterAccess, token: Callable[[], str]) -> ApiClient:
    rest = rest_client()
    configuration = rest.Configuration(host=access.server, ca_cert_data=access.ca_pem, retries=False)
    # The hook runs before every request, but only if there is a key already.
    configuration.api_key["authorization"] = "Bearer"

    def refresh(current: Any) -> None:
        current.api_key["authorization"] = f"Bearer {token()}"

    configuration.refresh_api_key_hook = refresh
    client: ApiClient = rest.ApiClient(configuration)
    client.user_agent = OURS
    return client


def _writing(manager: str = OURS) -> Query:
    return [("fieldManager", manager), ("fieldValidation", "Strict"), *_within()]


def _within() -> Query:
    """The API server's own limit: after that it does nothing more for the request."""
    return [("timeout", f"{bounds.SERVER_S}s")]


def _dry(dry_run: bool) -> Query:
    return list(DRY) if dry_run else []


def _too_large(ref: ObjectRef, limit_bytes: int) -> Permanent:
    what = f"{ref.kind} {ref.name}" if ref.name else f"list of {ref.kind}s"
    message = f"the {what} in namespace {ref.namespace} has more than {limit_bytes // bounds.MIB} MiB"
    return Permanent(Reason.ANSWER_TOO_LARGE, message)


def _path(ref: ObjectRef) -> str:
    root = "/apis" if "/" in ref.api_version else "/api"
    plural = _PLURALS[ref.api_version, ref.kind]
    path = f"{root}/{ref.api_version}/namespaces/{_segment(ref, ref.namespace)}/{plural}"
    return f"{path}/{_segment(ref, ref.name)}" if ref.name else path


def _segment(ref: ObjectRef, name: str) -> str:
    """Return a name as one segment of a path; a chart's author, or a label's, may have chosen any text.

    What Kubernetes allows in no name is refused (k8s.io/apimachinery `pkg/api/validation/path`, and more).
    """
    if name in ("", ".", "..") or not _SEGMENT.fullmatch(name):
        message = f"{excerpt(name, 60)!r} is no name of a {ref.kind}, or of its namespace"
        raise Permanent(Reason.REFUSED_BY_CLUSTER, message)
    return name


def _json(body: bytes) -> dict[str, Any]:
    """Return the body as an object; {} for anything else.

    Proxies and missing routes answer in plain text.
    """
    try:
        value = bounded_json.loads(body, LIMITS)
    except bounded_json.OutOfBounds as error:
        message = f"an answer of the Kubernetes API is not read: {error}"
        raise Permanent(Reason.ANSWER_TOO_LARGE, message) from None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
