"""The ManagedCertificate controller: SslCertificates from ManagedCertificates, and their names on Ingresses.

Follows GoogleCloudPlatform/gke-managed-certs `pkg/controller/sync/sync.go`, traps included: an Ingress with
one name that does not exist is left alone altogether; a name that leaves the annotation stays attached; other
domains mean that the certificate is deleted first and made anew after.
"""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass

from localcloud.controllers import object_annotations
from localcloud.controllers.certificates.ssl_certificates import (
    InUse,
    QuotaUsedUp,
    Refused,
    SslCertificate,
    SslCertificates,
)
from localcloud.controllers.client import KubeClient, Object
from localcloud.controllers.delays import Delays
from localcloud.controllers.events import Events
from localcloud.controllers.quirks import Quirks
from localcloud.controllers.store import Store

Key = tuple[str, str]  # namespace, name


@dataclass(slots=True)
class Entry:
    """What the real controller keeps in ConfigMap kube-system/managed-certificate-config."""

    ssl_certificate: str
    is_soft_deleted: bool = False


class ManagedCertificates:
    """Acts on all ManagedCertificates, and on the annotations of all Ingresses, of the cluster."""

    def __init__(self, client: KubeClient, store: Store, certificates: SslCertificates) -> None:
        self._client = client
        self._store = store
        self._certificates = certificates
        self._events = Events(client, "managed-certificate-controller", lambda: self.quirks.event_refill_s)
        self._entries: dict[Key, Entry] = {}
        self._warned_at: dict[Key, float] = {}  # Ingress -> when it was told what is missing
        self._due_at: dict[Key, float] = {}  # ManagedCertificate -> when its creation is tried again
        self._attached: dict[
            Key, tuple[str | None, float]
        ] = {}  # Ingress -> version and time of its last sync
        self.delays = Delays()
        self.quirks = Quirks()

    def reconcile(self) -> None:
        """Go once over all ManagedCertificates, then over all Ingresses."""
        self._certificates.advance()
        present = {_key(item): item for item in self._store.list("managedcertificates")}
        if self.quirks.separate_queues:
            self._attach_all(present)
            self._sync_all(present)
        else:
            self._sync_all(present)
            self._attach_all(present)

    def _sync_all(self, present: dict[Key, Object]) -> None:
        for key in self._entries.keys() - present.keys():
            self._delete(key, None)
        for key, item in present.items():
            self._sync(key, item)

    def _attach_all(self, present: dict[Key, Object]) -> None:
        for ingress in self._store.list("ingresses"):
            is_ours = object_annotations.is_gce(ingress) and "deletionTimestamp" not in ingress["metadata"]
            if is_ours and self._is_queued(ingress):
                self._attach(ingress, present)

    def _is_queued(self, ingress: Object) -> bool:
        """Return whether the Ingress has changed, or its resync is due; with one queue for all, always."""
        if not self.quirks.separate_queues:
            return True
        key, version = _key(ingress), ingress["metadata"].get("resourceVersion")
        last, at = self._attached.get(key, (None, 0.0))
        if version == last and time.monotonic() - at < self.delays.resync_s:
            return False
        self._attached[key] = (version, time.monotonic())
        return True

    def _sync(self, key: Key, item: Object) -> None:
        entry = self._entries.setdefault(key, Entry(_new_name()))
        if entry.is_soft_deleted:
            self._delete(key, item)
            return
        domains = tuple(item["spec"].get("domains") or ())
        found = self._certificates.find(entry.ssl_certificate)
        if found is None:
            found = self._create(key, item, domains)
        if found is not None and found.domains != domains:
            self._delete(key, item)
        elif found is not None:
            self._copy_status(item, found)

    def _create(self, key: Key, item: Object, domains: tuple[str, ...]) -> SslCertificate | None:
        """Make the SslCertificate; None if Compute Engine refuses, which only an Event tells."""
        name = self._entries[key].ssl_certificate
        if not self._is_due(key, self.delays.retry_cap_s):
            return None
        try:
            self._certificates.create(name, domains)
        except QuotaUsedUp as error:
            self._events.warning(item, "TooManyCertificates", str(error))
            return None
        except Refused as error:
            self._events.warning(item, "BackendError", str(error))
            return None
        self._due_at.pop(key, None)
        self._events.normal(item, "Create", f"Create SslCertificate {name}")
        return self._certificates.find(name)

    def _is_due(self, key: Key, period_s: float) -> bool:
        """Return whether the work queue lets the object through, which is then back only after the period."""
        if time.monotonic() < self._due_at.get(key, 0.0):
            return False
        self._due_at[key] = time.monotonic() + period_s
        return True

    def _delete(self, key: Key, item: Object | None) -> None:
        """Delete the SslCertificate, for which it must first have left every Ingress.

        Of an object that is still there it is made again, under the same name.
        """
        entry = self._entries[key]
        is_first = not entry.is_soft_deleted
        entry.is_soft_deleted = True
        try:
            self._certificates.delete(entry.ssl_certificate)
        except InUse as error:
            if item is not None and is_first:
                self._events.warning(item, "BackendError", str(error))
            return
        if item is None:
            del self._entries[key]
            return
        self._events.normal(item, "Delete", f"Delete SslCertificate {entry.ssl_certificate}")
        entry.is_soft_deleted = False

    def _copy_status(self, item: Object, found: SslCertificate) -> None:
        domains = [{"domain": name, "status": str(state)} for name, state in found.domain_status.items()]
        status: Object = {
            "certificateName": found.name,
            "certificateStatus": str(found.status),
            "domainStatus": domains,
        }
        if found.issued is not None:
            status["expireTime"] = found.issued.not_after.strftime("%Y-%m-%dT%H:%M:%SZ")
        if item.get("status") != status:
            namespace, name = _key(item)
            path = f"/apis/networking.gke.io/v1/namespaces/{namespace}/managedcertificates/{name}"
            self._client.patch(path, {"status": status})

    def _attach(self, ingress: Object, present: dict[Key, Object]) -> None:
        namespace, name = _key(ingress)
        found = object_annotations.of(ingress)
        wanted = set(object_annotations.listed(found.get(object_annotations.MANAGED_CERTIFICATES)))
        missing = sorted(one for one in wanted if (namespace, one) not in present)
        if missing:
            self._warn(ingress, missing[0])
            return
        attached = set(object_annotations.listed(found.get(object_annotations.PRE_SHARED_CERT)))
        for (owner, managed), entry in self._entries.items():
            if owner == namespace and entry.is_soft_deleted:
                attached.discard(entry.ssl_certificate)
            elif owner == namespace and managed in wanted:
                attached.add(entry.ssl_certificate)
        value = ",".join(sorted(attached))
        if value != found.get(object_annotations.PRE_SHARED_CERT, ""):
            path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}"
            changed = {object_annotations.PRE_SHARED_CERT: value}
            self._client.patch(path, {"metadata": {"annotations": changed}})

    def _warn(self, ingress: Object, missing: str) -> None:
        """Report the missing one, once each `resync_s`: there the work queue backs off."""
        key = _key(ingress)
        if time.monotonic() - self._warned_at.get(key, -self.delays.resync_s) >= self.delays.resync_s:
            self._warned_at[key] = time.monotonic()
            self._events.warning(
                ingress, "MissingCertificate", f"ManagedCertificate {key[0]}:{missing} missing"
            )


def _new_name() -> str:
    """Return `mcrt-<uuid>`, each one sorting after those before it.

    Real ones are random, and pre-shared-cert is sorted, so which of two certificates is served for a domain
    that both have is a matter of luck there. Here it is always the older one: the harder case.
    """
    return f"mcrt-{uuid.UUID(int=time.time_ns() << 64 | secrets.randbits(64), version=4)}"


def _key(item: Object) -> Key:
    metadata = item["metadata"]
    return metadata["namespace"], metadata["name"]
