"""The last stage: work through the verification checklist, from outside, as a client would."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain import backend_state, checklist, ingress_state, manifests
from shared.domain.errors import Permanent, Transient
from shared.domain.outcome import Outcome
from shared.domain.reasons import Reason
from shared.domain.setup import CertificateFacts, Check, CheckState, ServiceFacts, Setup
from shared.ports import Connections, Endpoint, EndpointProbe, KubeObjects, Manifest, ObjectRef, Resolver


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the checks look at."""

    provisioned: CertificateFacts
    port: ServiceFacts
    endpoint: Endpoint
    secret: Manifest | None
    service: Manifest | None
    ingress: Manifest | None


@dataclass(frozen=True, slots=True)
class VerifyEndpoint:
    """Reads, resolves, shakes hands, and talks to Milvus; writes nothing to Kubernetes.

    With `deep_verification` a throw-away collection is created in Milvus, and dropped.
    """

    connections: Connections
    probe: EndpointProbe
    resolver: Resolver

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """`Done` when all required items have passed, else `Waiting` or `Failed` for the first that has not.

        Every item is looked at that says something: an unhealthy report does not keep TLS and Milvus from
        being tried, because the report may be old, and because the most precise cause helps most.
        """
        scene = _scene(self.connections.objects(setup.desired.cluster), setup)
        certificate = checklist.certificate(scene.secret, scene.provisioned, now)
        backends = backend_state.backends(scene.ingress, scene.service, scene.port)
        blocking = next((check for check in (certificate, backends) if checklist.is_final(check)), None)
        tls = checklist.after(checklist.TLS, blocking) if blocking else self._tls(scene)
        milvus, version = self._milvus(scene, tls, deep=setup.desired.deep_verification)
        if milvus.state is CheckState.PASSED:
            backends = checklist.confirmed(backends)
        checks = (certificate, backends, self._dns(scene.endpoint), tls, milvus)
        facts = replace(setup.facts, address=scene.endpoint.address)
        return checklist.outcome(checklist.verified(facts, checks, version))

    def _dns(self, endpoint: Endpoint) -> Check:
        try:
            found = self.resolver.resolve(endpoint.domain)
        except Transient as error:
            return checklist.pending(checklist.DNS, error.reason, error.message, required=False)
        return checklist.dns(endpoint.domain, endpoint.address, (*found.ipv4, *found.ipv6))

    def _tls(self, scene: _Scene) -> Check:
        try:
            served = self.probe.served_certificate(scene.endpoint)
        except Transient as error:
            return checklist.failed(checklist.TLS, error.reason, error.message)
        return checklist.tls(served.sha256, served.names, scene.provisioned)

    def _milvus(self, scene: _Scene, tls: Check, *, deep: bool) -> tuple[Check, str | None]:
        if tls.state is not CheckState.PASSED:
            return checklist.after(checklist.MILVUS, tls), None
        try:
            version = self.probe.milvus_version(scene.endpoint, deep=deep)
        except Transient as error:
            return _milvus_failure(scene, error), None
        shown = checklist.excerpt(version, 64)
        return checklist.passed(checklist.MILVUS, f"Milvus {shown} answers"), shown


def _milvus_failure(scene: _Scene, error: Transient) -> Check:
    """The commonest cause, and one that health checks do not see, is told by name."""
    problem = backend_state.protocol_problem(scene.service, scene.port) if scene.service else None
    if problem is not None:
        return checklist.failed(checklist.MILVUS, Reason.BACKEND_NOT_HTTP2, problem)
    return checklist.failed(checklist.MILVUS, error.reason, error.message)


def _scene(objects: KubeObjects, setup: Setup) -> _Scene:
    namespace, facts, port = setup.desired.namespace, setup.facts, manifests.service_of(setup)
    if facts.certificate is None:
        raise Permanent(Reason.SECRET_NOT_FOUND, "no certificate is known for the setup; set it up again")
    ingress = objects.get(ObjectRef("networking.k8s.io/v1", "Ingress", namespace, port.name))
    # The controller may have moved to another address since (kubernetes/ingress-gce, LIMITATIONS.md).
    address = ingress_state.address(ingress) or facts.address
    if address is None:
        raise Transient(Reason.ADDRESS_PENDING, f"Ingress {port.name} reports no address")
    return _Scene(
        provisioned=facts.certificate,
        port=port,
        endpoint=Endpoint(address, setup.desired.domain, facts.certificate.pem),
        secret=objects.get(ObjectRef("v1", "Secret", namespace, facts.certificate.secret)),
        service=objects.get(ObjectRef("v1", "Service", namespace, port.name)),
        ingress=ingress,
    )
