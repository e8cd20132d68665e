"""The verification checklist: pure judgements of what was seen, and the outcome that follows from them.

    1 certificate   2 backends   3 dns   4 tls   5 milvus

`backends` is judged in `shared.domain.backend_state`. `dns` is optional for self-managed certificates: their
clients may reach the address without public DNS, so a mismatch is shown with its remedy and stops nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.domain import untrusted
from shared.domain.outcome import Done, Failed, Outcome, Waiting
from shared.domain.reasons import Reason
from shared.domain.setup import CertificateFacts, Check, CheckState, Facts

CERTIFICATE, BACKENDS, DNS, TLS, MILVUS = "certificate", "backends", "dns", "tls", "milvus"

# What waiting does not heal, but a new run of the earlier stages does.
FINAL = frozenset({Reason.CERTIFICATE_INVALID, Reason.INGRESS_NOT_FOUND, Reason.SERVICE_NOT_FOUND})

_REPEAT = "publish the request again"
_LONGEST_MESSAGE = 400
_SHOWN_SHA256 = 16


def excerpt(text: object, limit: int = 200) -> str:
    """Untrusted text as one printable line of at most `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def passed(name: str, message: str, *, required: bool = True) -> Check:
    """The item is as it should be."""
    return Check(name, CheckState.PASSED, excerpt(message, _LONGEST_MESSAGE), required=required)


def failed(name: str, reason: Reason, message: str, *, required: bool = True) -> Check:
    """The item was looked at, and is not as it should be."""
    return Check(name, CheckState.FAILED, excerpt(message, _LONGEST_MESSAGE), reason, required)


def pending(name: str, reason: Reason, message: str, *, required: bool = True) -> Check:
    """Nothing can be said of the item yet."""
    return Check(name, CheckState.PENDING, excerpt(message, _LONGEST_MESSAGE), reason, required)


def after(name: str, blocking: Check) -> Check:
    """The item was not looked at, because `blocking` comes first."""
    return pending(name, blocking.reason or Reason.INTERNAL_ERROR, f"waits for {blocking.name}")


def is_final(check: Check) -> bool:
    """Whether looking again later cannot help."""
    return check.state is CheckState.FAILED and check.reason in FINAL


def leaf_sha256(pem: str) -> str | None:
    """SHA-256 of the DER of the first certificate in the text, lower-case hex; None if there is none."""
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
    """Whether the TLS Secret still holds the provisioned certificate, in date. Reads `tls.crt` only."""
    place = f"Secret {provisioned.secret}"
    if secret is None:
        return failed(CERTIFICATE, Reason.CERTIFICATE_INVALID, f"{place} is gone; {_REPEAT}")
    found = leaf_sha256(_certificate_text(secret))
    if found is None:
        return failed(CERTIFICATE, Reason.CERTIFICATE_INVALID, f"{place} holds no certificate in tls.crt")
    if found != provisioned.sha256:
        message = (
            f"{place} holds another certificate ({found[:_SHOWN_SHA256]}…) than was provisioned; {_REPEAT}"
        )
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


def dns(domain: str, address: str, found: Collection[str]) -> Check:
    """Whether the domain resolves to the load balancer's address and to nothing else (IPv4 and IPv6)."""
    record = f"create the record `{domain}. A {address}`"
    others = sorted(set(found) - {address})
    if not found:
        message = f"{domain} does not resolve; {record}"
    elif others:
        remove = f"remove what leads to {', '.join(others)}"
        message = f"{domain} does not resolve to {address} alone; {remove}" + (
            "" if address in found else f" and {record}"
        )
    else:
        return passed(DNS, f"{domain} resolves to {address}", required=False)
    return failed(DNS, Reason.DNS_MISMATCH, message, required=False)


def tls(served_sha256: str, served_names: Collection[str], provisioned: CertificateFacts) -> Check:
    """Whether the certificate that the handshake showed is the provisioned one."""
    if served_sha256 == provisioned.sha256:
        return passed(TLS, f"serves the provisioned certificate, {served_sha256[:_SHOWN_SHA256]}…")
    names = excerpt(", ".join(served_names) or "no name", 120)
    message = (
        f"serves certificate {served_sha256[:_SHOWN_SHA256]}… for {names}; "
        f"provisioned is {provisioned.sha256[:_SHOWN_SHA256]}…"
    )
    return failed(TLS, Reason.OTHER_CERTIFICATE_SERVED, message)


def confirmed(backends: Check) -> Check:
    """`backends` after Milvus has answered through the load balancer, which outranks an older report.

    The controller refreshes its report only when it syncs, up to ten minutes later (kubernetes/ingress-gce,
    flag sync-period), and a load balancer without a healthy backend answers 5xx: an answer proves health.
    """
    if backends.state is CheckState.PASSED:
        return backends
    return passed(BACKENDS, f"Milvus answers; the load balancer's last report is older: {backends.message}")


def outcome(facts: Facts) -> Outcome:
    """What the stage reports: done when every required item has passed, else the first that has not."""
    blocking = next((c for c in facts.checklist if c.required and c.state is not CheckState.PASSED), None)
    if blocking is None:
        return Done(facts)
    kind = Failed if is_final(blocking) else Waiting
    return kind(blocking.reason or Reason.INTERNAL_ERROR, f"{blocking.name}: {blocking.message}", facts)


def verified(facts: Facts, checklist: tuple[Check, ...], milvus_version: str | None) -> Facts:
    """The facts with a new checklist; the last known Milvus version stays if it could not be read."""
    return replace(facts, checklist=checklist, milvus_version=milvus_version or facts.milvus_version)
