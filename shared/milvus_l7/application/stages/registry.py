"""The stages of the chain, in order: the one list that wiring, planning, drift checks and tests read.

Each builder imports its stage on first use, so that a function pays for no stage but its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.work import StageWork
from milvus_l7.ports import StagePorts


@dataclass(frozen=True, slots=True)
class StageEntry:
    """One stage: how it is built, and whether its dry run is part of plans and drift checks.

    Not planned are the planning itself, the stage that only looks, whose checklist is worked through
    separately, and the way back.
    """

    stage: Stage
    build: Callable[[StagePorts], StageWork]
    is_planned: bool = True


def _plan_setup(ports: StagePorts) -> StageWork:
    from milvus_l7.application.planning.plan_requested import PlanRequested
    from milvus_l7.application.planning.planner import Planner

    return PlanRequested(Planner(ports.dry_run, planned), ports.plans)


def _prepare_tls(ports: StagePorts) -> StageWork:
    from milvus_l7.application.stages.prepare_tls import PrepareTls

    return PrepareTls(ports.deployments, ports.frontends, ports.ahead)


def _configure_health_check(ports: StagePorts) -> StageWork:
    from milvus_l7.application.stages.configure_health_check import ConfigureHealthCheck

    return ConfigureHealthCheck(ports.frontends, ports.ahead)


def _provision_certificate(ports: StagePorts) -> StageWork:
    from milvus_l7.application.stages.provision_certificate import ProvisionCertificate

    return ProvisionCertificate(ports.connections, ports.certificates, ports.ahead)


def _create_ingress(ports: StagePorts) -> StageWork:
    from milvus_l7.application.stages.create_ingress import CreateIngress

    return CreateIngress(ports.frontends, ports.zones, ports.ahead)


def _verify_endpoint(ports: StagePorts) -> StageWork:
    from milvus_l7.application.stages.verify_endpoint import VerifyEndpoint

    return VerifyEndpoint(ports.connections, ports.rollouts, ports.frontends, ports.probe, ports.resolver)


def _tear_down(ports: StagePorts) -> StageWork:
    from milvus_l7.application.stages.tear_down import TearDown

    return TearDown(ports)


STAGES: tuple[StageEntry, ...] = (
    StageEntry(Stage.PLAN_SETUP, _plan_setup, is_planned=False),
    StageEntry(Stage.PREPARE_TLS, _prepare_tls),
    StageEntry(Stage.CONFIGURE_HEALTH_CHECK, _configure_health_check),
    StageEntry(Stage.PROVISION_CERTIFICATE, _provision_certificate),
    StageEntry(Stage.CREATE_INGRESS, _create_ingress),
    StageEntry(Stage.VERIFY_ENDPOINT, _verify_endpoint, is_planned=False),
    StageEntry(Stage.TEAR_DOWN, _tear_down, is_planned=False),
)
_BUILDERS = {entry.stage: entry.build for entry in STAGES}


def work(stage: Stage, ports: StagePorts) -> StageWork:
    """Return the stage, built from the ports."""
    return _BUILDERS[stage](ports)


def take_back(ports: StagePorts) -> StageWork:
    """Return what settles an effect that an execution of any stage began before it died."""
    from milvus_l7.application.stages.take_back import TakeBack

    return TakeBack(ports.deployments)


def planned(ports: StagePorts) -> Mapping[Stage, StageWork]:
    """Return the stages whose dry runs make a plan, in order, built from the ports."""
    return {entry.stage: entry.build(ports) for entry in STAGES if entry.is_planned}
