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

from milvus_l7 import settings
from milvus_l7.adapters.kubernetes.connections import ClusterConnections
from milvus_l7.adapters.kubernetes.credentials import TokenSource
from milvus_l7.adapters.kubernetes.gke import GkeClusters
from milvus_l7.adapters.setup.firestore import FirestoreSetups
from milvus_l7.adapters.setup.pubsub import PubSubEvents
from milvus_l7.application.engine.outbox import Outbox
from milvus_l7.application.engine.runner import Engine, Runner, StageWork
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.topology import Topology, topology

if TYPE_CHECKING:
    from milvus_l7.application.drift.check_drift import CheckDrift
    from milvus_l7.application.engine.repoll import Repoll
    from milvus_l7.application.planning.plan_setup import PlanSetup
    from milvus_l7.application.planning.planner import Planner
    from milvus_l7.application.request.accept_request import AcceptRequest
    from milvus_l7.application.request.accept_tear_down import AcceptTearDown
    from milvus_l7.ports import Connections, Plans

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
    from milvus_l7.application.stages.prepare_tls import PrepareTls

    return PrepareTls(_connections())


def _configure_health_check() -> StageWork:
    from milvus_l7.application.stages.configure_health_check import ConfigureHealthCheck

    return ConfigureHealthCheck(_connections())


def _provision_certificate() -> StageWork:
    from milvus_l7.adapters.certificates.x509 import X509Certificates
    from milvus_l7.application.stages.provision_certificate import ProvisionCertificate

    return ProvisionCertificate(_connections(), X509Certificates())


def _create_ingress() -> StageWork:
    from milvus_l7.adapters.dns.cloud_dns import CloudDnsZones
    from milvus_l7.application.stages.create_ingress import CreateIngress

    return CreateIngress(_connections(), CloudDnsZones())


def _verify_endpoint() -> StageWork:
    return _verification(_connections())


def _verification(connections: Connections) -> StageWork:
    from milvus_l7.adapters.dns.resolver import DnsResolver
    from milvus_l7.adapters.verification.probe import EdgeProbe
    from milvus_l7.application.stages.verify_endpoint import VerifyEndpoint

    chosen = _settings()
    return VerifyEndpoint(connections, EdgeProbe(chosen.https_port), DnsResolver(chosen.dns_server))


def _tear_down() -> StageWork:
    from milvus_l7.adapters.dns.cloud_dns import CloudDnsZones
    from milvus_l7.adapters.verification.probe import EdgeProbe
    from milvus_l7.application.stages.tear_down import TearDown

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
    from milvus_l7.application.request.accept_request import AcceptRequest

    return AcceptRequest(_outbox(), _plans(), SystemClock(), _topology())


@cache
def accept_tear_down() -> AcceptTearDown:
    """The use case of a tear-down request, with production adapters."""
    from milvus_l7.application.request.accept_tear_down import AcceptTearDown

    return AcceptTearDown(_outbox(), SystemClock(), _topology())


def _plans() -> Plans:
    from milvus_l7.adapters.planning.firestore_plans import FirestorePlans

    return FirestorePlans(_settings().project)


def _planner() -> Planner:
    from milvus_l7.adapters.certificates.x509 import X509Certificates
    from milvus_l7.adapters.dns.cloud_dns import CloudDnsZones
    from milvus_l7.application.planning.planner import Planner

    return Planner(_connections(), CloudDnsZones(), X509Certificates())


@cache
def plan_setup() -> PlanSetup:
    """The use case of `plan_setup`, with production adapters."""
    from milvus_l7.application.planning.plan_setup import PlanSetup

    return PlanSetup(_outbox(), _plans(), SystemClock(), _topology(), _planner())


@cache
def check_drift() -> CheckDrift:
    """The use case of `check_drift`, with production adapters."""
    from milvus_l7.application.drift.check_drift import CheckDrift

    planner, scale = _planner(), _settings().pace_scale
    return CheckDrift(_outbox(), SystemClock(), _topology(), planner.dry_run, _verification, scale)


@cache
def repoll() -> Repoll:
    """The use case of `repoll`, with production adapters."""
    from milvus_l7.application.engine.repoll import Repoll

    age = timedelta(seconds=_settings().outbox_age_s)
    return Repoll(_outbox(), SystemClock(), _topology(), age)
