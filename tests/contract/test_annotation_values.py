"""Annotations of ours that the chart's values hold are changed there, with releases of Helm 3 and Helm 4."""

from __future__ import annotations

import json

import pytest

from tests.contract import live_release
from tests.contract.kube_server import Json, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.test_plans import planned, written
from tests.contract.whole_chain import NAME, SERVICE, Chain

NEG, PROTOCOLS = "cloud.google.com/neg", "cloud.google.com/app-protocols"
CONFIG, BETA = "cloud.google.com/backend-config", "beta.cloud.google.com/backend-config"
CHOSEN: Json = {
    "service": {
        "type": "LoadBalancer",
        "annotations": {
            NEG: '{"exposed_ports":{"9091":{}}}',
            CONFIG: '{"default": "theirs"}',
            "team": "search",
        },
    },
    "extraConfigFiles": {"user.yaml": "common: {security: {tlsMode: 1}}\nproxy: {http: {port: 8080}}\n"},
}


@pytest.fixture
def chain(space: Space) -> Chain:
    return Chain(space)


def values(chain: Chain) -> Json:
    release = chain.releases("", chain.space.name).get(NAME)
    assert release is not None
    return dict(release.values)


def annotations(chain: Chain) -> Json:
    return dict(chain.snapshot()["Service", SERVICE]["metadata"]["annotations"])


@pytest.mark.parametrize("helm", [3, 4])
def test_values_are_changed_and_given_back_and_the_users_next_upgrade_works(chain: Chain, helm: int) -> None:
    live_release.install(chain, CHOSEN, helm)
    before, plan = chain.snapshot(), chain.plan()
    assert plan.fault is None
    assert f"service.annotations[{NEG}]" in plan.notes[-1]
    chain.run()
    assert planned(plan.changes) == written(before, chain.snapshot())
    chosen = values(chain)["service"]["annotations"]
    assert json.loads(chosen[NEG]) == {"exposed_ports": {"9091": {}}, "ingress": True}
    assert json.loads(chosen[CONFIG]) == {
        "default": "theirs",
        "ports": {"milvus": f"{SERVICE}-backendconfig"},
    }
    assert (chosen["team"], PROTOCOLS in chosen, PROTOCOLS in annotations(chain)) == ("search", False, True)
    versions, again = chain.versions(), chain.plan()
    chain.run()
    assert (chain.versions(), again.changes) == (versions, ())

    served = annotations(chain)
    chain.helm("upgrade", {**values(chain), "more": 1})
    assert annotations(chain) == served
    chain.helm("upgrade", {**CHOSEN, "more": 1})  # without ours: it works, and the next run mends it
    assert annotations(chain)[NEG] == CHOSEN["service"]["annotations"][NEG]
    chain.run()
    assert annotations(chain) == served

    chain.tear_down()
    assert chain.snapshot() == before
    assert values(chain) == {**CHOSEN, "more": 1}


def test_tear_down_that_leaves_the_release_takes_the_annotations_back_all_the_same(chain: Chain) -> None:
    live_release.install(chain, CHOSEN)
    before = annotations(chain)
    chain.run()
    chain.tear_down(restore_l4=False)
    assert annotations(chain) == before
    left = values(chain)["service"]
    assert (left["type"], left["annotations"]) == ("ClusterIP", CHOSEN["service"]["annotations"])
    assert chain.setup.facts.before is not None
    assert chain.setup.facts.before.values == {"service.type": "LoadBalancer"}
    versions = chain.versions()
    chain.tear_down(restore_l4=False)
    assert chain.versions() == versions


def test_what_is_edited_past_helm_is_mended_as_helm(chain: Chain) -> None:
    live_release.install(chain, CHOSEN)
    chain.run()
    served = annotations(chain)
    edit = {"metadata": {"annotations": {NEG: '{"exposed_ports":{"9091":{}}}'}}}
    live_release.edit(chain.space, "Service", SERVICE, edit)
    before, plan = chain.snapshot(), chain.plan()
    chain.run()
    assert annotations(chain) == {**served, NEG: annotations(chain)[NEG]}
    assert planned(plan.changes) == written(before, chain.snapshot()) != set()
    chain.helm("upgrade", {**CHOSEN, "more": 1})
    assert annotations(chain)[NEG] == CHOSEN["service"]["annotations"][NEG]
