"""Key pairs in TLS Secrets: reading them, and judging whether one can serve a domain. Both are untrusted."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.facts import CertificateFacts

TLS_TYPE = "kubernetes.io/tls"
EXPIRY_NOTICE = timedelta(days=30)

# More than any chain needs; what is public of it is kept in the setup document.
LARGEST_PEM = 64 * 1024
# Compute Engine, sslCertificates.certificate: "no greater than 5 certs long".
LONGEST_CHAIN = 5
_BEGINNING = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """A private key and the certificate chain that belongs to it. Never printed, logged or stored."""

    key_pem: str
    certificate_pem: str  # as found: it may hold more than certificates


@dataclass(frozen=True, slots=True)
class CertificateView:
    """What a key pair says of itself."""

    sha256: str  # of the leaf's DER, lower-case hex
    names: tuple[str, ...]  # DNS names of the leaf's subject alternative name
    not_before: datetime
    not_after: datetime
    is_pair: bool  # whether the key belongs to the leaf
    chain_pem: str  # the certificates alone, leaf first, written anew: nothing else of the Secret is in it


def pair_in(secret: Mapping[str, Any]) -> KeyPair:
    """Return the key pair in a TLS Secret's two entries, decoded but not judged.

    Raises `Permanent(CERTIFICATE_INVALID)` if the Secret has another type or lacks an entry.
    """
    if secret.get("type") != TLS_TYPE:
        name, found = secret["metadata"]["name"], secret.get("type", "Opaque")
        raise invalid(f"Secret {name} is of type {found!r:.80}, not {TLS_TYPE}")
    return entries_of(secret)


def entries_of(secret: Mapping[str, Any]) -> KeyPair:
    """Return the key pair in the two entries of a Secret of any type, as GKE's controllers read it.

    Raises `Permanent(CERTIFICATE_INVALID)` if the Secret lacks an entry.
    """
    name = secret["metadata"]["name"]
    entries = secret.get("data") or {}
    return KeyPair(key_pem=_text(name, entries, "tls.key"), certificate_pem=_text(name, entries, "tls.crt"))


def fault(view: CertificateView, domain: str, now: datetime) -> str | None:
    """Return the first thing that keeps the pair from serving the domain now; None if nothing does."""
    return defect(view, now) or mismatch(view, domain)


def mismatch(view: CertificateView, domain: str) -> str | None:
    """Return which names the certificate has instead of the domain; None if it covers it."""
    if any(covers(name, domain) for name in view.names):
        return None
    listed = ", ".join(view.names[:5])[:200] or "none"
    return f"the certificate's subject alternative names ({listed}) do not cover {domain}"


def defect(view: CertificateView, now: datetime) -> str | None:
    """Return the first thing that keeps the pair from serving any domain now; None if nothing does."""
    if view.is_pair and not view.names:
        return "the certificate has no DNS name"
    return refusal(view, now)


def refusal(view: CertificateView, now: datetime) -> str | None:
    """Return why a load balancer cannot take the pair, or could serve nobody with it; None if it can."""
    if not view.is_pair:
        return "tls.key is not the key of the certificate in tls.crt"
    if view.chain_pem.count(_BEGINNING) > LONGEST_CHAIN:
        return f"tls.crt holds more than {LONGEST_CHAIN} certificates"
    if view.not_before > now:
        return f"the certificate is not valid before {view.not_before.isoformat()}"
    if view.not_after <= now:
        return f"the certificate expired at {view.not_after.isoformat()}"
    return None


def notice(validity_days: int) -> timedelta:
    """Return how long before its end a certificate is reported, and may be replaced.

    A month, or a third of its life if that is shorter.
    """
    return min(EXPIRY_NOTICE, timedelta(days=validity_days) / 3)


def facts(secret: str, view: CertificateView) -> CertificateFacts:
    """Return the public half of the pair in the Secret of that name."""
    return CertificateFacts(secret, view.chain_pem, view.sha256, view.not_after)


def invalid(message: str) -> Permanent:
    """Return the refusal of a key pair, for `raise`. The message must hold nothing of the Secret's values."""
    return Permanent(Reason.CERTIFICATE_INVALID, message)


def _text(name: str, entries: Mapping[str, Any], key: str) -> str:
    value = entries.get(key)
    if not isinstance(value, str) or not value:
        raise invalid(f"Secret {name} has no {key}")
    if len(value) > LARGEST_PEM * 4 / 3:
        raise invalid(f"{key} of Secret {name} is larger than {LARGEST_PEM // 1024} KiB")
    try:
        return b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        # Not chained: the cause would carry the Secret's bytes.
        raise invalid(f"{key} of Secret {name} is not base64 of PEM text") from None


def covers(name: str, domain: str) -> bool:
    """Return whether a name on a certificate stands for the domain.

    RFC 6125: case does not matter, and a wildcard stands for exactly one label.
    """
    pattern, wanted = name.lower().rstrip("."), domain.lower()
    if pattern.startswith("*."):
        _, _, parent = wanted.partition(".")
        return parent == pattern[2:]
    return pattern == wanted
