"""The GKE Ingress controller: from an Ingress to a load balancer that answers, and back.

It fails as the real one does: what is wrong shows as Events and as an address that never comes, an address
comes before anything answers at it, and backend health is as old as the last sync.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from localcloud.addresses import Addresses
from localcloud.controllers import object_annotations
from localcloud.controllers.certificates.ssl_certificates import SslCertificates
from localcloud.controllers.client import KubeClient
from localcloud.controllers.delays import Delays
from localcloud.controllers.events import Events
from localcloud.controllers.ingress import load_balancer, names, negs, translation
from localcloud.controllers.ingress.fingerprints import fingerprint
from localcloud.controllers.ingress.quotas import Quotas
from localcloud.controllers.ingress.translation import (
    FrontEndError,
    Gathered,
    Quota,
    SyncError,
    TranslateError,
    Translation,
)
from localcloud.controllers.quirks import Quirks
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
    failures: int = 0
    version: str = ""  # of the Ingress, when a sync of it was last announced
    has_raced: bool = False  # see `Quirks.neg_race`
    has_raced_for_quota: bool = False  # see `Quirks.quota_race`


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
        self._events = Events(client, "loadbalancer-controller", lambda: self.quirks.event_refill_s)
        self._progress: dict[str, Progress] = {}  # by Ingress uid
        self.delays = Delays()
        self.quotas = Quotas()
        self.quirks = Quirks()

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
        seen, version = fingerprint(ingress, gathered), ingress["metadata"].get("resourceVersion", "")
        is_due = time.monotonic() >= progress.next_sync
        is_resync = is_due and not progress.failures
        if version != progress.version or is_resync:
            # Said of every change of the Ingress and of every resync, but not of another try, nor of a change
            # of what it refers to.
            self._events.normal(ingress, "Sync", "Scheduled for sync")
        progress.version = version
        if seen == progress.seen and not is_due:
            return
        if seen != progress.seen:
            progress.failures = 0
        progress.seen = seen
        try:
            self._ensure_finalizer(ingress)
            self._sync(ingress, progress, gathered)
        except TranslateError as error:
            self._events.warning(ingress, "Translate", f"Translation failed: invalid ingress spec: {error}")
            self._retry_later(progress)
        except SyncError as error:
            self._events.warning(ingress, "Sync", f"Error syncing to GCP: {_told(ingress, error)}")
            self._retry_later(progress)

    def _sync(self, ingress: Object, progress: Progress, gathered: Gathered) -> None:
        has_lost = self.quirks.quota_race and not progress.has_raced_for_quota
        quota = replace(gathered.quota, left=0) if has_lost else gathered.quota
        complete = replace(gathered, secrets=self._secrets(ingress), quota=quota)
        try:
            now = translation.translate(ingress, complete, self.delays.probe_s)
        except FrontEndError as error:
            progress.has_raced_for_quota = True
            self._check_backends(error.translation, gathered, progress)
            self._apply_partly(ingress, progress, error.translation)
            raise
        self._check_backends(now, gathered, progress)
        self._apply(ingress, progress, now)
        progress.failures = 0
        progress.next_sync = time.monotonic() + self.delays.resync_s
        progress.translated_at = progress.translated_at or time.monotonic()
        if progress.addressed_at:
            self._annotate(ingress, now)

    def _check_backends(self, now: Translation, gathered: Gathered, progress: Progress) -> None:
        """Raise `BackendError` if a backend service cannot be made, or not linked to its group yet."""
        self.quotas.check(self._held(), [spec.name for spec in now.backends])
        for spec in now.backends:
            group = negs.recorded(gathered.services[spec.service], spec.port["port"])
            is_early = group is None or not progress.has_raced
            if self.quirks.neg_race and spec.has_neg and is_early:
                progress.has_raced = True
                raise translation.missing_neg(spec.name)

    def _apply_partly(self, ingress: Object, progress: Progress, made: Translation) -> None:
        """Take over what is made before the part that fails; the first time nothing is to be seen of it."""
        before = progress.translation
        if before is None:
            return
        # Certificates and front ends stay as they were.
        self._apply(ingress, progress, replace(before, backends=made.backends, routes=made.routes))

    def _apply(self, ingress: Object, progress: Progress, now: Translation) -> None:
        before, progress.translation = progress.translation, now
        if progress.addressed_at and before is not None:
            self._report_changes(ingress, before, now)
        self._certificates.count(ingress["metadata"]["uid"], len(now.certificates))

    def _held(self) -> list[str]:
        """Return the backend services that there are."""
        made = [each.translation for each in self._progress.values() if each.translation]
        return [spec.name for one in made for spec in one.backends]

    def _report_changes(self, ingress: Object, before: Translation | None, now: Translation) -> None:
        """Report what was made or changed of the load balancer; the first time, all of it."""
        present = load_balancer.resources(ingress, before) if before else {}
        made = load_balancer.resources(ingress, now)
        for key, name in made.items():
            if key not in present:
                self._report(ingress, load_balancer.RESOURCES[key], name, "created")
        if before and before.routes != now.routes:
            self._report(ingress, "UrlMap", made["url-map"], "updated")
        lists = [load_balancer.certificate_names(ingress, one) for one in (before, now) if one]
        if "https-target-proxy" in present and lists[0] != lists[-1] and lists[-1]:
            self._report(ingress, "TargetProxy", present["https-target-proxy"], "certs updated")

    def _report(self, ingress: Object, kind: str, name: str, what: str) -> None:
        self._events.normal(ingress, "Sync", f'{kind} "{name}" {what}')

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
        if progress.translation:
            self._report_changes(ingress, None, progress.translation)
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
        present = object_annotations.of(ingress)
        changed = {key: value for key, value in wanted.items() if present.get(key) != value}
        if changed:
            self._client.patch(_path(ingress), {"metadata": {"annotations": changed}})

    def _ensure_finalizer(self, ingress: Object) -> None:
        present = ingress["metadata"].get("finalizers") or []
        if FINALIZER not in present:
            self._client.patch(_path(ingress), {"metadata": {"finalizers": [*present, FINALIZER]}})

    def _tear_down(self, ingress: Object) -> None:
        """Free everything, then let the Ingress go.

        One that changed its class stays, with the address in its status and all that was annotated.
        """
        self._forget(ingress["metadata"]["uid"])
        kept = [name for name in ingress["metadata"]["finalizers"] if name != FINALIZER]
        self._client.patch(_path(ingress), {"metadata": {"finalizers": kept or None}})

    def _forget(self, uid: str) -> None:
        self._envoy.serve(f"ingress/{uid}", Balancing())
        self._certificates.use(uid, (), "")
        self._certificates.count(uid, 0)
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
            quota=Quota(self._certificates.limit, self._certificates.left(ingress["metadata"]["uid"])),
        )

    def _secrets(self, ingress: Object) -> dict[str, Object]:
        path = f"/api/v1/namespaces/{ingress['metadata']['namespace']}/secrets"
        wanted = {name for name in translation.secret_names(ingress) if name}
        found = {name: self._client.find(f"{path}/{name}") for name in wanted}
        return {name: secret for name, secret in found.items() if secret is not None}


def _told(ingress: Object, error: SyncError) -> str:
    """Return the error as the controller wraps it."""
    metadata = ingress["metadata"]
    which = names.load_balancer_id(metadata["namespace"], metadata["name"])
    wrapped = f"loadbalancer {which} does not exist: {error}" if error.names_load_balancer else str(error)
    return f"error running {error.routine} syncing routine: {wrapped}"


def _path(ingress: Object) -> str:
    metadata = ingress["metadata"]
    return f"/apis/networking.k8s.io/v1/namespaces/{metadata['namespace']}/ingresses/{metadata['name']}"


def _named(items: list[Object], namespace: str) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in items if item["metadata"]["namespace"] == namespace}
