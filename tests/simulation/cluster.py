"""A GKE cluster in memory, with its controllers and Helm: fields have owners, calls can be cut anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from milvus_l7.domain.certificates.key_pair import CertificateView, KeyPair, invalid
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.domain.release import helm_values, restoration, user_yaml
from milvus_l7.domain.text.untrusted import mapping, text
from milvus_l7.ports import Endpoint, ObjectRef, Release, Rendering, Resolved, ServedCertificate, ValuesChange
from milvus_l7.ports.release import BeforeWrite, proceed
from tests.fakes.kube_objects import FakeKubeObjects
from tests.fakes.state import START

Json = dict[str, Any]
LABELS = {"app.kubernetes.io/instance": "my-release", "app.kubernetes.io/name": "milvus"}
DEFAULTS = {
    "service": {"type": "ClusterIP", "portName": "milvus"},
    "extraConfigFiles": {"user.yaml": "# none\n"},
}
CHOSEN = {"service": {"type": "LoadBalancer"}, "extraConfigFiles": {"user.yaml": "log: {level: info}\n"}}
SERVICE = "my-release-milvus"
INGRESS = ObjectRef("networking.k8s.io/v1", "Ingress", "default", SERVICE)
LAYER_4 = "198.51.100.7"
FINALIZER = "networking.gke.io/ingress-finalizer-V2"
NEG = "k8s1-neg"


@dataclass
class SimKube(FakeKubeObjects):
    """The API server. `on_write` is told of every write when it lands."""

    on_write: Callable[[str], None] = lambda what: None

    is_dirty: bool = True  # something was written since the controllers looked last

    def _store(self, ref: ObjectRef, manifest: Json) -> None:
        super()._store(ref, manifest)
        self.is_dirty = True

    def delete(self, live: Any) -> None:
        self.is_dirty = True
        super().delete(live)

    def landed(self, what: str) -> None:
        self.on_write(what)


@dataclass
class SimHelm:
    """Helm's releases and what it writes onto live objects, in steps between which it may be killed."""

    kube: SimKube
    step: Callable[[str], None]
    revisions: list[Release] = field(default_factory=list)

    def install(self) -> None:
        plain = Release("my-release", "default", 1, "deployed", "milvus", CHOSEN, DEFAULTS, updated_at=START)
        self.revisions = [plain]
        self._write(plain)

    def get(self, name: str, revision: int | None = None) -> Release | None:
        found = [r for r in self.revisions if revision in (None, r.revision)]
        if not found or name != "my-release":
            return None
        base = next((r for r in reversed(found) if r.status == "deployed"), found[-1])
        return replace(found[-1], values=base.values)

    def names(self) -> list[str]:
        return ["my-release"]

    def render_upgrade(self, release: Release, change: ValuesChange) -> Rendering:
        after = replace(release, values=_changed(release, change))
        return Rendering(_rendered(self._deployed()), _rendered(after))

    def upgrade(self, release: Release, change: ValuesChange, before_write: BeforeWrite = proceed) -> Release:
        before_write()
        if self.revisions[-1].status.startswith("pending-"):
            raise Transient(Reason.RELEASE_BUSY, "another operation is in progress")
        if release.revision != self.revisions[-1].revision:
            raise Transient(Reason.RELEASE_BUSY, "the release has just been changed")
        base = self._deployed()
        pending = replace(
            release,
            revision=release.revision + 1,
            status="pending-upgrade",
            values=_changed(release, change),
            upgraded_from=base.revision,
        )
        return self._roll(pending)

    def recover(self, release: Release, before_write: BeforeWrite = proceed) -> Release | None:
        before_write()
        base = self._deployed()
        number = self.revisions[-1].revision + 1
        self._roll(replace(base, revision=number, status="pending-rollback", upgraded_from=None))

    def _roll(self, pending: Release) -> Release:
        self.kube.landed(f"helm revision {pending.revision}")
        self.revisions.append(pending)
        self.step("helm: the revision is pending")
        self.kube.landed("helm objects")
        self._write(pending)
        self.step("helm: the objects are written")
        if self.revisions[-1] is not pending:
            raise Transient(Reason.HELM_FAILED, "the release has been changed by another client")
        self.kube.landed("helm deployed")
        self.revisions = [
            replace(r, status="superseded") if r.status == "deployed" else r for r in self.revisions[:-1]
        ]
        self.revisions.append(replace(pending, status="deployed"))
        return self.revisions[-1]

    def _deployed(self) -> Release:
        return next(r for r in reversed(self.revisions) if r.status == "deployed")

    def _write(self, release: Release) -> None:
        for manifest in _rendered(release):
            self.kube.apply(manifest, force=True, manager="helm")


def _changed(release: Release, change: ValuesChange) -> Json:
    return restoration.without(helm_values.overlaid(release.values, change.values), change.removals)


def _rendered(release: Release) -> list[Json]:
    values = helm_values.merged(release.chart_values, release.values)
    metadata = {"namespace": "default", "name": SERVICE, "labels": {**LABELS, "component": "standalone"}}
    port = {"name": "milvus", "port": 19530, "targetPort": "milvus"}
    spec = {"type": mapping(values, "service").get("type"), "ports": [port]}
    spec["selector"] = {"component": "standalone"}
    data = {"user.yaml": text(mapping(values, "extraConfigFiles").get("user.yaml"))}
    config = {"namespace": "default", "name": SERVICE}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": config, "data": data},
    ]


@dataclass
class SimCertificates:
    """Pairs whose certificates say what they are for, as base64 in PEM."""

    issued: int = 0

    def issue(self, domain: str, validity_days: int, now: datetime) -> KeyPair:
        self.issued += 1
        until = (now + timedelta(days=min(validity_days, 3000))).isoformat()
        der = json.dumps([self.issued, domain, until]).encode()
        pem = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
        return KeyPair(f"key-{self.issued}", pem)

    def inspect(self, pair: KeyPair) -> CertificateView:
        der = der_of(pair.certificate_pem)
        if der is None:
            raise invalid("garbage")
        number, domain, until = json.loads(der)
        fits = pair.key_pem == f"key-{number}"
        ends = datetime.fromisoformat(until)
        return CertificateView(
            hashlib.sha256(der).hexdigest(),
            (domain,),
            START - timedelta(days=1),
            ends,
            fits,
            pair.certificate_pem,
        )


def der_of(pem: str) -> bytes | None:
    lines = pem.strip().splitlines()
    return base64.b64decode(lines[1]) if len(lines) == 3 else None


@dataclass
class Controllers:
    """Google's controllers, which act at once when asked to: Ingress, NEGs, ManagedCertificates, Layer 4."""

    kube: SimKube
    addresses: int = 0

    def act(self) -> None:
        """Do what is left to do, until nothing is."""
        while self.kube.is_dirty:
            self.kube.is_dirty = False
            self._look()

    def _look(self) -> None:
        for ref in list(self.kube.stored):
            live = self.kube.stored[ref]
            if ref.kind == "Ingress":
                self._ingress(ref, live)
            elif ref.kind == "Service" and ref.name == SERVICE:
                self._service(ref, live)
        for ref in list(self.kube.stored):
            if ref.kind == "ManagedCertificate":
                self._managed(ref, self.kube.stored[ref])

    def _ingress(self, ref: ObjectRef, live: Json) -> None:
        if live["metadata"].get("deletionTimestamp"):
            del self.kube.stored[ref], self.kube.owners[ref]
            self.kube.is_dirty = True
            return
        if FINALIZER not in live["metadata"].get("finalizers", []):
            self.addresses += 1
            status = {"loadBalancer": {"ingress": [{"ip": f"203.0.113.{self.addresses % 250}"}]}}
            report = json.dumps({NEG: "HEALTHY"})
            annotations = {
                **live["metadata"].get("annotations", {}),
                "ingress.kubernetes.io/backends": report,
            }
            self._put(ref, {**live, "status": status}, annotations, [FINALIZER])
        else:
            self._load(ref, live)

    def _load(self, ref: ObjectRef, live: Json) -> None:
        """Give the load balancer the certificates that the Ingress names, and say so."""
        managed = [f"mcrt-{name}" for name in self._certificates_of(live)]
        secrets = [f"k8s-{entry['secretName']}" for entry in live["spec"].get("tls", [])]
        said = {
            "ingress.gcp.kubernetes.io/pre-shared-cert": ",".join(managed),
            "ingress.kubernetes.io/ssl-cert": ",".join((*managed, *secrets)),
        }
        annotations = live["metadata"]["annotations"]
        if any(annotations.get(key) != value for key, value in said.items()):
            self._put(ref, live, {**annotations, **said}, live["metadata"]["finalizers"])

    def _service(self, ref: ObjectRef, live: Json) -> None:
        annotations = live["metadata"].get("annotations", {})
        status = {"network_endpoint_groups": {"19530": NEG}}
        if "cloud.google.com/neg" in annotations and "cloud.google.com/neg-status" not in annotations:
            extra = {"cloud.google.com/neg-status": json.dumps(status)}
            self._put(ref, live, {**annotations, **extra}, None)
        live = self.kube.stored[ref]
        ingress = [{"ip": LAYER_4}] if live["spec"].get("type") == "LoadBalancer" else []
        self.kube.stored[ref] = {**live, "status": {"loadBalancer": {"ingress": ingress}}}

    def _managed(self, ref: ObjectRef, live: Json) -> None:
        attached = self._certificates_of(self.kube.stored.get(INGRESS) or {})
        if ref.name in attached and "status" not in live:
            domains = [{"domain": each, "status": "Active"} for each in live["spec"]["domains"]]
            status = {"certificateStatus": "Active", "certificateName": f"mcrt-{ref.name}"}
            self.kube.stored[ref] = {**live, "status": {**status, "domainStatus": domains}}

    def _certificates_of(self, ingress: Json) -> list[str]:
        named = mapping(ingress, "metadata", "annotations").get("networking.gke.io/managed-certificates", "")
        return [each for each in named.split(",") if each]

    def _put(self, ref: ObjectRef, live: Json, annotations: Json, finalizers: list[str] | None) -> None:
        metadata = {**live["metadata"], "annotations": annotations}
        if finalizers is not None:
            metadata["finalizers"] = finalizers
        metadata.pop("resourceVersion")
        self.kube._store(ref, {**live, "metadata": metadata})
        known = self.kube.owners[ref]
        for key in annotations:
            known.setdefault(("metadata", "annotations", key), {"controller"})
        known.setdefault(("metadata", "finalizers"), {"controller"})


@dataclass
class SimProbe:
    """A client of the load balancer, which serves what the Ingress and its certificates say."""

    kube: SimKube

    def served_certificate(self, endpoint: Endpoint) -> ServedCertificate:
        ingress = self._ingress(endpoint)
        managed = mapping(ingress, "metadata", "annotations").get(
            "networking.gke.io/managed-certificates", ""
        )
        for name in managed.split(","):
            live = self.kube.stored.get(
                ObjectRef("networking.gke.io/v1", "ManagedCertificate", "default", name)
            )
            if live and endpoint.domain in live["spec"]["domains"] and "status" in live:
                return ServedCertificate(
                    f"of-{name}", tuple(live["spec"]["domains"]), START + timedelta(days=90)
                )
        for entry in ingress["spec"].get("tls", []):
            secret = self.kube.stored.get(ObjectRef("v1", "Secret", "default", entry["secretName"]))
            der = der_of(base64.b64decode(secret["data"]["tls.crt"]).decode()) if secret else None
            if der is not None and json.loads(der)[1] == endpoint.domain:
                return ServedCertificate(
                    hashlib.sha256(der).hexdigest(), (endpoint.domain,), START + timedelta(days=90)
                )
        raise Transient(Reason.TLS_NOT_SERVED, "no certificate")

    def milvus_version(self, endpoint: Endpoint, *, deep: bool) -> str:
        ingress = self._ingress(endpoint)
        hosts = [rule["host"] for rule in ingress["spec"]["rules"]]
        if endpoint.domain not in hosts or not self._has_tls():
            raise Transient(Reason.MILVUS_UNREACHABLE, "upstream reset")
        return "v2.6.15"

    def plaintext_version(self, address: str, port: int) -> str:
        if address != LAYER_4 or self._has_tls():
            raise Transient(Reason.PLAINTEXT_UNREACHABLE, "refused")
        return "v2.6.15"

    def _has_tls(self) -> bool:
        config = self.kube.stored[ObjectRef("v1", "ConfigMap", "default", SERVICE)]
        return not user_yaml.merge(config["data"]["user.yaml"]).changes

    def _ingress(self, endpoint: Endpoint) -> Json:
        live = self.kube.stored.get(INGRESS)
        addresses = mapping(live, "status", "loadBalancer").get("ingress") or [{}]
        if live is None or addresses[0].get("ip") != endpoint.address:
            raise Transient(Reason.TLS_NOT_SERVED, "nothing there")
        return live


@dataclass
class SimResolver:
    """Public DNS, in which every domain leads to the load balancer that there is."""

    kube: SimKube

    def resolve(self, domain: str) -> Resolved:
        addresses = mapping(self.kube.stored.get(INGRESS), "status", "loadBalancer").get("ingress") or []
        return Resolved(tuple(each["ip"] for each in addresses))

    def caa(self, domain: str) -> Any:
        from milvus_l7.domain.dns.diagnosis import CaaRecords

        return CaaRecords()
