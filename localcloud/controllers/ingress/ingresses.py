"""The GKE Ingress controller: from an Ingress to a load balancer that answers, and back.

It fails as the real one does: what is wrong shows as Events and as an address that never comes, an address
comes before anything answers at it, and backend health is as old as the last sync.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from localcloud.addresses import Addresses
from localcloud.controllers import object_annotations
from localcloud.controllers.certificates.ssl_certificates import SslCertificates
from localcloud.controllers.client import KubeClient
from localcloud.controllers.delays import Delays
from localcloud.controllers.events import Events
from localcloud.controllers.ingress import load_balancer, names, translation
from localcloud.controllers.ingress.fingerprints import fingerprint
from localcloud.controllers.ingress.quotas import QuotaExceeded, Quotas
from localcloud.controllers.ingress.translation import Gathered, SyncError, TranslateError, Translation
from localcloud.controllers.store import Store
from localcloud.envoy.model import Balancing
from localcloud.envoy.process import Envoy

Object = dict[str, Any]

FINALIZER = "networking.gke.io/ingress-finalizer-V2"


@dataclass(slots=True)
class Progress:
    """How far one Ingress has come. Times are monotonic."""

    translation: Translation | None = None  # the last good one
    translated_at: float = 0.0  # the first good one
    addressed_at: float = 0.0  # 0: not yet
    seen: str = ""  # fingerprint of what was last synced
    next_sync: float = 0.0
    failures: int = field(default=0)


@dataclass(frozen=True, slots=True)
class Edge:
    """What load balancers are made of."""

    addresses: Addresses
    envoy: Envoy
    certificates: SslCertificates


class Ingresses:
    """Acts on all Ingresses of the cluster."""

    def __init__(self, client: KubeClient, store: Store, edge: Edge) -> None:
        self._client = client
        self._store = store
        self._addresses = edge.addresses
        self._envoy = edge.envoy
        self._certificates = edge.certificates
        self._events = Events(client, "loadbalancer-controller")
        self._progress: dict[str, Progress] = {}  # by Ingress uid
        self.delays = Delays()
        self.quotas = Quotas()

    def reconcile(self) -> None:
        """Go once over all Ingresses: sync what changed or is due, and move the others on."""
        ingresses = {item["metadata"]["uid"]: item for item in self._store.list("ingresses")}
        for uid in [uid for uid in self._progress if uid not in ingresses]:
            self._forget(uid)
        for uid, ingress in ingresses.items():
            is_terminating = "deletionTimestamp" in ingress["metadata"]
            if object_annotations.is_gce(ingress) and not is_terminating:
                self._sync_if_due(ingress, self._progress.setdefault(uid, Progress()))
                self._move_on(ingress, self._progress[uid])
            elif FINALIZER in (ingress["metadata"].get("finalizers") or []):
                self._tear_down(ingress)

    def _sync_if_due(self, ingress: Object, progress: Progress) -> None:
        gathered = self._gather(ingress)
        seen = fingerprint(ingress, gathered)
        if seen == progress.seen and time.monotonic() < progress.next_sync:
            return
        if seen != progress.seen:
            self._events.normal(ingress, "Sync", "Scheduled for sync")
            progress.failures = 0
        progress.seen = seen
        try:
            self._ensure_finalizer(ingress)
            self._sync(ingress, progress, gathered)
        except TranslateError as error:
            self._events.warning(ingress, "Translate", f"Translation failed: invalid ingress spec: {error}")
            self._retry_later(progress)
        except QuotaExceeded as error:
            told = f"Error syncing to GCP: error running backend syncing routine: {error}"
            self._events.warning(ingress, "Sync", told)
            self._retry_later(progress)
        except SyncError as error:
            name = f"{ingress['metadata']['namespace']}/{ingress['metadata']['name']}"
            self._events.warning(
                ingress,
                "Sync",
                "Error syncing to GCP: error running load balancer syncing routine: "
                f"loadbalancer {name} does not exist: {error}",
            )
            self._retry_later(progress)

    def _sync(self, ingress: Object, progress: Progress, gathered: Gathered) -> None:
        is_first = progress.translation is None
        complete = replace(gathered, secrets=self._secrets(ingress))
        before = progress.translation
        now = translation.translate(ingress, complete, self.delays.probe_s)
        self.quotas.check(self._held(), [spec.name for spec in now.backends])
        progress.translation = now
        progress.failures = 0
        progress.next_sync = time.monotonic() + self.delays.resync_s
        if is_first:
            progress.translated_at = time.monotonic()
        if progress.addressed_at:
            self._annotate(ingress, progress.translation)
            self._report_certificates(ingress, before, progress.translation)

    def _held(self) -> list[str]:
        """Return the backend services that there are."""
        made = [each.translation for each in self._progress.values() if each.translation]
        return [spec.name for one in made for spec in one.backends]

    def _report_certificates(self, ingress: Object, before: Translation | None, now: Translation) -> None:
        lists = [load_balancer.certificate_names(ingress, one) for one in (before, now) if one]
        if lists[0] != lists[-1]:
            metadata = ingress["metadata"]
            name = names.front_end_name("ts", metadata["namespace"], metadata["name"])
            self._events.normal(ingress, "Sync", f'TargetProxy "{name}" certs updated')

    def _retry_later(self, progress: Progress) -> None:
        delay_s = min(self.delays.retry_s * 2**progress.failures, self.delays.retry_cap_s)
        progress.failures += 1
        progress.next_sync = time.monotonic() + delay_s

    def _move_on(self, ingress: Object, progress: Progress) -> None:
        """Do what is due between syncs: follow the endpoints; after a time give the address, then answers."""
        if progress.translation is None:
            return
        now, uid = time.monotonic(), ingress["metadata"]["uid"]
        if not progress.addressed_at and now - progress.translated_at >= self.delays.address_s:
            self._give_address(ingress, progress)
        address = self._addresses.lease(uid) if progress.addressed_at else ""
        is_serving = bool(address) and now - progress.addressed_at >= self.delays.serving_s
        pre_shared = progress.translation.pre_shared
        self._certificates.use(uid, pre_shared, address)
        part = Balancing()
        if is_serving:
            issued = self._certificates.served(pre_shared)
            part = load_balancer.front_ends(uid, address, progress.translation, issued)
        backends = (*self._backends(ingress, progress.translation), *part.backends)
        self._envoy.serve(f"ingress/{uid}", replace(part, backends=backends))

    def _give_address(self, ingress: Object, progress: Progress) -> None:
        metadata = ingress["metadata"]
        address = self._addresses.lease(metadata["uid"])
        self._client.patch(
            f"{_path(ingress)}/status", {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
        )
        progress.addressed_at = time.monotonic()
        for kind, code in (("UrlMap", "um"), ("TargetProxy", "ts"), ("ForwardingRule", "fs")):
            name = names.front_end_name(code, metadata["namespace"], metadata["name"])
            self._events.normal(ingress, "Sync", f'{kind} "{name}" created')
        self._events.normal(ingress, "IPChanged", f"IP is now {address}")
        if progress.translation:
            self._annotate(ingress, progress.translation)

    def _backends(self, ingress: Object, current: Translation) -> tuple[Any, ...]:
        pods = self._store.list("pods")
        found = []
        for spec in current.backends:
            service = self._store.find("services", ingress["metadata"]["namespace"], spec.service)
            if service:
                found.append(translation.backend_of(spec, service, pods))
        return tuple(found)

    def _annotate(self, ingress: Object, current: Translation) -> None:
        wanted = load_balancer.status_annotations(ingress, current, self._envoy.health())
        present = ingress["metadata"].get("annotations") or {}
        changed = {key: value for key, value in wanted.items() if present.get(key) != value}
        if changed:
            self._client.patch(_path(ingress), {"metadata": {"annotations": changed}})

    def _ensure_finalizer(self, ingress: Object) -> None:
        present = ingress["metadata"].get("finalizers") or []
        if FINALIZER not in present:
            self._client.patch(_path(ingress), {"metadata": {"finalizers": [*present, FINALIZER]}})

    def _tear_down(self, ingress: Object) -> None:
        """Free everything, then let the Ingress go; one that changed its class stays, without our traces."""
        self._forget(ingress["metadata"]["uid"])
        metadata = ingress["metadata"]
        kept = [name for name in metadata["finalizers"] if name != FINALIZER]
        traces = {load_balancer.PREFIX + key: None for key in load_balancer.STATUS_KEYS}
        if "deletionTimestamp" not in metadata:
            self._client.patch(f"{_path(ingress)}/status", {"status": {"loadBalancer": {"ingress": None}}})
        self._client.patch(_path(ingress), {"metadata": {"finalizers": kept or None, "annotations": traces}})

    def _forget(self, uid: str) -> None:
        self._envoy.serve(f"ingress/{uid}", Balancing())
        self._certificates.use(uid, (), "")
        self._addresses.release(uid)
        self._progress.pop(uid, None)

    def _gather(self, ingress: Object) -> Gathered:
        """Return what is watched. Secrets are not, there as here: they are read at a sync."""
        namespace = ingress["metadata"]["namespace"]
        return Gathered(
            services=_named(self._store.list("services"), namespace),
            backend_configs=_named(self._store.list("backendconfigs"), namespace),
            secrets={},
            ssl_certificates=self._certificates.names(),
        )

    def _secrets(self, ingress: Object) -> dict[str, Object]:
        path = f"/api/v1/namespaces/{ingress['metadata']['namespace']}/secrets"
        wanted = {name for name in translation.secret_names(ingress) if name}
        found = {name: self._client.find(f"{path}/{name}") for name in wanted}
        return {name: secret for name, secret in found.items() if secret is not None}


def _path(ingress: Object) -> str:
    metadata = ingress["metadata"]
    return f"/apis/networking.k8s.io/v1/namespaces/{metadata['namespace']}/ingresses/{metadata['name']}"


def _named(items: list[Object], namespace: str) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in items if item["metadata"]["namespace"] == namespace}
