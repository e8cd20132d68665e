"""What is wanted of a setup: a request with its defaults filled in, and the id that names it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

SetupId = NewType("SetupId", str)


class CertificateType(StrEnum):
    """Who issues the certificate."""

    SELF_MANAGED = "self-managed"
    GOOGLE_MANAGED = "google-managed"


@dataclass(frozen=True, slots=True)
class CertificateSpec:
    """The certificate that was asked for."""

    type: CertificateType = CertificateType.SELF_MANAGED
    secret: str | None = None  # an existing TLS Secret to adopt, never written by us
    validity_days: int = 99999
    domains: tuple[str, ...] = ()  # google-managed: more names on the certificate
    recreate_failed: bool = False  # google-managed: replace one that has failed permanently


def setup_id(cluster: str, namespace: str, release: str) -> SetupId:
    """`<project>.<location>.<cluster>.<namespace>.<release>`; no two releases have the same.

    Of the parts only the last may hold dots, and a project with a domain (`example.com:name`): its dots are
    written as `%2E`, so that the first four dots are those between the parts.
    """
    _, project, _, location, _, name = cluster.split("/")
    return SetupId(".".join((project.replace(".", "%2E"), location, name, namespace, release)))


@dataclass(frozen=True, slots=True)
class Desired:
    """The desired state of a setup: a request with its defaults filled in."""

    cluster: str  # projects/P/locations/L/clusters/C
    release: str
    domain: str
    namespace: str = "default"
    certificate: CertificateSpec = CertificateSpec()
    backend_timeout_s: int = 3600
    deep_verification: bool = False
    dns_zone: str | None = None  # projects/P/managedZones/Z, where we may create the A record
    adopt: bool = False  # take over objects of the needed names that somebody made by hand

    @property
    def domains(self) -> tuple[str, ...]:
        """Every name that the certificate must cover, the setup's own first."""
        return tuple(dict.fromkeys((self.domain, *self.certificate.domains)))

    @property
    def is_google_managed(self) -> bool:
        """Whether Google issues the certificate."""
        return self.certificate.type is CertificateType.GOOGLE_MANAGED

    @property
    def setup_id(self) -> SetupId:
        """Names the setup."""
        return setup_id(self.cluster, self.namespace, self.release)
