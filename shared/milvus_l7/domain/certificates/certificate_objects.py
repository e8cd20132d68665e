"""The Kubernetes objects that hold certificates, as JSON: TLS Secrets and ManagedCertificates.

Names: a Service's name has at most 63 characters (RFC 1035 label), and names of the other kinds may have 253
(RFC 1123 subdomain), so a Service's name with a suffix always fits.
"""

from __future__ import annotations

import re
from base64 import b64encode

from milvus_l7.domain.certificates.key_pair import TLS_TYPE, KeyPair
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.kubernetes.manifests import Manifest, metadata
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.setup.facts import ServiceFacts

_TLS_SUFFIX = re.compile(r"-tls(?:-(?P<number>[2-9]|[1-9][0-9]+))?")


def tls_name(service: str, number: int = 1) -> str:
    """Return what the Service's certificates are called, Secrets and ManagedCertificates alike.

    `<service>-tls`, then `<service>-tls-2`, ...: a second one is made when the first must serve on in the
    meantime.
    """
    return f"{service}-tls" if number == 1 else f"{service}-tls-{number}"


def tls_number(service: str, name: str) -> int | None:
    """Return which of the Service's certificates the name says: 1, 2, ...; None for one that we never give.

    The name alone does not make an object ours: see `is_ours`.
    """
    match = _TLS_SUFFIX.fullmatch(name.removeprefix(service)) if name.startswith(service) else None
    return int(match["number"] or 1) if match else None


def secret_name(service: ServiceFacts, number: int = 1) -> str:
    """Return the name of a TLS Secret that we issue, numbered from 1."""
    return tls_name(service.name, number)


def secret_number(service: ServiceFacts, name: str) -> int | None:
    """Return which of the Secrets that we issue has this name; None if none of them can have it."""
    return tls_number(service.name, name)


def tls_secret(desired: Desired, name: str, pair: KeyPair) -> Manifest:
    """Return the Secret that holds a key and its certificate, with our label. Must not be logged."""
    files = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    return {
        **kinds.SECRET.header(),
        "metadata": metadata(desired, name),
        "type": TLS_TYPE,
        "data": {key: b64encode(pem.encode()).decode() for key, pem in files.items()},
    }


def managed_certificate(desired: Desired, name: str) -> Manifest:
    """Return the ManagedCertificate for the desired domains, with our label.

    It must never be applied again with other domains: the controller would delete the certificate that
    serves.
    """
    return {
        **kinds.MANAGED_CERTIFICATE.header(),
        "metadata": metadata(desired, name),
        "spec": {"domains": list(desired.domains)},
    }
