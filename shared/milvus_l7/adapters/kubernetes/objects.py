"""The objects of one cluster, through the `kubernetes` package's `ApiClient` and plain JSON.

The typed models are left out because importing them takes seconds of CPU time (see `make bench`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from milvus_l7.adapters.kubernetes import answers
from milvus_l7.adapters.kubernetes.answers import Answer
from milvus_l7.adapters.lazy_import import postponed
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.kubernetes.manifests import OURS
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.ports import ClusterAccess, Manifest, ObjectRef

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

TIMEOUT_S = (5, 20)  # to connect, and between two reads

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

Query = list[tuple[str, str]]


# Not used here; `config` alone loads OAuth and three credential plug-ins.
UNUSED_PARTS = ("config", "dynamic", "watch", "stream", "utils", "leaderelection", "informer")


@dataclass(slots=True)
class KubernetesObjects:
    """Implements `KubeObjects`. The client is made on first use; `token` is called before every request."""

    access: ClusterAccess
    token: Callable[[], str]
    page_size: int = 500  # objects per list request
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
        return sorted(found, key=answers.last_seen)

    def apply(
        self, manifest: Manifest, *, dry_run: bool = False, force: bool = False, manager: str = OURS
    ) -> Manifest:
        """Apply server-side; return the object as it then is (or would be). Repeating it changes nothing."""
        query = [*_writing(manager), ("force", "true" if force else "false")]
        query += _dry(dry_run)
        answer = self._send("PATCH", ObjectRef.of(manifest), query, manifest)
        return answers.content(answer, manifest["kind"])

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> bool:
        """Create the object; return False if one of its name exists, which is left as it is."""
        ref = ObjectRef.of(manifest)
        collection = ObjectRef(ref.api_version, ref.kind, ref.namespace)
        answer = self._send("POST", collection, [*_writing(), *_dry(dry_run)], manifest)
        if answer.says_exists:
            return False
        answers.content(answer, manifest["kind"])
        return True

    def delete(self, live: Manifest) -> None:
        """Delete the object in the version that was read; nothing happens if it is gone."""
        read = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": read}
        ref = ObjectRef.of(live)
        answer = self._send("DELETE", ref, body={**options, "propagationPolicy": "Background"})
        if not answer.says_missing(ref.name):
            answers.content(answer, ref.kind)

    def _pages(self, ref: ObjectRef, query: Query) -> Sequence[Manifest]:
        kind = {"apiVersion": ref.api_version, "kind": ref.kind}  # items of a list do not say it
        found: Sequence[Manifest] = ()
        more: Query = []
        while True:
            answer = self._send("GET", ref, [*query, ("limit", str(self.page_size)), *more])
            page = answers.content(answer, ref.kind)
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
        try:
            response = client.call_api(*request, _request_timeout=TIMEOUT_S)
            return Answer(response.status, _json(response.read()))  # type: ignore[no-untyped-call]
        except (HTTPError, rest_client().ApiException) as error:
            message = f"the Kubernetes API at {self.access.server} did not answer: {type(error).__name__}"
            raise Transient(Reason.CLUSTER_UNAVAILABLE, message) from error

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
    return [("fieldManager", manager), ("fieldValidation", "Strict")]


def _dry(dry_run: bool) -> Query:
    return [("dryRun", "All")] if dry_run else []


def _path(ref: ObjectRef) -> str:
    root = "/apis" if "/" in ref.api_version else "/api"
    plural = _PLURALS[ref.api_version, ref.kind]
    path = f"{root}/{ref.api_version}/namespaces/{ref.namespace}/{plural}"
    return f"{path}/{ref.name}" if ref.name else path


def _json(body: bytes) -> dict[str, Any]:
    """Return the body as an object; {} for anything else.

    Proxies and missing routes answer in plain text.
    """
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
