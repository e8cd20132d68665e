"""The stage prepare_tls over a fake cluster: what it changes, what it refuses, and that it can be killed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import yaml

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Facts, ReleaseBefore, ServiceFacts
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.ports import ObjectRef
from tests.builders import new_setup
from tests.fakes.plaintext_release import CHOSEN, PORTS, cluster, named, release
from tests.fakes.ports import stage
from tests.fakes.releases import Killed, ReleaseCluster
from tests.fakes.state import START

NOW = START + timedelta(minutes=1)
BEFORE = ReleaseBefore(
    1,
    {"service.type": "LoadBalancer"},
    {"common.security.tlsMode": None, "proxy.http.port": None},
    live_type="ClusterIP",
)


def run(there: ReleaseCluster, setup: Setup | None = None) -> Outcome:
    return stage(Stage.PREPARE_TLS, there)(setup or new_setup(), NOW)


def test_plaintext_release_is_upgraded_and_its_service_found() -> None:
    there = cluster(release())
    outcome = run(there)
    assert isinstance(outcome, Done)
    assert outcome.facts is not None
    assert outcome.facts.service == ServiceFacts("my-release-milvus", "grpc", 19530)
    assert outcome.facts.before == BEFORE
    values = there.helm.revisions[-1].values
    assert values["service"]["type"] == "ClusterIP"
    assert yaml.safe_load(values["extraConfigFiles"]["user.yaml"]) == {
        "log": {"level": "info"},
        "common": {"security": {"tlsMode": 1}},
        "proxy": {"http": {"port": 8080}},
    }


def test_second_run_writes_nothing_and_keeps_what_was_before() -> None:
    there = cluster(release())
    setup = new_setup()
    first = run(there, setup)
    assert isinstance(first, Done)
    assert first.facts is not None
    second = run(there, replace(setup, facts=first.facts))
    assert there.helm.writes == 1
    assert second == first


def recorded(there: ReleaseCluster) -> ReleaseBefore | None:
    """What is recorded by a run of a setup that has recorded `BEFORE`."""
    setup = new_setup()
    outcome = run(there, replace(setup, facts=replace(setup.facts, before=BEFORE)))
    assert isinstance(outcome, Done)
    assert outcome.facts is not None
    assert there.helm.writes == 1
    return outcome.facts.before


def test_value_that_a_user_has_set_since_replaces_the_recorded_one() -> None:
    chosen = {"service": {"type": "NodePort"}, "extraConfigFiles": {"user.yaml": "proxy: {http: {port: 90}}"}}
    before = recorded(cluster(release(revision=5, values=chosen)))
    assert before is not None
    assert (before.revision, before.values) == (5, {"service.type": "NodePort"})
    assert before.user_yaml["common.security.tlsMode"] is None


def test_recorded_value_stays_where_what_is_configured_is_ours() -> None:
    ours = {
        "service": {"type": "ClusterIP"},
        "extraConfigFiles": {"user.yaml": "log: {level: info}\ncommon: {security: {tlsMode: 1}}"},
    }
    before = recorded(cluster(release(revision=5, values=ours)))
    assert before is not None
    assert before.values == BEFORE.values
    assert before.user_yaml == BEFORE.user_yaml
    assert before.live_type == "ClusterIP"


@dataclass
class Ahead:
    """Notes what is stored before Helm writes."""

    there: ReleaseCluster
    stored: list[tuple[Facts, bool, int]] = field(default_factory=list)

    def record(self, facts: Facts, *, begins_effect: bool = False) -> None:
        self.stored.append((facts, begins_effect, self.there.helm.writes))


def test_what_was_before_is_stored_before_it_is_changed() -> None:
    there = cluster(release())
    ahead = Ahead(there)
    stage(Stage.PREPARE_TLS, there, ahead=ahead)(new_setup(), NOW)
    ((facts, begins_effect, writes),) = ahead.stored
    assert (facts.before, begins_effect, writes) == (BEFORE, True, 0)
    assert facts.service == ServiceFacts("my-release-milvus", "grpc", 19530)
    assert there.helm.writes == 1


def test_run_that_changes_nothing_stores_nothing_ahead() -> None:
    there = cluster(release())
    first = run(there)
    assert isinstance(first, Done)
    assert first.facts is not None
    ahead = Ahead(there)
    stage(Stage.PREPARE_TLS, there, ahead=ahead)(replace(new_setup(), facts=first.facts), NOW)
    assert ahead.stored == []


def test_release_that_needs_nothing_is_not_touched_and_has_no_before() -> None:
    prepared = {
        "extraConfigFiles": {"user.yaml": "common: {security: {tlsMode: 1}}\nproxy: {http: {enabled: false}}"}
    }
    there = cluster(release(values=prepared))
    outcome = run(there)
    assert isinstance(outcome, Done)
    assert outcome.facts is not None
    assert outcome.facts.before is None
    assert there.helm.writes == 0


def test_roll_out_is_not_waited_for() -> None:
    there = cluster(release(), available=0)
    outcome = run(there)
    assert isinstance(outcome, Done)
    assert outcome.facts is not None
    assert (outcome.facts.before, there.helm.writes) == (BEFORE, 1)


def finished(there: ReleaseCluster) -> Done:
    """The end of the stage; a roll-back has an execution of its own."""
    outcome = run(there)
    if isinstance(outcome, Waiting):
        assert outcome.reason is Reason.RELEASE_ROLLED_BACK
        assert "and has been rolled back" in outcome.message
        assert there.helm.revisions[-1].status == "deployed"
        assert there.helm.revisions[-1].values == CHOSEN
        outcome = run(there)
    assert isinstance(outcome, Done)
    return outcome


@pytest.mark.parametrize("moment", ["pending", "deployed"])
def test_run_after_a_kill_ends_as_if_nothing_had_happened(moment: str) -> None:
    there = cluster(release())
    there.helm.kill_in = moment
    with pytest.raises(Killed):
        run(there)
    outcome = finished(there)
    assert outcome.facts is not None
    assert outcome.facts.before is not None
    assert (outcome.facts.before.values, outcome.facts.before.user_yaml) == (BEFORE.values, BEFORE.user_yaml)
    assert there.helm.revisions[-1].values["service"]["type"] == "ClusterIP"
    assert there.helm.revisions[-1].status == "deployed"
    writes = there.helm.writes
    assert isinstance(run(there), Done)
    assert there.helm.writes == writes


def test_foreign_operation_in_progress_is_waited_for() -> None:
    there = cluster(release(), release(revision=2, status="pending-upgrade"))
    outcome = run(there)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.RELEASE_BUSY
    assert "revision 2 is pending-upgrade" in outcome.message
    assert there.helm.writes == 0


@pytest.mark.parametrize("status", ["pending-upgrade", "pending-rollback"])
def test_foreign_operation_that_was_abandoned_is_recovered(status: str) -> None:
    there = cluster(release(), release(revision=2, status=status, updated_at=NOW - timedelta(minutes=10)))
    finished(there)
    assert [r.status for r in there.helm.revisions] == ["superseded", status, "superseded", "deployed"]


def test_abandoned_installation_has_nothing_to_go_back_to() -> None:
    old = release(status="pending-install", updated_at=NOW - timedelta(hours=1))
    with pytest.raises(Permanent) as caught:
        run(cluster(old))
    assert caught.value.reason is Reason.RELEASE_NOT_DEPLOYED


def test_failed_upgrade_of_somebody_is_built_over_from_the_deployed_revision() -> None:
    failed = release(revision=2, status="failed", values={"service": {"type": "NodePort"}})
    there = cluster(release(), failed)
    assert isinstance(run(there), Done)
    assert "log" in there.helm.revisions[-1].values["extraConfigFiles"]["user.yaml"]


@pytest.mark.parametrize("status", ["uninstalling", "uninstalled", "superseded", "unknown"])
def test_release_in_another_state_is_refused(status: str) -> None:
    outcome = run(cluster(release(status=status)))
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.RELEASE_NOT_DEPLOYED
    assert status in outcome.message


def test_missing_release_is_refused_with_those_that_are_there() -> None:
    outcome = run(cluster(release(name="other"), release(name="another")))
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.RELEASE_NOT_FOUND
    assert "there: another, other" in outcome.message


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"customConfigMap": "mine"}, Reason.CUSTOM_CONFIG_MAP),
        ({"extraConfigFiles": {"user.yaml": "common: 1"}}, Reason.USER_YAML_INVALID),
        ({"extraConfigFiles": {"user.yaml": "common: {security: {tlsMode: 2}}"}}, Reason.MUTUAL_TLS),
        ({"extraConfigFiles": {"user.yaml": "proxy: {http: {port: 19530}}"}}, Reason.REST_SHARES_PORT),
    ],
)
def test_values_that_cannot_be_merged_into_are_refused_before_any_write(
    chosen: dict[str, Any], reason: Reason
) -> None:
    there = cluster(release(values=chosen))
    with pytest.raises(Permanent) as caught:
        run(there)
    assert caught.value.reason is reason
    assert there.helm.writes == 0


@pytest.mark.parametrize("ports", [[{"name": "metrics", "port": 9091}], None, ["x"], [{"name": "milvus"}]])
def test_service_without_the_port_is_refused_before_any_write(ports: Any) -> None:
    there = cluster(release(), ports=ports)
    with pytest.raises(Permanent) as caught:
        run(there)
    assert caught.value.reason is Reason.SERVICE_PORT_NOT_FOUND
    assert there.helm.writes == 0


def test_port_is_found_by_the_name_in_the_values_first() -> None:
    ports = [
        {"name": "rest", "port": 1, "targetPort": "milvus"},
        {"name": "milvus", "port": 2, "targetPort": 3},
    ]
    outcome = run(cluster(release(), ports=ports))
    assert isinstance(outcome, Done)
    assert outcome.facts is not None
    assert outcome.facts.service == ServiceFacts("my-release-milvus", "milvus", 2)


def test_unnamed_port_is_found_by_its_target() -> None:
    outcome = run(cluster(release(), ports=[{"port": 443, "targetPort": 19530}]))
    assert isinstance(outcome, Done)
    assert outcome.facts is not None
    assert outcome.facts.service == ServiceFacts("my-release-milvus", "", 443)


def test_missing_service_is_refused_with_those_that_are_there() -> None:
    there = cluster(release())
    del there.kube.stored[ObjectRef("v1", "Service", "default", "my-release-milvus")]
    headless = named("Service", "other", spec={"ports": PORTS})
    headless["metadata"]["labels"]["component"] = "querynode"
    there.kube.put(headless)
    with pytest.raises(Permanent) as caught:
        run(there)
    assert caught.value.reason is Reason.SERVICE_NOT_FOUND
    assert "other" in caught.value.message


def test_service_under_another_name_is_found_by_its_component() -> None:
    there = cluster(release())
    del there.kube.stored[ObjectRef("v1", "Service", "default", "my-release-milvus")]
    there.kube.put(named("Service", "vectors", spec={"ports": PORTS}))
    outcome = run(there)
    assert isinstance(outcome, Done)
    assert outcome.facts is not None
    assert outcome.facts.service == ServiceFacts("vectors", "grpc", 19530)


def test_error_of_helm_goes_to_the_engine() -> None:
    there = cluster(release())
    there.helm.refusal = Transient(Reason.HELM_FAILED, "no")
    with pytest.raises(Transient):
        run(there)
