"""The verification checklist: pure judgements of what was seen, and the outcome that follows from them.

    1 rollout   2 certificate   3 backends   4 dns   5 tls   6 milvus

`rollout` is judged in `release.rollout`, `backends` in `frontend.backend_health`; `certificate` and `dns` of
a Google-managed certificate in `issuance`. `dns` is optional for self-managed certificates: their clients may
reach the address without public DNS, so a mismatch is shown with its remedy and stops nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from milvus_l7.domain.certificates.served_certificate import ServedCertificate, shortened
from milvus_l7.domain.dns import diagnosis
from milvus_l7.domain.dns.diagnosis import Lookup
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.checks import BACKENDS, CERTIFICATE, DNS, TLS, after, failed, passed, pending
from milvus_l7.domain.setup.facts import CertificateFacts, Check, CheckState, Facts, ManagedFacts
from milvus_l7.domain.setup.outcome import Done, Failed, Outcome, Waiting
from milvus_l7.domain.text import untrusted
from milvus_l7.domain.text.excerpt import excerpt

_LONGEST_VERSION = 100  # characters; the server may be anybody's

# What waiting does not heal, but a new run of the earlier stages does.
FINAL = frozenset(
    {
        Reason.CERTIFICATE_FAILED_PERMANENTLY,
        Reason.CERTIFICATE_INVALID,
        Reason.INGRESS_CLASS_CHANGED,
        Reason.INGRESS_NOT_FOUND,
        Reason.MANAGED_CERTIFICATE_GONE,
        Reason.SERVICE_NOT_FOUND,
    }
)

# What says of the backends no more than that their Pods do not run yet.
_OF_PODS = (Reason.BACKENDS_UNHEALTHY, Reason.BACKENDS_UNHEALTHY_PODS_READY)

_REPEAT = "publish the request again"


def is_open(check: Check) -> bool:
    """Return whether the item has not passed."""
    return check.state is not CheckState.PASSED


def is_final(check: Check) -> bool:
    """Return whether looking again later cannot help."""
    return check.state is CheckState.FAILED and check.reason in FINAL


def leaf_sha256(pem: str) -> str | None:
    """Return the SHA-256 of the DER of the first certificate in the text, lower-case hex.

    None if there is no certificate.
    """
    start = pem.find(ssl.PEM_HEADER)
    end = pem.find(ssl.PEM_FOOTER, start)
    if start < 0 or end < 0:
        return None
    try:
        der = ssl.PEM_cert_to_DER_cert(pem[start : end + len(ssl.PEM_FOOTER)])
    except ValueError:
        return None
    return hashlib.sha256(der).hexdigest()


def certificate(secret: Mapping[str, Any] | None, provisioned: CertificateFacts, now: datetime) -> Check:
    """Return whether the Secret still holds the provisioned certificate, in date. Reads `tls.crt` only."""
    place = f"Secret {provisioned.secret}"
    if secret is None:
        return failed(CERTIFICATE, Reason.CERTIFICATE_INVALID, f"{place} is gone; {_REPEAT}")
    found = leaf_sha256(_certificate_text(secret))
    if found is None:
        return failed(CERTIFICATE, Reason.CERTIFICATE_INVALID, f"{place} holds no certificate in tls.crt")
    if found != provisioned.sha256:
        message = f"{place} holds another certificate ({shortened(found)}) than was provisioned; {_REPEAT}"
        return failed(CERTIFICATE, Reason.CERTIFICATE_INVALID, message)
    if provisioned.not_after <= now:
        message = f"the certificate in {place} expired at {provisioned.not_after:%Y-%m-%d %H:%M} UTC"
        return failed(CERTIFICATE, Reason.CERTIFICATE_INVALID, message)
    return passed(CERTIFICATE, f"{place}, valid until {provisioned.not_after:%Y-%m-%d}")


def _certificate_text(secret: Mapping[str, Any]) -> str:
    encoded = untrusted.text(untrusted.mapping(secret, "data").get("tls.crt"))
    try:
        return base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def dns(domain: str, address: str, lookup: Lookup) -> Check:
    """Return whether the domain resolves to the load balancer's address and to nothing else; optional."""
    if lookup.problem:
        return pending(DNS, Reason.DNS_LOOKUP_FAILED, lookup.problem, required=False)
    fault = diagnosis.address_fault(domain, address, lookup)
    if fault is None:
        return passed(DNS, f"{domain} resolves to {address}", required=False)
    return failed(DNS, Reason.DNS_MISMATCH, fault.message, required=False)


def tls(served: ServedCertificate, provisioned: CertificateFacts) -> Check:
    """Return whether the certificate that the handshake showed is the provisioned one of the Secret."""
    if served.sha256 == provisioned.sha256:
        return passed(TLS, f"serves the provisioned certificate, {shortened(served.sha256)}")
    message = f"{served}; provisioned is {shortened(provisioned.sha256)}"
    return failed(TLS, Reason.OTHER_CERTIFICATE_SERVED, message)


def managed_tls(
    served: ServedCertificate, domain: str, wanted: ManagedFacts, replaced: CertificateFacts | None
) -> Check:
    """Return whether the certificate that is shown for one domain can be a Google-managed one.

    Its hash is not known, so it must not be the Secret's, cover the domain, and be vouched for by the
    system's roots. It may be an earlier managed one that covers the domain too: their controller sorts them,
    so which is shown is not ours to say (gke-managed-certs `pkg/controller/sync`). After the certificate is
    Active it takes minutes more until every front end shows it (gke-managed-certs#39).
    """
    if replaced is not None and served.sha256 == replaced.sha256:
        problem = f"still the one of Secret {replaced.secret}, not ManagedCertificate {wanted.name}'s"
    elif not served.stands_for(domain):
        problem = f"which does not cover {domain}"
    elif served.distrust:
        problem = f"which no client trusts by the system's roots: {excerpt(served.distrust)}"
    else:
        return passed(TLS, f"{served}, trusted by the system's roots")
    return failed(TLS, Reason.OTHER_CERTIFICATE_SERVED, f"{served}, {problem}")


def explained(
    check: Check, look: Callable[[], Condition | None], unseen: Callable[[], str] = lambda: ""
) -> Check:
    """Tell what is not there yet, because the controller cannot build it, by the controller's warning.

    Another check comes back as it is. `look` is called only if it can explain something; `unseen` says what
    it could not see.
    """
    not_there = check.state is CheckState.PENDING or check.reason is Reason.TLS_NOT_SERVED
    if check.state is CheckState.PASSED or not not_there:
        return check
    warning = look()
    if warning is None:
        return noted(check, unseen())
    return failed(check.name, warning.reason, warning.message, required=check.required)


def held_back(check: Check, look: Callable[[], Condition | None]) -> Check:
    """Tell why another certificate is served, if the controller cannot give the load balancer the wanted one.

    Another check comes back as it is. `look` is called only if it can explain something.
    """
    if check.reason is not Reason.OTHER_CERTIFICATE_SERVED:
        return check
    warning = look()
    if warning is None:
        return check
    return failed(check.name, warning.reason, f"{check.message}; {warning.message}", required=check.required)


def noted(check: Check, note: str) -> Check:
    """Return the check with a note behind its message, if there is one."""
    return replace(check, message=excerpt(f"{check.message}; {note}", 600)) if note else check


def held_up(backends: Check, rollout: Check) -> Check:
    """Return `backends` as waiting for the roll-out, if they are unhealthy and nothing tells why.

    What the controllers complain about does not come from the Pods, and is told at once.
    """
    is_explained = backends.reason not in _OF_PODS
    return backends if is_explained or not is_open(rollout) else after(BACKENDS, rollout)


def confirmed(backends: Check) -> Check:
    """Return `backends` after Milvus has answered through the load balancer, which outranks an older report.

    The controller refreshes its report only when it syncs, up to ten minutes later (kubernetes/ingress-gce,
    flag sync-period), and a load balancer without a healthy backend answers 5xx: an answer proves health.
    """
    if backends.state is CheckState.PASSED:
        return backends
    return passed(BACKENDS, f"Milvus answers; the load balancer's last report is older: {backends.message}")


def outcome(facts: Facts) -> Outcome:
    """Return what the stage reports: done if every required item has passed, else the first that has not.

    One that waiting does not heal comes before those that others wait for.
    """
    blocking = [check for check in facts.checklist if check.required and is_open(check)]
    if not blocking:
        return Done(facts)
    return _blocked(next(filter(is_final, blocking), blocking[0]), facts)


def _blocked(blocking: Check, facts: Facts) -> Waiting | Failed:
    kind = Failed if is_final(blocking) else Waiting
    return kind(blocking.reason or Reason.INTERNAL_ERROR, f"{blocking.name}: {blocking.message}", facts)


def verified(facts: Facts, checklist: tuple[Check, ...], milvus_version: str | None) -> Facts:
    """Return the facts with a new checklist; the last known Milvus version stays if it could not be read."""
    version = excerpt(milvus_version, _LONGEST_VERSION) if milvus_version else facts.milvus_version
    return replace(facts, checklist=checklist, milvus_version=version)
