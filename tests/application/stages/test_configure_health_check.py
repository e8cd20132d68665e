"""configure_health_check: BackendConfig and annotations, merged, written once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Facts, ServiceFacts
from milvus_l7.domain.setup.outcome import Done
from milvus_l7.ports import ObjectRef
from tests.builders import new_setup
from tests.fakes.kube_objects import FakeKubeObjects, OneCluster
from tests.fakes.ports import stage
from tests.fakes.state import START

NAME = "my-release-milvus"
SERVICE = ObjectRef("v1", "Service", "default", NAME)
BACKEND_CONFIG = ObjectRef("cloud.google.com/v1", "BackendConfig", "default", f"{NAME}-backendconfig")
ANNOTATION = "cloud.google.com/backend-config"


def ready_setup(**changes: Any) -> Setup:
    return replace(new_setup(**changes), facts=Facts(service=ServiceFacts(NAME, "milvus", 19530)))


def service(**annotations: str) -> dict[str, Any]:
    metadata = {"namespace": "default", "name": NAME, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"type": "ClusterIP"}}


def foreign_backend_config(**spec: Any) -> dict[str, Any]:
    metadata = {"namespace": "default", "name": BACKEND_CONFIG.name}
    return {
        "apiVersion": "cloud.google.com/v1",
        "kind": "BackendConfig",
        "metadata": metadata,
        "spec": spec,
    }


@pytest.fixture
def kube() -> FakeKubeObjects:
    kube = FakeKubeObjects()
    kube.put(service(), "helm")
    return kube


def run(kube: FakeKubeObjects, setup: Setup | None = None) -> object:
    return stage(Stage.CONFIGURE_HEALTH_CHECK, OneCluster(kube))(setup or ready_setup(), START)


def annotations(kube: FakeKubeObjects) -> dict[str, str]:
    return kube.stored[SERVICE]["metadata"]["annotations"]


def versions(kube: FakeKubeObjects) -> dict[str, str]:
    return {ref.kind: found["metadata"]["resourceVersion"] for ref, found in kube.stored.items()}


def test_the_service_points_at_a_health_check_of_its_own(kube: FakeKubeObjects) -> None:
    assert run(kube, ready_setup(backend_timeout_s=600)) == Done()
    assert json.loads(annotations(kube)[ANNOTATION]) == {"ports": {"milvus": BACKEND_CONFIG.name}}
    spec = kube.stored[BACKEND_CONFIG]["spec"]
    assert spec["healthCheck"] == {"type": "HTTP", "port": 9091, "requestPath": "/healthz"}
    assert spec["timeoutSec"] == 600


def test_only_annotations_of_the_service_change(kube: FakeKubeObjects) -> None:
    run(kube)
    assert kube.stored[SERVICE]["spec"] == {"type": "ClusterIP"}
    assert "labels" not in kube.stored[SERVICE]["metadata"]


def test_a_second_run_writes_nothing(kube: FakeKubeObjects) -> None:
    run(kube)
    before, writes = versions(kube), kube.writes
    assert run(kube) == Done()
    assert (versions(kube), kube.writes) == (before, writes)


def test_annotations_that_helm_owns_are_merged_and_taken_over(kube: FakeKubeObjects) -> None:
    kube.put(service(**{ANNOTATION: '{"default": "theirs"}', "cloud.google.com/neg-status": "{}"}), "helm")
    run(kube)
    merged = {"default": "theirs", "ports": {"milvus": BACKEND_CONFIG.name}}
    assert json.loads(annotations(kube)[ANNOTATION]) == merged
    assert annotations(kube)["cloud.google.com/neg-status"] == "{}"


def test_a_broken_annotation_is_refused_and_nothing_of_the_service_changes(kube: FakeKubeObjects) -> None:
    kube.put(service(**{ANNOTATION: "{broken"}), "helm")
    before = kube.stored[SERVICE]
    with pytest.raises(Permanent) as refused:
        run(kube)
    assert refused.value.reason is Reason.ANNOTATION_INVALID
    assert kube.stored[SERVICE] == before


def test_a_changed_time_out_is_applied(kube: FakeKubeObjects) -> None:
    run(kube)
    run(kube, ready_setup(backend_timeout_s=60))
    assert kube.stored[BACKEND_CONFIG]["spec"]["timeoutSec"] == 60


def test_our_own_backend_config_is_repaired(kube: FakeKubeObjects) -> None:
    run(kube)
    edited = kube.stored[BACKEND_CONFIG] | {"spec": {"timeoutSec": 1}}
    kube.put(edited, "kubectl-edit")
    run(kube)
    assert kube.stored[BACKEND_CONFIG]["spec"]["timeoutSec"] == 3600


def test_a_foreign_backend_config_is_refused_by_name_and_unwritten(kube: FakeKubeObjects) -> None:
    kube.put(foreign_backend_config(timeoutSec=3600), "kubectl")
    with pytest.raises(Permanent, match=rf'{BACKEND_CONFIG.name}.*"adopt": true') as refused:
        run(kube)
    assert refused.value.reason is Reason.OBJECT_NOT_OURS
    assert (annotations(kube), kube.writes) == ({}, 0)


def test_a_service_that_has_gone_is_refused(kube: FakeKubeObjects) -> None:
    del kube.stored[SERVICE]
    with pytest.raises(Permanent) as refused:
        run(kube)
    assert refused.value.reason is Reason.SERVICE_NOT_FOUND


def test_an_object_that_is_being_deleted_is_waited_for(kube: FakeKubeObjects) -> None:
    run(kube)
    kube.stored[BACKEND_CONFIG]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(Transient) as refused:
        run(kube)
    assert refused.value.reason is Reason.OBJECT_BEING_DELETED


def test_a_service_that_changes_under_our_hands_is_not_overwritten(kube: FakeKubeObjects) -> None:
    class Racing(FakeKubeObjects):
        def get(self, ref: ObjectRef) -> dict[str, Any] | None:
            found = super().get(ref)
            if ref == SERVICE:
                self.put(service(**{ANNOTATION: '{"default": "newer"}'}), "helm")
            return found

    racing = Racing(kube.stored, kube.owners)
    with pytest.raises(Transient):
        run(racing)
    assert annotations(racing) == {ANNOTATION: '{"default": "newer"}'}
