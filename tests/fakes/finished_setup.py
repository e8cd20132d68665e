"""A setup whose work is done: the cluster, load balancer and DNS of one, to be spoilt by tests."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from milvus_l7.domain.certificates.key_pair import CertificateView, KeyPair, invalid
from milvus_l7.domain.frontend import backend_health, service_annotations
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import CertificateFacts, Facts, ServiceFacts
from milvus_l7.domain.setup.outcome import Outcome
from milvus_l7.ports import ObjectRef, Resolved
from tests.builders import new_setup
from tests.fakes.endpoint import FakeEndpointProbe
from tests.fakes.kube_objects import FakeKubeObjects, OneCluster
from tests.fakes.ports import stage
from tests.fakes.resolver import FakeResolver
from tests.fakes.state import START

SERVICE = ServiceFacts("my-release-milvus", "milvus", 19530)
ADDRESS = "192.0.2.1"
DOMAIN = "my-release.milvus.io"
NEG = "k8s1-0123abcd-default-my-release-milvus-19530-89abcdef"
DER = b"a certificate"
SHA256 = hashlib.sha256(DER).hexdigest()
PEM = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(DER).decode()}\n-----END CERTIFICATE-----\n"
FACTS = Facts(
    service=SERVICE,
    certificate=CertificateFacts("my-release-milvus-tls", PEM, SHA256, START + timedelta(days=99)),
    address=ADDRESS,
)
APP_PROTOCOLS = service_annotations.APP_PROTOCOLS


def manifest(
    api_version: str, kind: str, name: str, annotations: dict[str, Any] | None = None
) -> dict[str, Any]:
    texts = {key: json.dumps(value) for key, value in (annotations or {}).items()}
    metadata = {"namespace": "default", "name": name, "annotations": texts}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


@dataclass
class GoodPairs:
    """Takes every key and certificate for a pair that is in date, but those that are nonsense."""

    def inspect(self, pair: KeyPair) -> CertificateView:
        if pair.certificate_pem == "nonsense":
            raise invalid("tls.crt holds no certificate in PEM, or a broken one")
        return CertificateView(
            SHA256, (DOMAIN,), START, START + timedelta(days=99), True, pair.certificate_pem
        )


@dataclass
class World:
    """A finished setup with a certificate of our own, in which one thing or another is then changed."""

    kube: FakeKubeObjects = field(default_factory=FakeKubeObjects)
    probe: FakeEndpointProbe = field(default_factory=lambda: FakeEndpointProbe(SHA256))
    resolver: FakeResolver = field(default_factory=lambda: FakeResolver({DOMAIN: Resolved((ADDRESS,))}))

    def __post_init__(self) -> None:
        self.put_secret(PEM)
        self.put_service({"milvus": "HTTP2"})
        self.put_ingress("HEALTHY")
        self.put_deployment()

    def put_secret(self, pem: str) -> None:
        self.put_pair("my-release-milvus-tls", pem)

    def put_pair(self, name: str, pem: str) -> None:
        pair = {"tls.crt": pem, "tls.key": "its key"}
        entries = {key: base64.b64encode(text.encode()).decode() for key, text in pair.items()}
        self.kube.put({**manifest("v1", "Secret", name), "type": "kubernetes.io/tls", "data": entries})

    def put_service(self, protocols: dict[str, str], name: str = "") -> None:
        groups = {"network_endpoint_groups": {"19530": NEG}}
        annotations = {backend_health.NEG_STATUS: groups, APP_PROTOCOLS: protocols}
        service = manifest("v1", "Service", SERVICE.name, annotations)
        selector = {"component": "proxy"} | ({"app.kubernetes.io/name": name} if name else {})
        self.kube.put({**service, "spec": {"selector": selector}})

    def put_deployment(self, available: int = 1, release: str = "my-release") -> None:
        """The Deployment of a release with one Pod."""
        found = manifest("apps/v1", "Deployment", f"{release}-milvus-proxy")
        found["metadata"]["labels"] = {"app.kubernetes.io/instance": release}
        counts = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": available}
        self.kube.put({**found, "spec": {"replicas": 1}, "status": counts})

    def crash_pod(self) -> None:
        """A Pod of the release in a crash loop, which holds up its roll-out."""
        self.put_deployment(available=0)
        pod = manifest("v1", "Pod", "my-release-milvus-1")
        pod["metadata"]["labels"] = {"app.kubernetes.io/instance": "my-release"}
        container = {"name": "proxy", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
        self.kube.put({**pod, "status": {"containerStatuses": [container]}})

    def put_pod(self, ready: str, component: str = "proxy") -> None:
        pod = manifest("v1", "Pod", "my-release-milvus-0")
        pod["metadata"]["labels"] = {"component": component}
        self.kube.put({**pod, "status": {"conditions": [{"type": "Ready", "status": ready}]}})

    def warn(self, reason: str, message: str, kind: str = "Ingress") -> None:
        self.happens("Warning", reason, message, kind)

    def happens(self, event_type: str, reason: str, message: str, kind: str = "Ingress") -> None:
        about = {"kind": kind, "name": SERVICE.name}
        self.kube.happened.append(
            {"type": event_type, "reason": reason, "message": message, "involvedObject": about}
        )

    @property
    def ingress(self) -> dict[str, Any]:
        (found,) = [o for ref, o in self.kube.stored.items() if ref.kind == "Ingress"]
        return found

    def put_ingress(self, state: str, address: str = ADDRESS) -> None:
        ingress = manifest(
            "networking.k8s.io/v1", "Ingress", SERVICE.name, {backend_health.REPORT: {NEG: state}}
        )
        self.kube.put({**ingress, "status": {"loadBalancer": {"ingress": [{"ip": address}]}}})

    def remove(self, kind: str) -> None:
        (ref,) = [ref for ref in self.kube.stored if ref.kind == kind]
        del self.kube.stored[ref]

    def versions(self) -> dict[ObjectRef, str]:
        return {ref: o["metadata"]["resourceVersion"] for ref, o in self.kube.stored.items()}

    def verify(self, facts: Facts = FACTS, **desired: Any) -> Outcome:
        setup: Setup = replace(new_setup(**desired), facts=facts)
        ports = {"probe": self.probe, "resolver": self.resolver, "certificates": GoodPairs()}
        return stage(Stage.VERIFY_ENDPOINT, OneCluster(self.kube), **ports)(setup, START)
