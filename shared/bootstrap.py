"""The only wiring: which adapter stands behind which port.

Everything is made on first use, in the process that uses it: gRPC clients do not survive the fork of the
functions framework's worker, and a function must not pay for packages that its stage does not need.
"""

from __future__ import annotations

import gc
import json
import os
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared import settings
from shared.adapters.connections import ClusterConnections
from shared.adapters.credentials import TokenSource
from shared.adapters.firestore import FirestoreSetups
from shared.adapters.gke import GkeClusters
from shared.adapters.pubsub import PubSubEvents
from shared.domain.chain import Stage, Topology, topology
from shared.service.publishing import Outbox
from shared.service.runner import Engine, Runner, StageWork

if TYPE_CHECKING:
    from shared.ports import Connections, Plans
    from shared.service.accept_request import AcceptRequest
    from shared.service.accept_tear_down import AcceptTearDown
    from shared.service.check_drift import CheckDrift
    from shared.service.plan_setup import PlanSetup
    from shared.service.planning import Planner
    from shared.service.repoll import Repoll

# Imports make hundreds of thousands of objects that live for ever. Python's default, a collection every 700
# new ones, spends part of a cold start on looking at them in vain; an event makes a few thousand.
gc.set_threshold(100_000, 20, 20)

TOPOLOGY = Path(__file__).parent.parent / "infra" / "topology.json"  # made by infra/bundle.py


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, with time zone UTC."""
        return datetime.now(UTC)


@cache
def _settings() -> settings.Settings:
    return settings.from_environment(os.environ)


@cache
def _topology() -> Topology:
    return topology(json.loads(TOPOLOGY.read_text(encoding="utf-8")))


@cache
def _outbox() -> Outbox:
    project = _settings().project
    return Outbox(FirestoreSetups(project), PubSubEvents(project, _topology().rejected_topic))


@cache
def _connections() -> ClusterConnections:
    return ClusterConnections(GkeClusters(), TokenSource())


def _prepare_tls() -> StageWork:
    from shared.service.stages.prepare_tls import PrepareTls

    return PrepareTls(_connections())


def _configure_health_check() -> StageWork:
    from shared.service.stages.configure_health_check import ConfigureHealthCheck

    return ConfigureHealthCheck(_connections())


def _provision_certificate() -> StageWork:
    from shared.adapters.x509 import X509Certificates
    from shared.service.stages.provision_certificate import ProvisionCertificate

    return ProvisionCertificate(_connections(), X509Certificates())


def _create_ingress() -> StageWork:
    from shared.adapters.cloud_dns import CloudDnsZones
    from shared.service.stages.create_ingress import CreateIngress

    return CreateIngress(_connections(), CloudDnsZones())


def _verify_endpoint() -> StageWork:
    return _verification(_connections())


def _verification(connections: Connections) -> StageWork:
    from shared.adapters.dns import DnsResolver
    from shared.adapters.probe import EdgeProbe
    from shared.service.stages.verify_endpoint import VerifyEndpoint

    chosen = _settings()
    return VerifyEndpoint(connections, EdgeProbe(chosen.https_port), DnsResolver(chosen.dns_server))


def _tear_down() -> StageWork:
    from shared.adapters.cloud_dns import CloudDnsZones
    from shared.adapters.probe import EdgeProbe
    from shared.service.stages.tear_down import TearDown

    return TearDown(_connections(), CloudDnsZones(), EdgeProbe(_settings().https_port))


_WORK = {
    Stage.PREPARE_TLS: _prepare_tls,
    Stage.CONFIGURE_HEALTH_CHECK: _configure_health_check,
    Stage.PROVISION_CERTIFICATE: _provision_certificate,
    Stage.CREATE_INGRESS: _create_ingress,
    Stage.VERIFY_ENDPOINT: _verify_endpoint,
    Stage.TEAR_DOWN: _tear_down,
}


@cache
def runner(stage: Stage) -> Runner:
    """The engine for one stage, with production adapters."""
    chosen = _settings()
    outbox = _outbox()
    engine = Engine(
        outbox.setups, outbox, SystemClock(), _topology(), chosen.owner, chosen.lease_s, chosen.pace_scale
    )
    return Runner(engine, stage, _WORK[stage]())


@cache
def accept_request() -> AcceptRequest:
    """The use case of `accept_request`, with production adapters."""
    from shared.service.accept_request import AcceptRequest

    return AcceptRequest(_outbox(), _plans(), SystemClock(), _topology())


@cache
def accept_tear_down() -> AcceptTearDown:
    """The use case of a tear-down request, with production adapters."""
    from shared.service.accept_tear_down import AcceptTearDown

    return AcceptTearDown(_outbox(), SystemClock(), _topology())


def _plans() -> Plans:
    from shared.adapters.plans import FirestorePlans

    return FirestorePlans(_settings().project)


def _planner() -> Planner:
    from shared.adapters.cloud_dns import CloudDnsZones
    from shared.adapters.x509 import X509Certificates
    from shared.service.planning import Planner

    return Planner(_connections(), CloudDnsZones(), X509Certificates())


@cache
def plan_setup() -> PlanSetup:
    """The use case of `plan_setup`, with production adapters."""
    from shared.service.plan_setup import PlanSetup

    return PlanSetup(_outbox(), _plans(), SystemClock(), _topology(), _planner())


@cache
def check_drift() -> CheckDrift:
    """The use case of `check_drift`, with production adapters."""
    from shared.service.check_drift import CheckDrift

    planner, scale = _planner(), _settings().pace_scale
    return CheckDrift(_outbox(), SystemClock(), _topology(), planner.rehearsal, _verification, scale)


@cache
def repoll() -> Repoll:
    """The use case of `repoll`, with production adapters."""
    from shared.service.repoll import Repoll

    age = timedelta(seconds=_settings().outbox_age_s)
    return Repoll(_outbox(), SystemClock(), _topology(), age)
