"""The last stage: work through the verification checklist, from outside, as a client would."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from milvus_l7.application.dns import lookups
from milvus_l7.application.verification import snapshot
from milvus_l7.application.verification.snapshot import VerificationSnapshot
from milvus_l7.domain.dns.diagnosis import Lookup
from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.domain.setup import checks
from milvus_l7.domain.setup.document import Setup, service_of
from milvus_l7.domain.setup.facts import Check, CheckState, Facts, ManagedFacts
from milvus_l7.domain.setup.outcome import Done, Outcome, Waiting
from milvus_l7.domain.text import excerpt
from milvus_l7.domain.verification import checklist, issuance
from milvus_l7.ports import Connections, EndpointProbe, Frontends, Resolver, Rollouts


@dataclass(frozen=True, slots=True)
class VerifyEndpoint:
    """Reads, resolves, shakes hands, talks to Milvus, and then removes what is no longer served with.

    With `deep_verification` a throw-away collection is created in Milvus, and dropped.
    """

    connections: Connections
    rollouts: Rollouts
    frontends: Frontends
    probe: EndpointProbe
    resolver: Resolver

    def __call__(self, setup: Setup, now: datetime) -> Outcome:
        """Return `Done` if all required items have passed, else `Waiting` or `Failed` for the first open one.

        Nothing is written until then. After that a certificate that the wanted one has replaced is retired,
        and the end point verified once more; when nothing is left to retire, a second run writes nothing.
        Raises `Permanent` if facts of earlier stages are missing, and `Transient(ADDRESS_PENDING)`.
        """
        objects = self.connections.objects(setup.desired.cluster)
        frontend = self.frontends.of(setup, service_of(setup))
        scene = snapshot.gather(objects, setup, frontend.observe(now))
        facts, outcome = self._verified(scene, now)
        verified = isinstance(outcome, Done)
        if not verified and not _may_be_hidden(facts):
            return outcome
        verified_frontend = self.frontends.of(replace(setup, facts=facts), service_of(setup))
        retired = verified_frontend.retire(now, verified=verified)
        return Waiting(Reason.RETIRING_CERTIFICATE, _words(retired), facts) if retired else outcome

    def _verified(self, scene: VerificationSnapshot, now: datetime) -> tuple[Facts, Outcome]:
        """Work through the checklist, and return the facts with it and the outcome.

        Every item is looked at that says something: an unhealthy report does not keep TLS and Milvus from
        being tried, because the report may be old, and because the most precise cause helps most. But Milvus
        is not asked before all of its Pods run: it may be about to stop.
        """
        found = self._look_up(scene)
        rollout = self.rollouts.check(scene.setup.desired, service_of(scene.setup), now)
        certificate = _certificate(scene, found, now)
        backends = checklist.held_up(self._explained(scene.frontend.backends(), scene), rollout)
        blocking = next((check for check in (certificate, backends) if checklist.is_final(check)), None)
        tls = checks.after(checks.TLS, blocking) if blocking else self._tls(scene)
        milvus, version = self._milvus(scene, next(filter(checklist.is_open, (rollout, tls)), None))
        if milvus.state is CheckState.PASSED:
            backends = checklist.confirmed(backends)
        items = (rollout, certificate, backends, _dns(scene, found), tls, milvus)
        addressed = replace(scene.setup.facts, address=scene.endpoint.address)
        facts = checklist.verified(addressed, items, version)
        return facts, checklist.outcome(facts)

    def _look_up(self, scene: VerificationSnapshot) -> dict[str, Lookup]:
        managed = scene.managed
        if managed is None:
            return dict(lookups.look_up(self.resolver, (scene.endpoint.domain,), ()))
        waits = issuance.unissued(scene.certificate, managed)
        return dict(lookups.look_up(self.resolver, managed.domains, waits))

    def _tls(self, scene: VerificationSnapshot) -> Check:
        try:
            if scene.managed is not None:
                return self._managed_tls(scene, scene.managed)
            served = self.probe.served_certificate(scene.endpoint)
            check = checklist.tls(served, snapshot.secret_of(scene.setup))
            return checklist.held_back(check, lambda: scene.warning)
        except Transient as error:
            return self._explained(checks.failed(checks.TLS, error.reason, error.message), scene)

    def _explained(self, check: Check, scene: VerificationSnapshot) -> Check:
        return checklist.explained(check, lambda: scene.warning, lambda: scene.frontend.unseen)

    def _managed_tls(self, scene: VerificationSnapshot, wanted: ManagedFacts) -> Check:
        """Judge by one handshake, for the setup's own domain.

        More are needed only if that shows a certificate without the others. An earlier certificate for fewer
        domains may be shown for those; the wanted one is then seen at a domain that only it covers.
        """
        served = self.probe.served_certificate(scene.endpoint)
        check = checklist.managed_tls(served, scene.endpoint.domain, wanted, scene.provisioned)
        for domain in wanted.domains:
            if check.state is not CheckState.PASSED or served.stands_for(domain):
                continue
            served = self.probe.served_certificate(replace(scene.endpoint, domain=domain))
            check = checklist.managed_tls(served, domain, wanted, scene.provisioned)
        return check

    def _milvus(self, scene: VerificationSnapshot, blocking: Check | None) -> tuple[Check, str | None]:
        if blocking is not None:
            return checks.after(checks.MILVUS, blocking), None
        try:
            version = self.probe.milvus_version(scene.endpoint, deep=scene.setup.desired.deep_verification)
        except Transient as error:
            return _milvus_failure(scene, error), None
        shown = excerpt.excerpt(version, 64)
        return checks.passed(checks.MILVUS, f"Milvus {shown} answers"), shown


def _certificate(scene: VerificationSnapshot, found: dict[str, Lookup], now: datetime) -> Check:
    if scene.managed is not None:
        return issuance.certificate(scene.issuance(found))
    return checklist.certificate(scene.certificate, snapshot.secret_of(scene.setup), now)


def _dns(scene: VerificationSnapshot, found: dict[str, Lookup]) -> Check:
    if scene.managed is not None:
        return issuance.dns(scene.issuance(found))
    domain = scene.endpoint.domain
    return checklist.dns(domain, scene.endpoint.address, found[domain])


def _milvus_failure(scene: VerificationSnapshot, error: Transient) -> Check:
    """Tell the commonest cause by name: one that health checks do not see."""
    problem = scene.frontend.protocol_problem()
    if problem is not None:
        return checks.failed(checks.MILVUS, Reason.BACKEND_NOT_HTTP2, problem)
    return checks.failed(checks.MILVUS, error.reason, error.message)


def _may_be_hidden(facts: Facts) -> bool:
    """Return whether the wanted certificate may be hidden behind others, or held back by one that is broken.

    The handshake is looked at only when the wanted one is good; whether anything hides it, `retire` sees.
    """
    hidden = (Reason.OTHER_CERTIFICATE_SERVED, Reason.TLS_ENTRY_WITHOUT_SECRET)
    return any(check.name == checks.TLS and check.reason in hidden for check in facts.checklist)


def _words(retired: Plan) -> str:
    targets = ", ".join(dict.fromkeys(change.target for change in retired))
    return excerpt.excerpt(f"removed or detached: {targets}", 400)
