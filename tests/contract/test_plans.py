"""A plan is what the run then writes: the planner and the stages, against an API server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milvus_l7.domain.kubernetes.change import Change
from milvus_l7.domain.kubernetes.difference import HIDDEN, deletion, difference
from milvus_l7.domain.planning.chain_plan import ImpactKind
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from tests.builders import new_setup
from tests.contract.kube_server import Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.whole_chain import CHOSEN, SERVICE, Chain

NEG, APP_PROTOCOLS = "cloud.google.com/neg", "cloud.google.com/app-protocols"
BACKEND_CONFIG = "cloud.google.com/backend-config"


@pytest.fixture
def chain(space: Space) -> Chain:
    return Chain(space)


def written(before: dict[Any, Any], after: dict[Any, Any]) -> set[tuple[str, str]]:
    """Target and field of everything that differs between two snapshots."""
    changes = [change for key, live in after.items() for change in difference(before.get(key), live)]
    changes += [deletion(live) for key, live in before.items() if key not in after]
    return {(change.target, change.field) for change in changes}


def planned(changes: tuple[Change, ...]) -> set[tuple[str, str]]:
    """Target and field of the plan's changes of objects; a release's values show in the objects too."""
    shown = [each for each in changes if not each.target.startswith(("Release ", "DNS "))]
    # Node ports are drawn anew, and are not in the snapshots.
    return {(each.target, each.field) for each in shown if not each.field.lower().endswith("nodeport")}


def test_planning_writes_nothing(chain: Chain) -> None:
    chain.install()
    versions = chain.versions()
    assert chain.plan().changes
    assert chain.versions() == versions


def test_first_plan_names_every_outage(chain: Chain) -> None:
    chain.install()
    chain.address("services", "v1")
    plan = chain.plan()
    kinds = [impact.kind for impact in plan.impacts]
    assert kinds == [ImpactKind.PLAINTEXT_CLIENTS_CUT, ImpactKind.MILVUS_DOWN, ImpactKind.ADDRESS_RELEASED]
    assert "192.0.2.7" in plan.impacts[2].message


def test_a_set_up_that_would_fail_is_planned_up_to_where_it_fails(chain: Chain) -> None:
    chain.install({"extraConfigFiles": {"user.yaml": "common: {security: {tlsMode: 2}}\n"}})
    plan = chain.plan()
    assert plan.fault is not None
    assert plan.fault.reason is Reason.MUTUAL_TLS
    assert plan.changes == ()


def test_no_credential_is_in_a_plan_and_no_masked_text_reaches_an_object(chain: Chain) -> None:
    chain.install({"extraConfigFiles": {"user.yaml": "minio: {secretAccessKey: s3cr3t-value}\n"}})
    plan = chain.plan()
    told = json.dumps([str(change) for change in plan.changes])
    assert "s3cr3t-value" not in told
    assert "PRIVATE KEY" not in told
    assert HIDDEN in told
    chain.run()
    assert HIDDEN not in json.dumps(list(chain.snapshot().values()))


def test_switch_to_a_google_managed_certificate_attaches_before_it_takes_away(chain: Chain) -> None:
    chain.install()
    chain.run()
    managed = CertificateSpec(CertificateType.GOOGLE_MANAGED)
    chain.setup = _with(chain, certificate=managed)
    steps = {
        (step.stage, change.target.split()[0], change.field): step
        for step in chain.plan().steps
        for change in step.changes
    }
    order = list(steps)
    attach = next(
        i for i, key in enumerate(order) if key[1] == "Ingress" and "managed-certificates" in key[2]
    )
    detach = next(i for i, key in enumerate(order) if key[1] == "Ingress" and key[2].startswith("spec.tls"))
    made = next(i for i, key in enumerate(order) if key[1] == "ManagedCertificate")
    assert made < attach < detach
    assert steps[order[attach]].when == "at once"
    assert "served" in steps[order[detach]].when


def _with(chain: Chain, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(chain.setup, desired=new_setup(namespace=chain.space.name, **changes).desired)


annotation_sets = st.fixed_dictionaries(
    {},
    optional={
        NEG: st.sampled_from(['{"ingress": true}', '{"exposed_ports":{"9091":{}}}', "{}"]),
        APP_PROTOCOLS: st.sampled_from(['{"metrics":"HTTP"}', '{"milvus":"HTTP2"}', '{"milvus":"HTTP"}']),
        BACKEND_CONFIG: st.sampled_from(['{"default":"theirs"}', '{"ports":{"metrics":"theirs"}}']),
        "beta.cloud.google.com/backend-config": st.just('{"ports":{"metrics":"old"}}'),
        "team": st.just("search"),
    },
)
user_yamls = st.sampled_from(
    [
        None,
        "",
        "# nothing\n",
        "common:\n  security:\n    tlsMode: 0 # for now\n",
        "common: {security: {tlsMode: 1}}\nproxy: {http: {port: 8080}}\n",
        "proxy:\n    http:\n        enabled: false\n",
        "dataCoord:\n  segment:\n    maxSize: 512\n",
    ]
)
others = st.fixed_dictionaries(
    {},
    optional={
        "backendconfig": st.sampled_from(
            [
                {"cdn": {"enabled": False}},
                {"timeoutSec": 3600},
                {"healthCheck": {"type": "HTTP", "port": 9091}},
            ]
        ),
        "manager": st.sampled_from(["kubectl", "terraform"]),
    },
)
clusters = st.fixed_dictionaries(
    {
        "annotations": annotation_sets,
        "user_yaml": user_yamls,
        "type": st.sampled_from(["LoadBalancer", "ClusterIP", "NodePort", None]),
        "certificate": st.sampled_from([CertificateSpec(), CertificateSpec(CertificateType.GOOGLE_MANAGED)]),
        "others": others,
    }
)


def values_of(there: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {"service": {"annotations": there["annotations"]}}
    if there["type"]:
        values["service"]["type"] = there["type"]
    if there["user_yaml"] is not None:
        values["extraConfigFiles"] = {"user.yaml": there["user_yaml"]}
    return values


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clusters)
def test_the_plan_equals_what_the_run_writes_and_is_empty_afterwards(
    server: Any, there: dict[str, Any]
) -> None:
    chain = Chain(fresh_space.__wrapped__(server))
    chain.setup = new_setup(namespace=chain.space.name, certificate=there["certificate"], adopt=True)
    chain.install(values_of(there))
    if "backendconfig" in there["others"]:
        body = {"apiVersion": "cloud.google.com/v1", "kind": "BackendConfig"}
        body |= {"metadata": {"name": f"{SERVICE}-backendconfig"}, "spec": there["others"]["backendconfig"]}
        manager = there["others"].get("manager", "kubectl")
        target = f"backendconfigs/{SERVICE}-backendconfig"
        assert chain.space.apply(target, body, manager, group="cloud.google.com/v1").code == 201
    before, plan = chain.snapshot(), chain.plan()
    assert plan.fault is None
    chain.run()
    assert planned(plan.changes) == written(before, chain.snapshot())
    again = chain.plan()
    assert (again.changes, again.fault) == ((), None)


def test_a_release_of_the_user_is_planned_with_old_and_new_values(chain: Chain) -> None:
    chain.install(CHOSEN)
    changes = {(c.target.split()[0], c.field): (c.before, c.after) for c in chain.plan().changes}
    assert changes["Release", "service.type"] == ("LoadBalancer", "ClusterIP")
    assert changes["Service", "spec.type"] == ("LoadBalancer", "ClusterIP")
    assert changes["Release", "extraConfigFiles[user.yaml].common.security.tlsMode"] == (None, 1)
    assert changes["ConfigMap", "data[user.yaml]"] == (HIDDEN, HIDDEN)
