"""Why a Google-managed certificate is not in use yet: the one cause that is worth telling.

    gone -> failed for good -> not attached (the events of the certificate, of the Ingress)
         -> DNS -> CAA -> the Ingress' warnings -> rate limit -> patience

Source: GoogleCloudPlatform/gke-managed-certs `pkg/config`, `pkg/controller/sync`, and the documentation of
Compute Engine's SslCertificate. ManagedCertificate and Ingress are untrusted: odd content is "not reported".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from milvus_l7.domain.certificates import managed_certificate
from milvus_l7.domain.certificates.managed_certificate import ACTIVE, FAILED, RENEWAL_FAILED
from milvus_l7.domain.dns import diagnosis
from milvus_l7.domain.dns.diagnosis import Lookup
from milvus_l7.domain.frontend.ingress_objects import MANAGED_CERTIFICATES
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup import checks
from milvus_l7.domain.setup.facts import Check, ManagedFacts
from milvus_l7.domain.text import excerpt, untrusted

_RATE_LIMITED = "FailedRateLimited"
_SHOWN = 3  # domains that are shown of a longer list

# Something is still being done about these, so the item is pending rather than failed.
_IN_PROGRESS = frozenset({Reason.CERTIFICATE_PROVISIONING, Reason.CERTIFICATE_NOT_ATTACHED})


@dataclass(frozen=True)
class CertificateObservation:
    """What cluster and DNS say, and what is wanted of them."""

    wanted: ManagedFacts
    address: str  # of the load balancer
    live: Manifest | None  # the ManagedCertificate
    attached: tuple[str, ...] = ()  # ManagedCertificates that the Ingress names
    loaded: tuple[str, ...] = ()  # certificates that the load balancer has, by their own names
    read_warning: Callable[[], Condition | None] = lambda: None  # what the Ingress' events say
    lookups: Mapping[str, Lookup] = field(
        default_factory=dict
    )  # by domain; one that is missing is not judged
    read_complaint: Callable[[], Condition | None] = lambda: None  # what the certificate's events say
    unseen: Callable[[], str] = lambda: ""  # what could not be looked at

    @cached_property
    def complaint(self) -> Condition | None:
        """Return what the ManagedCertificate's events say; asked for only when it is not attached."""
        return self.read_complaint()

    @cached_property
    def warning(self) -> Condition | None:
        """Return what the Ingress' events say; asked for only when something is to be explained."""
        return self.read_warning()


def certificate(scene: CertificateObservation) -> Check:
    """Return the item `certificate`: whether the certificate is issued for every domain and attached."""
    found = _fault(scene)
    if found is None:
        expiry = untrusted.text(untrusted.mapping(scene.live, "status").get("expireTime"))
        until = f", valid until {excerpt.excerpt(expiry, 40)}" if expiry else ""
        return checks.passed(checks.CERTIFICATE, f"ManagedCertificate {scene.wanted.name}{until}")
    state = checks.pending if found.reason in _IN_PROGRESS else checks.failed
    note = scene.unseen() if found.reason in _IN_PROGRESS else ""
    return state(checks.CERTIFICATE, found.reason, "; ".join(filter(None, (found.message, note))))


def dns(scene: CertificateObservation) -> Check:
    """Return the item `dns`: whether every domain leads to the load balancer alone."""
    found = _first(scene, scene.wanted.domains, _address_fault)
    if found is None:
        domains = _listed(scene.wanted.domains)
        return checks.passed(checks.DNS, f"{domains} -> {scene.address}")
    state = checks.pending if found.reason is Reason.DNS_LOOKUP_FAILED else checks.failed
    return state(checks.DNS, found.reason, found.message)


def unissued(live: Manifest | None, wanted: ManagedFacts) -> tuple[str, ...]:
    """Return the domains whose DNS and CAA records matter now: the certificate is not Active for them.

    All of them if it is not Active although each domain is reported so.
    """
    states = _domain_states(live)
    waits = tuple(domain for domain in wanted.domains if states.get(domain) != ACTIVE)
    return waits or (() if _status(live) == ACTIVE else wanted.domains)


def _fault(scene: CertificateObservation) -> Condition | None:
    view = managed_certificate.view(scene.live) if scene.live is not None else None
    name = f"ManagedCertificate {scene.wanted.name}"
    if view is None or view.is_terminating:
        return Condition(Reason.MANAGED_CERTIFICATE_GONE, f"{name} is gone")
    if set(view.domains) != set(scene.wanted.domains):
        return Condition(Reason.MANAGED_CERTIFICATE_GONE, f"{name} is now for {_listed(view.domains)}")
    if view.has_failed:
        message = f"{name} has failed for good{_reported(scene)}{_behind(scene)}"
        return Condition(Reason.CERTIFICATE_FAILED_PERMANENTLY, message)
    return _unattached(scene) or _unfinished(scene)


def _unattached(scene: CertificateObservation) -> Condition | None:
    wanted, status = scene.wanted.name, untrusted.mapping(scene.live, "status")
    if wanted not in scene.attached:
        found = _listed(scene.attached)
        message = f"the Ingress' annotation {MANAGED_CERTIFICATES} names {found}, not {wanted}"
        return Condition(Reason.CERTIFICATE_NOT_ATTACHED, f"{message}; publish the request again")
    certificate_name = untrusted.text(status.get("certificateName"))
    if certificate_name and certificate_name in scene.loaded:
        return None
    cause = scene.complaint or scene.warning
    if cause is not None:
        return cause
    if not certificate_name:
        return Condition(
            Reason.CERTIFICATE_NOT_ATTACHED,
            f"GKE has not taken up ManagedCertificate {wanted} yet; it looks every ten minutes",
        )
    message = (
        f"certificate {certificate_name} of ManagedCertificate {wanted} is not on the load balancer yet; "
        "GKE looks every ten minutes"
    )
    return Condition(Reason.CERTIFICATE_NOT_ATTACHED, message)


def _unfinished(scene: CertificateObservation) -> Condition | None:
    waits, name = unissued(scene.live, scene.wanted), f"ManagedCertificate {scene.wanted.name}"
    if not waits:
        return None
    if _status(scene.live) == RENEWAL_FAILED:
        expiry = (
            untrusted.text(untrusted.mapping(scene.live, "status").get("expireTime")) or "an unknown time"
        )
        message = f"{name} could not be renewed; the old certificate is served until {expiry}{_behind(scene)}"
        return Condition(Reason.CERTIFICATE_RENEWAL_FAILED, message)
    return _cause(scene) or scene.warning or _patience(scene, waits)


def _patience(scene: CertificateObservation, waits: Sequence[str]) -> Condition:
    """Return how far Google is, at its own pace: nothing is left that anybody could correct."""
    states = _domain_states(scene.live)
    limited = [domain for domain in waits if states.get(domain) == _RATE_LIMITED]
    if limited:
        return Condition(
            Reason.CERTIFICATE_RATE_LIMITED, f"the authority limits the rate for {_listed(limited)}"
        )
    state = _status(scene.live) or "not reported on yet"
    has_failed = state == FAILED or bool(_reported(scene))
    message = f"ManagedCertificate {scene.wanted.name} is {state}{_reported(scene)}"
    right = "; DNS is right, Google tries again" if has_failed else ""
    return Condition(Reason.CERTIFICATE_PROVISIONING, f"{message}{right}; GKE looks every ten minutes")


def _cause(scene: CertificateObservation) -> Condition | None:
    """Return what the user can correct for the domains that the certificate is not issued for."""
    waits = unissued(scene.live, scene.wanted)
    return _first(scene, waits, _address_fault) or _first(scene, waits, _caa_fault)


def _behind(scene: CertificateObservation) -> str:
    cause = _cause(scene)
    return f"; {cause.message}" if cause else ""


def _address_fault(scene: CertificateObservation, domain: str) -> Condition | None:
    lookup = scene.lookups.get(domain)
    return diagnosis.address_fault(domain, scene.address, lookup) if lookup else None


def _caa_fault(scene: CertificateObservation, domain: str) -> Condition | None:
    lookup = scene.lookups.get(domain)
    return diagnosis.caa_fault(domain, lookup) if lookup else None


def _first(
    scene: CertificateObservation,
    domains: Sequence[str],
    judge: Callable[[CertificateObservation, str], Condition | None],
) -> Condition | None:
    """Return the first fault, with the other domains that have one.

    A failed look-up counts only for want of more.
    """
    faults = {domain: found for domain in domains if (found := judge(scene, domain))}
    known = {d: found for d, found in faults.items() if found.reason is not Reason.DNS_LOOKUP_FAILED}
    told = known or faults
    if not told:
        return None
    first, *others = told
    also = f" (and {len(others)} more of {len(domains)} domains: {_listed(others)})" if others else ""
    return Condition(told[first].reason, told[first].message + also)


def _status(live: Manifest | None) -> str:
    return excerpt.excerpt(untrusted.text(untrusted.mapping(live, "status").get("certificateStatus")), 40)


def _domain_states(live: Manifest | None) -> Mapping[str, str]:
    entries = untrusted.objects(untrusted.mapping(live, "status").get("domainStatus"))
    return {
        untrusted.text(entry.get("domain")): excerpt.excerpt(untrusted.text(entry.get("status")), 40)
        for entry in entries
    }


def _reported(scene: CertificateObservation) -> str:
    """Return what GKE last said of the domains that failed, in parentheses; "" if none has."""
    states = _domain_states(scene.live)
    failed = [f"{d} {states[d]}" for d in scene.wanted.domains if states.get(d, "").startswith("Failed")]
    return f" (last attempt: {_listed(failed)})" if failed else ""


def _listed(texts: Sequence[str]) -> str:
    return excerpt.excerpt(excerpt.listed(texts, _SHOWN)) or "nothing"
