"""A setup that is verified, then changed by hand: found with the right field, and repaired where allowed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from demo.release import CHART, PLAINTEXT_VALUES
from localcloud.cloud import Cloud
from milvus_l7.adapters.release.helm_sdk import sdk
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.drift_report import DriftReport, Finding, Verdict
from tests.e2e.stage_play import Play, eventually

pytestmark = pytest.mark.e2e

KUBECTL = Path(sys.executable).parent / "kubectl"
NAME = "drifter-milvus"


@dataclass
class Drifter:
    """One verified setup, and a person with kubectl and helm."""

    play: Play

    def kubectl(self, *arguments: str) -> None:
        environment = {**os.environ, "KUBECONFIG": str(self.play.cloud.kubeconfig())}
        subprocess.run([str(KUBECTL), *arguments], env=environment, check=True, capture_output=True)

    def upgrade_without_our_values(self) -> None:
        with sdk().Config(kubeconfig_path=self.play.cloud.kubeconfig(), namespace="default") as helm:
            helm.upgrade(CHART, self.play.release, dict(PLAINTEXT_VALUES), reset_values=True)

    def check(self) -> DriftReport:
        """Ask for a check, and return its report."""
        before = self._checked_at()
        body = json.dumps({"setup_id": self.play.setup_id}).encode()
        self.play.cloud.messaging.publish("l7-drift-check-due", body)

        def look() -> DriftReport | None:
            setup = self.play.setup()
            return setup.drift if setup and setup.drift and setup.drift.checked_at != before else None

        return eventually(look, 60, "a drift report")

    def _checked_at(self) -> datetime | None:
        setup = self.play.setup()
        return setup.drift.checked_at if setup and setup.drift else None

    def found(self, target: str, field: str) -> Finding:
        """The finding, in the first report that has it: a check may have begun before the change."""

        def look() -> Finding | None:
            found = self.check().findings
            return next((each for each in found if (each.target, each.field) == (target, field)), None)

        return eventually(look, 60, f"{target} {field} is found")

    def allow(self, policy: str) -> None:
        if self._setup().supervision.policy == policy:
            return  # the same request again would run the whole chain
        self.play.publish(drift={"policy": policy, "allow_outage": policy == "repair"})
        eventually(lambda: self._setup().supervision.policy == policy, 30, f"policy {policy}")

    def repaired(self) -> Setup:
        """The setup once repairing is allowed, which has it checked at once, and the repair is verified."""
        run = self._setup().run
        self.allow("repair")
        setup = self.play.wait(Status.VERIFIED, run=run + 1)
        assert self.check().verdict is Verdict.HEALTHY
        return setup

    def _setup(self) -> Setup:
        setup = self.play.setup()
        assert setup is not None
        return setup


@pytest.fixture(scope="module")
def drifter(cloud: Cloud) -> Iterator[Drifter]:
    play = Play(cloud, "drifter")
    play.install()
    play.publish()
    play.wait(Status.VERIFIED)
    yield Drifter(play)


def annotate(drifter: Drifter) -> None:
    drifter.kubectl(
        "annotate", "service", NAME, 'cloud.google.com/app-protocols={"milvus":"HTTP"}', "--overwrite"
    )


def unhealth(drifter: Drifter) -> None:
    patch = {"spec": {"healthCheck": {"port": 8080}}}
    drifter.kubectl(
        "patch", "backendconfig", f"{NAME}-backendconfig", "--type=merge", "-p", json.dumps(patch)
    )


def change_type(drifter: Drifter) -> None:
    drifter.kubectl("patch", "service", NAME, "-p", json.dumps({"spec": {"type": "NodePort"}}))


def lose_user_yaml(drifter: Drifter) -> None:
    patch = {"data": {"user.yaml": "dataCoord: {}\n"}}
    drifter.kubectl("patch", "configmap", NAME, "--type=merge", "-p", json.dumps(patch))


def detach_secret(drifter: Drifter) -> None:
    drifter.kubectl("patch", "ingress", NAME, "--type=merge", "-p", json.dumps({"spec": {"tls": None}}))


def delete_backend_config(drifter: Drifter) -> None:
    drifter.kubectl("delete", "backendconfig", f"{NAME}-backendconfig")


BY_HAND: list[tuple[Callable[[Drifter], None], str, str, str]] = [
    (annotate, f"Service default/{NAME}", "metadata.annotations[cloud.google.com/app-protocols]", "kubectl"),
    (unhealth, f"BackendConfig default/{NAME}-backendconfig", "spec.healthCheck.port", "kubectl-patch"),
    (change_type, f"Service default/{NAME}", "spec.type", "kubectl-patch"),
    (lose_user_yaml, f"ConfigMap default/{NAME}", "data[user.yaml]", "kubectl-patch"),
    (detach_secret, f"Ingress default/{NAME}", "spec.tls", ""),
    (delete_backend_config, f"BackendConfig default/{NAME}-backendconfig", "", ""),
]


def test_untouched_setup_is_healthy_and_looking_writes_nothing(drifter: Drifter) -> None:
    writes = drifter.play.writes()
    report = drifter.check()
    assert report == DriftReport(report.checked_at, Verdict.HEALTHY)
    assert drifter.play.writes() == writes


@pytest.mark.parametrize(
    ("change", "target", "field", "by"), BY_HAND, ids=lambda value: getattr(value, "__name__", "")
)
def test_change_by_hand_is_found_and_under_repair_is_gone(
    drifter: Drifter, change: Callable[[Drifter], None], target: str, field: str, by: str
) -> None:
    drifter.allow("report")
    change(drifter)
    finding = drifter.found(target, field)
    assert (finding.reason, finding.is_repairable) == (Reason.DRIFTED, True)
    assert by in finding.by
    assert drifter.found(target, field).since == finding.since
    drifter.repaired()


def test_helm_upgrade_without_our_values_is_found_named_and_repaired(drifter: Drifter) -> None:
    drifter.allow("report")
    drifter.upgrade_without_our_values()
    finding = drifter.found("Release default/drifter", "service.type")
    assert (finding.expected, finding.found, finding.stage) == (
        "ClusterIP",
        "LoadBalancer",
        Stage.PREPARE_TLS,
    )
    assert "revision" in finding.by
    setup = drifter.repaired()
    before = setup.facts.before
    assert before is not None
    assert before.values["service.type"] == "LoadBalancer"
    assert f"revision {before.revision}" in finding.by
