"""The dry look: what serves is taken away last, nothing is written, and a run then does just that."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from shared.domain.setup import CertificateSpec, CertificateType, Facts, ServiceFacts, Setup
from shared.ports import ObjectRef
from shared.service import certificate_plan, retiring
from shared.service.stages.create_ingress import CreateIngress
from shared.service.stages.provision_certificate import ProvisionCertificate
from tests.builders import new_setup
from tests.fakes.dns_zones import FakeDnsZones
from tests.fakes.kube_objects import FakeKubeObjects, OneCluster
from tests.fakes.state import START
from tests.service.test_provision_certificate import FakeCertificates

NAME = "my-release-milvus"
TLS = f"{NAME}-tls"
INGRESS = ObjectRef("networking.k8s.io/v1", "Ingress", "default", NAME)
GOOGLE = CertificateSpec(CertificateType.GOOGLE_MANAGED)
SELF = CertificateSpec()


@dataclass
class World:
    kube: FakeKubeObjects = field(default_factory=FakeKubeObjects)
    facts: Facts = Facts(service=ServiceFacts(NAME, "milvus", 19530))  # noqa: RUF009  (frozen)

    def setup(self, spec: CertificateSpec, **changes: Any) -> Setup:
        return replace(new_setup(certificate=spec, **changes), facts=self.facts)

    def plan(self, spec: CertificateSpec, **changes: Any) -> tuple[str, ...]:
        before, writes = dict(self.kube.stored), self.kube.writes
        steps = certificate_plan.steps(self.kube, self.setup(spec, **changes))
        assert (self.kube.stored, self.kube.writes) == (before, writes)
        return steps

    def run(self, spec: CertificateSpec, **changes: Any) -> None:
        """The stages, the controllers, and what a passed verification takes away."""
        cluster = OneCluster(self.kube)
        for stage in (
            ProvisionCertificate(cluster, FakeCertificates()),
            CreateIngress(cluster, FakeDnsZones()),
        ):
            outcome = stage(self.setup(spec, **changes), START)
            self.facts = outcome.facts or self.facts
        said = {"ingress.kubernetes.io/ssl-cert": "mcrt-1,k8s2-cr-1"}
        said["ingress.gcp.kubernetes.io/pre-shared-cert"] = "mcrt-1"
        self.kube.stored[INGRESS]["metadata"]["annotations"] |= said
        retiring.retire(self.kube, self.setup(spec, **changes))


@pytest.fixture
def world() -> World:
    return World()


def test_a_first_google_managed_certificate_is_made_attached_and_waited_for(world: World) -> None:
    assert world.plan(GOOGLE) == (
        f"create ManagedCertificate {TLS} for my-release.milvus.io",
        "attach host my-release.milvus.io",
        f"attach ManagedCertificate {TLS}",
        f"wait until the load balancer serves ManagedCertificate {TLS}",
    )


def test_a_switch_to_google_takes_the_secret_away_last(world: World) -> None:
    world.run(SELF)
    assert world.plan(GOOGLE) == (
        f"create ManagedCertificate {TLS} for my-release.milvus.io",
        f"attach ManagedCertificate {TLS}",
        f"wait until the load balancer serves ManagedCertificate {TLS}",
        f"detach Secret {TLS}",
        f"delete Secret {TLS}",
    )


def test_a_switch_to_a_secret_takes_the_managed_certificate_away_last(world: World) -> None:
    world.run(GOOGLE)
    assert world.plan(SELF) == (
        f"issue a certificate into Secret {TLS}",
        f"attach Secret {TLS}",
        f"wait until the load balancer serves Secret {TLS}",
        f"delete ManagedCertificate {TLS}",
        f"detach ManagedCertificate {TLS}",
    )


def test_a_changed_domain_takes_the_first_certificate_away_last(world: World) -> None:
    world.run(GOOGLE)
    assert world.plan(GOOGLE, domain="new.io") == (
        f"create ManagedCertificate {TLS}-2 for new.io",
        "attach host new.io",
        f"attach ManagedCertificate {TLS}-2",
        f"wait until the load balancer serves ManagedCertificate {TLS}-2",
        f"delete ManagedCertificate {TLS}",
        "detach host my-release.milvus.io",
        f"detach ManagedCertificate {TLS}",
    )


def test_a_secret_of_others_is_attached_and_never_made(world: World) -> None:
    world.run(SELF)
    assert world.plan(CertificateSpec(secret="theirs")) == (
        "attach Secret theirs",
        f"detach Secret {TLS} at once",
        "wait until the load balancer serves Secret theirs",
    )


def test_after_the_run_nothing_is_left_of_the_plan(world: World) -> None:
    for spec, domain in ((SELF, "a.io"), (GOOGLE, "a.io"), (GOOGLE, "b.io"), (SELF, "b.io")):
        world.run(spec, domain=domain)
        assert world.plan(spec, domain=domain) == ()
