"""Which hosts and certificates an Ingress has, while one certificate takes the place of another.

                 wanted: ManagedCertificate N              wanted: Secret S
    attach       N + what is attached                      S + what is attached
    wait         until N is issued and served              until the load balancer has S
    uncover                                                our ManagedCertificates (they are served first);
                                                           other Secrets, if they serve no other host
    wait                                                   until S is served
    retire       Secrets, other ManagedCertificates        other Secrets
                 hosts that are wanted no more             hosts that are wanted no more

So nothing that serves is removed before what replaces it serves. Other people's ManagedCertificates stay,
and so does every Secret: it is only detached, so that the way back serves the pair that clients have pinned.
Sources: kubernetes/ingress-gce ToCompositeSSLCertificates (managed before Secrets), and GKE's "Migrate to
Google-managed certificates" (keep the Secret until Active). Which of two certificates for one host is served
Google does not say, so one that is wanted may be hidden by any other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from milvus_l7.domain.certificates import managed_certificate
from milvus_l7.domain.certificates.managed_certificate import ManagedView
from milvus_l7.domain.frontend import ingress_status
from milvus_l7.domain.frontend.ingress_objects import MANAGED_CERTIFICATES, Attachments
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.document import Setup, service_of
from milvus_l7.domain.text import untrusted

# Comma lists of Google Cloud certificates: all that the load balancer has, and the managed ones among them.
SERVED = "ingress.kubernetes.io/ssl-cert"
PRE_SHARED = "ingress.gcp.kubernetes.io/pre-shared-cert"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the Ingress must have in the end: exactly one of `managed` and `secret` is given."""

    service: str
    hosts: tuple[str, ...]
    managed: str | None = None  # name of the ManagedCertificate
    secret: str | None = None  # name of the TLS Secret


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is."""

    ingress: Manifest | None
    managed: Sequence[ManagedView] = ()  # every ManagedCertificate in the namespace
    unusable: Collection[str] = ()  # attached TLS Secrets on which the controller fails

    def live(self, service: str) -> Attachments:
        """Return what the Ingress has now."""
        return attached(self.ingress, service)


def wanted(setup: Setup) -> Wanted:
    """Return what the setup's Ingress must have in the end.

    Raises `Permanent` with SERVICE_NOT_FOUND, MANAGED_CERTIFICATE_GONE or SECRET_NOT_FOUND if an earlier
    stage has not said it.
    """
    service, facts, domains = service_of(setup).name, setup.facts, setup.desired.domains
    if setup.desired.is_google_managed:
        if facts.managed is None:
            message = "no ManagedCertificate is known for the setup; set it up again"
            raise Permanent(Reason.MANAGED_CERTIFICATE_GONE, message)
        return Wanted(service, domains, managed=facts.managed.name)
    if facts.certificate is None:
        raise Permanent(Reason.SECRET_NOT_FOUND, "no certificate is known for the setup; set it up again")
    return Wanted(service, domains, secret=facts.certificate.secret)


def concerns_managed(setup: Setup, ingress: Manifest | None) -> bool:
    """Return whether ManagedCertificates must be looked at; a setup that never had one needs no right to."""
    is_listed = bool(_listed(ingress, MANAGED_CERTIFICATES))
    return setup.desired.is_google_managed or setup.facts.managed is not None or is_listed


def attached(ingress: Manifest | None, service: str) -> Attachments:
    """Return what the Ingress has: hosts with a rule to the Service, ManagedCertificates, TLS Secrets."""
    spec = untrusted.mapping(ingress, "spec")
    entries = [untrusted.text(entry.get("secretName")) for entry in untrusted.objects(spec.get("tls"))]
    rules = [rule for rule in untrusted.objects(spec.get("rules")) if _leads_to(rule, service)]
    return Attachments(
        hosts=_unique(untrusted.text(rule.get("host")) for rule in rules),
        managed=_listed(ingress, MANAGED_CERTIFICATES),
        secrets=_unique(entries),
    )


def attach(wanted: Wanted, seen: Seen) -> Attachments:
    """Return what the Ingress must have now: what is wanted, first, and all that may serve until then.

    Left out are entries that only break the controller: of TLS without a Secret's name or with one that it
    cannot use, and names of ManagedCertificates of ours that are no more.
    """
    live = seen.live(wanted.service)
    kept = [name for name in live.managed if _stays(name, wanted.service, seen.managed)]
    return Attachments(
        hosts=_unique((*wanted.hosts, *live.hosts)),
        managed=_unique((wanted.managed or "", *kept)),
        secrets=_unique((wanted.secret or "", *_usable(live, seen))),
    )


@dataclass(frozen=True, slots=True)
class Retirement:
    """What may be removed now. Equal to what there is: nothing."""

    reduced: Attachments  # what the Ingress keeps
    certificates: tuple[str, ...] = ()  # ManagedCertificates of ours to delete before the Ingress changes


def retirement(wanted: Wanted, seen: Seen, *, verified: bool) -> Retirement:
    """Return what may be removed now without taking down what serves.

    `verified`: the whole checklist has passed with what is wanted. A Secret that is wanted may never be
    verified while others are shown in its place; for these it is enough that the load balancer has the
    Secret's certificate too. A Secret that serves a host of its own stays until all is verified.
    """
    live = seen.live(wanted.service)
    if not is_attached(wanted, live):
        return Retirement(live)
    final = _final(wanted, live, seen.managed)
    if verified:
        return Retirement(final, _others(wanted, seen.managed))
    usable = _unique((wanted.secret or "", *_usable(live, seen)))
    is_stuck = not set(live.secrets) <= set(usable)  # and what the Ingress says of its certificates is old
    if wanted.managed or is_stuck or not has_secrets(seen.ingress, len(usable)):
        return Retirement(replace(live, secrets=tuple(name for name in live.secrets if name in usable)))
    kept = usable if set(live.hosts) - set(wanted.hosts) else final.secrets
    return Retirement(
        replace(final, hosts=live.hosts, secrets=kept),
        _others(wanted, seen.managed),
    )


def _usable(live: Attachments, seen: Seen) -> list[str]:
    return [name for name in live.secrets if name not in seen.unusable]


def _final(wanted: Wanted, live: Attachments, views: Sequence[ManagedView]) -> Attachments:
    """Return what the Ingress has in the end, if it has `live` before."""
    foreign = (name for name in live.managed if _is_foreign(name, wanted.service, views))
    return Attachments(
        hosts=wanted.hosts,
        managed=_unique((wanted.managed or "", *foreign)),
        secrets=_unique((wanted.secret or "",)),
    )


def _others(wanted: Wanted, views: Iterable[ManagedView]) -> tuple[str, ...]:
    """Return the ManagedCertificates of ours that are not wanted, attached or not."""
    ours = (each for each in views if managed_certificate.is_one_of_ours(each, wanted.service))
    return tuple(each.name for each in ours if each.name != wanted.managed and not each.is_terminating)


def is_attached(wanted: Wanted, live: Attachments) -> bool:
    """Return whether the Ingress has everything that is wanted, whatever else it has."""
    has_certificate = wanted.managed in live.managed if wanted.managed else wanted.secret in live.secrets
    return has_certificate and set(wanted.hosts) <= set(live.hosts)


def has_secrets(ingress: Manifest | None, count: int) -> bool:
    """Return whether the load balancer has certificates of at least `count` TLS Secrets, managed ones apart.

    The annotation does not say of which Secrets, so the wanted one is known to be there once all are.
    """
    return len(set(_listed(ingress, SERVED)) - set(_listed(ingress, PRE_SHARED))) >= count


def _stays(name: str, service: str, views: Iterable[ManagedView]) -> bool:
    """Return whether an attached ManagedCertificate is kept beside the wanted one."""
    if _is_foreign(name, service, views):
        return True
    return any(each.name == name and not each.is_terminating for each in views)


def _is_foreign(name: str, service: str, views: Iterable[ManagedView]) -> bool:
    """Return whether it is not named as ours are, or was made by another writer under such a name."""
    if managed_certificate.number(service, name) is None:
        return True
    return any(each.name == name and not each.is_ours for each in views)


def _leads_to(rule: Manifest, service: str) -> bool:
    paths = untrusted.objects(untrusted.mapping(rule, "http").get("paths"))
    return any(untrusted.mapping(path, "backend", "service").get("name") == service for path in paths)


def _listed(ingress: Manifest | None, annotation: str) -> tuple[str, ...]:
    return _unique(ingress_status.names(ingress, annotation))


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
