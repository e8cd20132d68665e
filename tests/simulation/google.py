"""What Google does with the cluster's objects, and what a client then sees: controllers, edge, public DNS."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from milvus_l7.domain.certificates.key_pair import CertificateView, KeyPair, invalid
from milvus_l7.domain.dns.diagnosis import CaaRecords
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.domain.release import user_yaml
from milvus_l7.domain.text.untrusted import mapping
from milvus_l7.ports import Endpoint, ObjectRef, Resolved, ServedCertificate
from tests.fakes.state import START
from tests.simulation.cluster import NAMESPACE, SITES, Json, SimKube

FINALIZER = "networking.gke.io/ingress-finalizer-V2"
NEG = "k8s1-neg"


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
    """They act at once when something was written: for Ingresses, NEGs, ManagedCertificates, Layer 4."""

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
            elif ref.kind == "Service":
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
        address = next(site.layer_4 for site in SITES if site.service == ref.name)
        ingress = [{"ip": address}] if live["spec"].get("type") == "LoadBalancer" else []
        self.kube.stored[ref] = {**live, "status": {"loadBalancer": {"ingress": ingress}}}

    def _managed(self, ref: ObjectRef, live: Json) -> None:
        attached = [
            name
            for other, live in self.kube.stored.items()
            if other.kind == "Ingress"
            for name in self._certificates_of(live)
        ]
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
            live = self.kube.stored.get(ObjectRef(*kinds.MANAGED_CERTIFICATE, NAMESPACE, name))
            if live and endpoint.domain in live["spec"]["domains"] and "status" in live:
                return ServedCertificate(f"of-{name}", tuple(live["spec"]["domains"]))
        for entry in ingress["spec"].get("tls", []):
            secret = self.kube.stored.get(ObjectRef(*kinds.SECRET, NAMESPACE, entry["secretName"]))
            der = der_of(base64.b64decode(secret["data"]["tls.crt"]).decode()) if secret else None
            if der is not None and json.loads(der)[1] == endpoint.domain:
                return ServedCertificate(hashlib.sha256(der).hexdigest(), (endpoint.domain,), "self-signed")
        raise Transient(Reason.TLS_NOT_SERVED, "no certificate")

    def milvus_version(self, endpoint: Endpoint, *, deep: bool) -> str:
        ingress = self._ingress(endpoint)
        service = ingress["metadata"]["name"]
        if (
            endpoint.domain not in hosts(ingress)
            or not self._has_tls(service)
            or not runs(self.kube, service)
        ):
            raise Transient(Reason.MILVUS_UNREACHABLE, "upstream reset")
        return "v2.6.15"

    def plaintext_version(self, address: str, port: int) -> str:
        site = next((site for site in SITES if site.layer_4 == address), None)
        if site is None or self._has_tls(site.service) or not runs(self.kube, site.service):
            raise Transient(Reason.PLAINTEXT_UNREACHABLE, "refused")
        return "v2.6.15"

    def _has_tls(self, service: str) -> bool:
        config = self.kube.stored[ObjectRef(*kinds.CONFIG_MAP, NAMESPACE, service)]
        return not user_yaml.merge(config["data"]["user.yaml"]).changes

    def _ingress(self, endpoint: Endpoint) -> Json:
        found = (live for live in ingresses(self.kube) if endpoint.address in addresses(live))
        live = next(found, None)
        if live is None:
            raise Transient(Reason.TLS_NOT_SERVED, "nothing there")
        return live


@dataclass
class SimResolver:
    """Public DNS, in which every domain leads to the load balancer that serves it."""

    kube: SimKube

    def resolve(self, domain: str) -> Resolved:
        serving = (live for live in ingresses(self.kube) if domain in hosts(live))
        return Resolved(tuple(address for live in serving for address in addresses(live)))

    def caa(self, domain: str) -> CaaRecords:
        return CaaRecords()


def runs(kube: SimKube, service: str) -> bool:
    """Return whether Milvus' Pods run with their present configuration."""
    deployment = kube.stored[ObjectRef(*kinds.DEPLOYMENT, NAMESPACE, f"{service}-standalone")]
    return bool(deployment["status"]["availableReplicas"])


def ingresses(kube: SimKube) -> Iterator[Json]:
    """Yield the Ingresses that there are."""
    return (live for ref, live in kube.stored.items() if ref.kind == "Ingress")


def addresses(ingress: Json) -> list[str]:
    """Return the addresses of an Ingress' load balancer."""
    return [each["ip"] for each in mapping(ingress, "status", "loadBalancer").get("ingress") or []]


def hosts(ingress: Json) -> list[str]:
    """Return the domains that an Ingress serves."""
    return [rule["host"] for rule in mapping(ingress, "spec").get("rules", [])]
