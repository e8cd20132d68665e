"""Tear-down through the production adapters, against an API server: what it gives back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milvus_l7.domain.setup.chain import SETUP_STAGES, Stage
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from tests.builders import new_setup
from tests.contract.kube_server import Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.whole_chain import SERVICE, Chain

MANAGED = CertificateSpec(CertificateType.GOOGLE_MANAGED)


@pytest.fixture
def chain(space: Space) -> Chain:
    return Chain(space)


@pytest.mark.parametrize("certificate", [CertificateSpec(), MANAGED], ids=["self-managed", "google-managed"])
@pytest.mark.parametrize("upto", SETUP_STAGES)
def test_after_each_prefix_of_the_chain_all_is_as_it_was(
    chain: Chain, upto: Stage, certificate: CertificateSpec
) -> None:
    chain.setup = new_setup(namespace=chain.space.name, certificate=certificate)
    chain.install()
    before = chain.snapshot()
    chain.run(upto)
    assert (chain.snapshot() == before) is (upto is Stage.PLAN_SETUP)
    chain.tear_down()
    assert chain.snapshot() == before


def test_without_restoring_the_release_keeps_its_tls_and_type(chain: Chain) -> None:
    chain.install()
    chain.run()
    tls = chain.snapshot()["ConfigMap", SERVICE]
    chain.tear_down(restore_l4=False)
    left = chain.snapshot()
    assert left["ConfigMap", SERVICE] == tls
    assert left["Service", SERVICE]["spec"]["type"] == "ClusterIP"
    assert not [kind for kind, _ in left if kind in ("Ingress", "BackendConfig", "Secret")]


def test_what_was_not_restored_can_be_restored_later(chain: Chain) -> None:
    chain.install()
    before = chain.snapshot()
    chain.run()
    chain.tear_down(restore_l4=False)
    chain.tear_down()
    assert chain.snapshot() == before


def test_a_second_tear_down_writes_nothing(chain: Chain) -> None:
    chain.install()
    chain.run()
    chain.tear_down()
    versions = chain.versions()
    chain.tear_down()
    assert chain.versions() == versions


def test_interrupted_before_its_result_was_kept_it_goes_on_where_it_was(chain: Chain) -> None:
    chain.install()
    before = chain.snapshot()
    chain.run()
    known = chain.setup
    chain.tear_down()
    chain.setup = known  # as if the last execution had died before its commit
    chain.tear_down()
    assert chain.snapshot() == before


def test_what_the_user_changed_meanwhile_stays(chain: Chain) -> None:
    chain.install()
    chain.run()
    neg = json.dumps({"ingress": True, "exposed_ports": {"9091": {}}})
    annotations = {"cloud.google.com/neg": neg, "mine": "stays"}
    chain.space.patch(f"services/{SERVICE}", {"metadata": {"annotations": annotations}})
    chain.tear_down()
    left = chain.snapshot()["Service", SERVICE]["metadata"]["annotations"]
    assert left["mine"] == "stays"
    assert json.loads(left["cloud.google.com/neg"]) == {"exposed_ports": {"9091": {}}}


def test_records_in_the_zone_that_are_ours_go_too(chain: Chain) -> None:
    chain.setup = new_setup(namespace=chain.space.name, dns_zone="projects/p/managedZones/milvus")
    chain.install()
    chain.run()
    assert chain.zones.stored
    chain.tear_down()
    assert chain.zones.stored == []


FOREIGN_NAMES = (f"{SERVICE}-tls", f"{SERVICE}-tls-2", f"{SERVICE}-backendconfig", "another")
foreign = st.fixed_dictionaries(
    {
        "secrets": st.sets(st.sampled_from([*FOREIGN_NAMES[1:2], "another"])),
        "managedcertificates": st.sets(st.sampled_from([*FOREIGN_NAMES[:2], "another"])),
        "backendconfigs": st.sets(st.sampled_from(FOREIGN_NAMES[2:])),
    }
)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(foreign, st.sampled_from([CertificateSpec(), MANAGED]))
def test_nothing_of_others_is_ever_deleted_or_changed(
    server: Any, there: dict[str, set[str]], certificate: CertificateSpec
) -> None:
    chain = Chain(fresh_space.__wrapped__(server))
    chain.setup = new_setup(namespace=chain.space.name, certificate=certificate, adopt=True)
    chain.install()
    for plural, names in there.items():
        for name in names:
            _make(chain.space, plural, name)
    before = chain.snapshot()
    chain.run()
    chain.tear_down()
    assert chain.snapshot() == before


def _make(space: Space, plural: str, name: str) -> None:
    bodies: dict[str, tuple[str, str, dict[str, Any]]] = {
        "secrets": ("v1", "Secret", {"type": "Opaque", "data": {"k": "djE="}}),
        "managedcertificates": (
            "networking.gke.io/v1",
            "ManagedCertificate",
            {"spec": {"domains": ["x.example.com"]}},
        ),
        "backendconfigs": ("cloud.google.com/v1", "BackendConfig", {"spec": {"cdn": {"enabled": False}}}),
    }
    group, kind, body = bodies[plural]
    whole = {"apiVersion": group, "kind": kind, "metadata": {"name": name}, **body}
    created = space.create(plural, whole, group=group)
    assert created.code == 201, created.body
