"""The ManagedCertificates of one Service: what they are called, what they say, and which one to use.

One of ours is `<service>-tls` or `<service>-tls-<n>` with n >= 2, and carries our label. `spec.domains` is
never edited: the controller would delete the certificate that serves and make another one
(GoogleCloudPlatform/gke-managed-certs#77); other domains need another ManagedCertificate beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from milvus_l7.domain.certificates import certificate_objects
from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.setup.desired import Desired
from milvus_l7.domain.text import untrusted

# `status.certificateStatus`, source: GoogleCloudPlatform/gke-managed-certs pkg/config.
ACTIVE = "Active"
FAILED = "ProvisioningFailed"  # an attempt has; Google tries again, and it may be seen shortly before Active
PERMANENTLY_FAILED = "ProvisioningFailedPermanently"
RENEWAL_FAILED = "RenewalFailed"  # the old certificate is still served


@dataclass(frozen=True, slots=True)
class ManagedView:
    """What a ManagedCertificate says of itself."""

    name: str
    domains: tuple[str, ...]
    status: str  # "" until the controller has reported
    is_ours: bool  # whether it carries our label
    is_terminating: bool = False  # whether it is being deleted

    @property
    def has_failed(self) -> bool:
        """Return whether it will never be issued."""
        return self.status == PERMANENTLY_FAILED


def view(live: Manifest) -> ManagedView:
    """Read a ManagedCertificate; odd content reads as empty."""
    domains = untrusted.mapping(live, "spec").get("domains")
    return ManagedView(
        name=untrusted.text(untrusted.mapping(live, "metadata").get("name")),
        domains=tuple(d for d in domains if isinstance(d, str)) if isinstance(domains, list) else (),
        status=untrusted.text(untrusted.mapping(live, "status").get("certificateStatus")),
        is_ours=manifests.is_ours(live),
        is_terminating=manifests.is_terminating(live),
    )


def views(live: Iterable[Manifest]) -> tuple[ManagedView, ...]:
    """Read several ManagedCertificates, in their order."""
    return tuple(view(each) for each in live)


def number(service: str, name: str) -> int | None:
    """Return which of the Service's ManagedCertificates the name says: 1, 2, ...; None for any other name."""
    return certificate_objects.tls_number(service, name)


def chosen(
    views: Iterable[ManagedView], service: str, desired: Desired, last: str | None
) -> ManagedView | None:
    """Return the one of ours that covers exactly the desired domains; None if one must be made.

    `last` is the name used so far. One that has failed permanently is used only while nobody has asked for
    another: it is then the verification's to explain.
    """
    fitting = [
        each
        for each in views
        if is_one_of_ours(each, service)
        and not each.is_terminating
        and set(each.domains) == set(desired.domains)
    ]
    if desired.certificate.recreate_failed:
        fitting = [each for each in fitting if not each.has_failed]
    return min(fitting, key=lambda each: _rank(each, service, last), default=None)


def _rank(each: ManagedView, service: str, last: str | None) -> tuple[bool, bool, bool, int]:
    """Rank the issued one first, so that nothing is waited for; else the one in use, else the newest."""
    is_issued = each.status in (ACTIVE, RENEWAL_FAILED)
    return (each.has_failed, not is_issued, each.name != last, -(number(service, each.name) or 0))


def is_one_of_ours(each: ManagedView, service: str) -> bool:
    """Return whether we made it for this Service: its name and its label say so."""
    return each.is_ours and number(service, each.name) is not None


def next_name(service: str, taken: Iterable[str]) -> str:
    """Return a name for another one, numbered after all that are `taken` or were used last.

    A name that has just become free is not used again at once: the controller still deletes what it stood for
    (GoogleCloudPlatform/gke-managed-certs#45).
    """
    highest = max((number(service, name) or 0 for name in taken), default=0)
    return certificate_objects.tls_name(service, highest + 1)
