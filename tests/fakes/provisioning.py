"""The world of provision_certificate: a cluster in memory, and pairs that say what they are for."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from milvus_l7.application.stages.provision_certificate import ProvisionCertificate
from milvus_l7.domain.certificates.key_pair import CertificateView, KeyPair, invalid
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.desired import CertificateSpec
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import CertificateFacts, Facts, ServiceFacts
from milvus_l7.domain.setup.outcome import Done
from milvus_l7.ports import ObjectRef
from tests.builders import new_setup
from tests.fakes.kube_objects import FakeKubeObjects, OneCluster
from tests.fakes.state import START

NAME = "my-release-milvus-tls"
SECRET = ObjectRef("v1", "Secret", "default", NAME)
DOMAIN = "my-release.milvus.io"


@dataclass
class FakeCertificates:
    """Pairs that are JSON: a key is its number, a certificate says what it is for."""

    issued: int = 0
    looked_at: list[KeyPair] = field(default_factory=list)

    def issue(self, domain: str, validity_days: int, now: datetime) -> KeyPair:
        self.issued += 1
        return pair(self.issued, domain, now + timedelta(days=validity_days))

    def inspect(self, pair: KeyPair) -> CertificateView:
        self.looked_at.append(pair)
        try:
            number, names, until = json.loads(pair.certificate_pem)
        except ValueError:
            raise invalid("garbage") from None
        is_pair = pair.key_pem == f"key-{number}"
        ends = datetime.fromisoformat(until)
        return CertificateView(f"sha-{number}", tuple(names), START, ends, is_pair, f"chain-{number}")


def pair(number: int, domain: str = DOMAIN, until: datetime = START + timedelta(days=9)) -> KeyPair:
    return KeyPair(f"key-{number}", json.dumps([number, [domain], until.isoformat()]))


def secret(pair: KeyPair, name: str = NAME, **changes: Any) -> dict[str, Any]:
    files = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": "default", "name": name, "labels": changes.pop("labels", {})},
        "type": "kubernetes.io/tls",
        "data": {key: b64encode(text.encode()).decode() for key, text in files.items()},
        **changes,
    }


OURS = {"app.kubernetes.io/managed-by": "milvus-l7"}


def ready_setup(**changes: Any) -> Setup:
    facts = Facts(service=ServiceFacts("my-release-milvus", "milvus", 19530))
    return replace(new_setup(**changes), facts=facts)


def adopting(name: str) -> Setup:
    return ready_setup(certificate=CertificateSpec(secret=name))


@dataclass
class Ahead:
    """Notes what is stored, and how much was written before."""

    kube: FakeKubeObjects
    stored: list[tuple[Facts, int]] = field(default_factory=list)

    def record(self, facts: Facts, *, begins_effect: bool = False) -> None:
        assert not begins_effect
        self.stored.append((facts, self.kube.writes))


@dataclass
class World:
    kube: FakeKubeObjects = field(default_factory=FakeKubeObjects)
    certificates: FakeCertificates = field(default_factory=FakeCertificates)

    def __post_init__(self) -> None:
        self.ahead = Ahead(self.kube)

    def run(self, setup: Setup | None = None, after_days: int = 0) -> CertificateFacts:
        stage = ProvisionCertificate(OneCluster(self.kube), self.certificates, self.ahead)
        found = stage(setup or ready_setup(), START + timedelta(days=after_days))
        assert isinstance(found, Done)
        assert found.facts is not None
        assert found.facts.certificate is not None
        return found.facts.certificate

    def refusal(self, setup: Setup | None = None) -> Permanent:
        with pytest.raises(Permanent) as refused:
            self.run(setup)
        return refused.value
