"""Objects made by hand as the usual guide says, against an API server: adopted, merged or refused."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from milvus_l7.adapters.certificates.x509 import X509Certificates
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from tests.builders import new_setup
from tests.contract import live_release
from tests.contract.kube_server import Json, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.live_release import BY_KIND
from tests.contract.test_plans import planned, written
from tests.contract.whole_chain import SERVICE, Chain

DOMAIN = "my-release.milvus.io"
THEIRS = "my-release-backendconfig"
CONFIG = "cloud.google.com/backend-config"
TLS = "common:\n  security:\n    tlsMode: 1\n"
OF_THE_GUIDE: Json = {"service": {"type": "ClusterIP"}, "extraConfigFiles": {"user.yaml": TLS}}
READY: Json = {
    "extraConfigFiles": {"user.yaml": f"{TLS}proxy:\n  http:\n    port: 8080\n"}
}  # needs no upgrade
ANNOTATIONS = {
    "cloud.google.com/neg": '{"ingress": true}',
    "cloud.google.com/app-protocols": '{"milvus":"HTTP2"}',
    CONFIG: f'{{"default": "{THEIRS}"}}',
}
BACKEND_CONFIG: Json = {
    "kind": "BackendConfig",
    "metadata": {"name": THEIRS},
    "spec": {"healthCheck": {"port": 9091, "type": "HTTP", "requestPath": "/healthz"}, "timeoutSec": 60},
}


def ingress(service: str = SERVICE) -> Json:
    backend = {"service": {"name": service, "port": {"number": 19530}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    tls = [{"hosts": [DOMAIN], "secretName": f"{SERVICE}-tls"}]
    spec = {"tls": tls, "rules": [{"host": DOMAIN, "http": {"paths": paths}}]}
    return {"kind": "Ingress", "metadata": {"name": SERVICE}, "spec": spec}


def tls_secret() -> Json:
    pair = X509Certificates().issue(DOMAIN, 30, datetime.now(UTC))
    files = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    data = {key: b64encode(pem.encode()).decode() for key, pem in files.items()}
    metadata = {"name": f"{SERVICE}-tls"}
    return {"kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "data": data}


def make(space: Space, body: Json, how: str) -> None:
    """What somebody does with `kubectl create`, or `kubectl apply --server-side`."""
    row = BY_KIND[body["kind"]]
    whole = {"apiVersion": row.api_version, **body}
    if how == "create":
        made = space.create(row.plural, whole, row.api_version, fieldManager="kubectl-create")
    else:
        made = space.apply(f"{row.plural}/{body['metadata']['name']}", whole, "kubectl", row.api_version)
    assert made.code == 201, made.body


def installed(space: Space, values: Json) -> Chain:
    chain = Chain(space)
    live_release.install(chain, values)
    live_release.edit(space, "Service", SERVICE, {"metadata": {"annotations": ANNOTATIONS}})
    return chain


@pytest.fixture
def chain(space: Space) -> Chain:
    return installed(space, READY)


def adopting(chain: Chain) -> None:
    chain.setup = new_setup(namespace=chain.space.name, adopt=True)


@pytest.mark.parametrize(("how", "values"), [("create", OF_THE_GUIDE), ("apply", READY)])
def test_guide_followed_by_hand_is_adopted_and_given_back(space: Space, how: str, values: Json) -> None:
    chain = installed(space, values)
    for body in (BACKEND_CONFIG, tls_secret(), ingress()):
        make(chain.space, body, how)
    before, versions = chain.snapshot(), chain.versions()
    refused = chain.plan().fault
    assert refused is not None
    assert (refused.reason, f"{SERVICE}-tls" in refused.message) == (Reason.SECRET_NOT_OURS, True)
    adopting(chain)
    plan = chain.plan()
    assert chain.versions() == versions
    assert plan.fault is None
    assert len([note for note in plan.notes if note.startswith("adopts ")]) == 3
    chain.run()
    assert planned(plan.changes) == written(before, chain.snapshot())
    versions, again = chain.versions(), chain.plan()
    assert (again.changes, again.notes, again.fault) == ((), (), None)
    chain.run()
    assert chain.versions() == versions
    chain.tear_down()
    assert chain.snapshot() == before


def test_given_back_its_owner_meets_no_conflict(chain: Chain) -> None:
    for body in (BACKEND_CONFIG, tls_secret(), ingress()):
        make(chain.space, body, "apply")
    adopting(chain)
    chain.run()
    chain.tear_down()
    row, changed = BY_KIND["BackendConfig"], {**BACKEND_CONFIG, "spec": {"timeoutSec": 5}}
    whole = {"apiVersion": row.api_version, **changed}
    applied = chain.space.apply(f"backendconfigs/{THEIRS}", whole, "kubectl", row.api_version)
    assert (applied.code, applied.body["spec"]) == (200, {"timeoutSec": 5})


def test_ingress_of_another_service_is_refused_though_asked_for(chain: Chain) -> None:
    make(chain.space, ingress("other"), "create")
    adopting(chain)
    versions, fault = chain.versions(), chain.plan().fault
    assert fault is not None
    assert (fault.reason, "leads to other:19530" in fault.message) == (Reason.NOT_ADOPTABLE, True)
    assert chain.versions() == versions


def test_without_leave_a_named_backend_config_is_left_and_ours_is_merged_in(chain: Chain) -> None:
    make(chain.space, BACKEND_CONFIG, "create")
    text = f'{{"default": "{THEIRS}", "ports": {{"milvus": "{THEIRS}", "metrics": "{THEIRS}"}}}}'
    live_release.edit(chain.space, "Service", SERVICE, {"metadata": {"annotations": {CONFIG: text}}})
    before, plan = chain.snapshot(), chain.plan()
    assert plan.fault is None
    chain.run()
    after = chain.snapshot()
    assert planned(plan.changes) == written(before, after)
    assert after["BackendConfig", THEIRS] == before["BackendConfig", THEIRS]
    assert (
        f'"milvus": "{SERVICE}-backendconfig"' in after["Service", SERVICE]["metadata"]["annotations"][CONFIG]
    )
    versions = chain.versions()
    chain.run()
    assert chain.versions() == versions
    chain.tear_down()
    assert chain.snapshot() == before


def test_backend_config_of_the_needed_name_is_refused_by_plan_and_run(chain: Chain) -> None:
    ours = {**BACKEND_CONFIG, "metadata": {"name": f"{SERVICE}-backendconfig"}}
    make(chain.space, ours, "create")
    fault = chain.plan().fault
    assert fault is not None
    assert (fault.reason, f"{SERVICE}-backendconfig" in fault.message) == (Reason.OBJECT_NOT_OURS, True)
    with pytest.raises(Permanent) as refused:
        chain.run()
    assert refused.value.message == fault.message


def test_adopted_backend_config_of_the_needed_name_is_given_back(chain: Chain) -> None:
    live_release.edit(chain.space, "Service", SERVICE, {"metadata": {"annotations": {CONFIG: None}}})
    name = f"{SERVICE}-backendconfig"
    make(
        chain.space,
        {**BACKEND_CONFIG, "metadata": {"name": name}, "spec": {"cdn": {"enabled": False}}},
        "apply",
    )
    before = chain.snapshot()
    adopting(chain)
    chain.run()
    chain.setup = replace(chain.setup, desired=replace(chain.setup.desired, adopt=False, backend_timeout_s=7))
    chain.run()
    assert chain.snapshot()["BackendConfig", name]["spec"]["timeoutSec"] == 7
    chain.tear_down()
    assert chain.snapshot() == before
