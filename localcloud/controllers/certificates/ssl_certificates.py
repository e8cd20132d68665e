"""Compute Engine's Google-managed SslCertificate resources: created, attached, provisioned, served.

An SslCertificate knows nothing of Kubernetes. It is provisioned only while a load balancer with an address
has it, and cannot be deleted as long as one has it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from localcloud.authority import Authority, Issued
from localcloud.controllers.certificates import ssl_resources
from localcloud.controllers.certificates.visibility import DomainStatus, Lookup, evaluate
from localcloud.controllers.delays import Delays
from localcloud.controllers.quirks import Quirks
from localcloud.envoy.model import Certificate


class Status(StrEnum):
    """State of a certificate, in the words of gke-managed-certs `pkg/config`."""

    PROVISIONING = "Provisioning"
    ACTIVE = "Active"
    FAILED = "ProvisioningFailed"
    FAILED_PERMANENTLY = "ProvisioningFailedPermanently"
    RENEWAL_FAILED = "RenewalFailed"


class Refused(Exception):
    """Compute Engine does not make the resource, in its words."""


class QuotaUsedUp(Refused):
    """The project has as many as it may have."""


class InUse(Exception):
    """The resource is used by a target proxy, and so cannot be deleted."""


@dataclass(slots=True)
class SslCertificate:
    """One resource."""

    name: str
    domains: tuple[str, ...]
    next_attempt: float  # monotonic
    status: Status = Status.PROVISIONING
    domain_status: dict[str, DomainStatus] = field(default_factory=dict)
    attempts: int = 0
    issued: Issued | None = None
    served_at: float = 0.0  # monotonic; when the edge has it


class SslCertificates:
    """All SslCertificates of the project. Thread-safe. `advance()` is to be called again and again."""

    def __init__(self, authority: Authority, lookup: Lookup) -> None:
        self._authority = authority
        self._lookup = lookup
        self._lock = threading.RLock()
        self._all: dict[str, SslCertificate] = {}
        self._uses: dict[str, tuple[tuple[str, ...], str]] = {}  # load balancer -> names, address
        self._refused: dict[str, DomainStatus] = {}
        self._fault = ""
        self._self_managed: dict[str, int] = {}  # load balancer -> how many of Secrets
        self._raced: set[str] = set()  # see `Quirks.quota_race`
        self.limit = 50
        self.delays = Delays()
        self.quirks = Quirks()

    def create(self, name: str, domains: Sequence[str]) -> None:
        """Create a resource; the first attempt to provision it comes `certificate_s` later.

        Raises `QuotaUsedUp` or `Refused`.
        """
        with self._lock:
            if self._fault:
                raise Refused(self._fault)
            if self.left() < 1 or self._loses_race(name):
                raise QuotaUsedUp(ssl_resources.quota_exceeded("SSL_CERTIFICATES", self.limit))
            first = time.monotonic() + self.delays.certificate_s
            states = dict.fromkeys(domains, DomainStatus.PROVISIONING)
            self._all[name] = SslCertificate(name, tuple(domains), first, domain_status=states)

    def _loses_race(self, name: str) -> bool:
        is_first = name not in self._raced
        self._raced.add(name)
        return self.quirks.quota_race and is_first

    def left(self, but_for: str = "") -> int:
        """Return how many more the project may have, those of one load balancer's Secrets not counted."""
        with self._lock:
            used = (count for owner, count in self._self_managed.items() if owner != but_for)
            return self.limit - len(self._all) - sum(used)

    def count(self, load_balancer: str, self_managed: int) -> None:
        """Set how many a load balancer has of Secrets."""
        with self._lock:
            self._self_managed[load_balancer] = self_managed

    def break_down(self, fault: str) -> None:
        """Let every creation fail in these words, until they are ""."""
        with self._lock:
            self._fault = fault

    def find(self, name: str) -> SslCertificate | None:
        """Return the resource, not to be changed, or None."""
        with self._lock:
            return self._all.get(name)

    def names(self) -> frozenset[str]:
        """Return the names of all resources."""
        with self._lock:
            return frozenset(self._all)

    def delete(self, name: str) -> None:
        """Delete the resource; one that is gone is no error. `InUse` while a load balancer has it."""
        with self._lock:
            if any(name in names for names, _ in self._uses.values()):
                raise InUse(
                    f"googleapi: Error 400: The ssl_certificate resource '{name}' is already being used, "
                    "resourceInUseByAnotherResource"
                )
            self._all.pop(name, None)

    def use(self, load_balancer: str, names: Sequence[str], address: str) -> None:
        """Set which resources a load balancer's proxy has, and its address ("": none yet)."""
        with self._lock:
            self._uses[load_balancer] = (tuple(names), address)
            if not names:
                del self._uses[load_balancer]

    def served(self, names: Sequence[str]) -> tuple[Certificate, ...]:
        """Return the certificates among `names` that the edge can serve now, in that order."""
        with self._lock:
            found = [self._all[name] for name in names if name in self._all]
            now = time.monotonic()
            return tuple(
                Certificate(item.issued.chain_pem, item.issued.key_pem)
                for item in found
                if item.issued is not None and now >= item.served_at
            )

    def refuse(self, domain: str, status: DomainStatus | None) -> None:
        """Let every later attempt for a domain end with `status`, for example a rate limit; None: no more."""
        with self._lock:
            self._refused.pop(domain, None)
            if status is not None:
                self._refused[domain] = status

    def renew(self) -> None:
        """Try to renew all that are active, as Google does a month before they expire."""
        with self._lock:
            for item in self._all.values():
                if item.issued is not None:
                    self._renew(item)

    def advance(self) -> None:
        """Make the attempts that are due. Looks up domains in DNS."""
        with self._lock:
            for item in self._all.values():
                if (
                    item.status in (Status.PROVISIONING, Status.FAILED)
                    and time.monotonic() >= item.next_attempt
                ):
                    self._attempt(item)

    def _attempt(self, item: SslCertificate) -> None:
        item.attempts += 1
        item.next_attempt = time.monotonic() + self.delays.certificate_s
        item.domain_status = self._judged(item)
        if all(state is DomainStatus.ACTIVE for state in item.domain_status.values()):
            item.status = Status.ACTIVE
            item.issued = self._authority.issue(item.domains)
            item.served_at = time.monotonic() + self.delays.edge_s
            return
        # Google issues one certificate for all domains or none.
        for domain, state in item.domain_status.items():
            if state is DomainStatus.ACTIVE:
                item.domain_status[domain] = DomainStatus.PROVISIONING
        if self.quirks.reports_failed_attempts:
            item.status = Status.FAILED
        if 0 < self.delays.certificate_attempts <= item.attempts:
            item.status = Status.FAILED_PERMANENTLY

    def _renew(self, item: SslCertificate) -> None:
        item.domain_status = self._judged(item)
        is_visible = all(state is DomainStatus.ACTIVE for state in item.domain_status.values())
        item.status = Status.ACTIVE if is_visible else Status.RENEWAL_FAILED
        if is_visible:
            item.issued = self._authority.issue(item.domains)

    def _judged(self, item: SslCertificate) -> dict[str, DomainStatus]:
        addresses = {address for names, address in self._uses.values() if item.name in names} - {""}
        found = {}
        for domain in item.domains:
            state = evaluate(domain, addresses, self._lookup)
            is_refused = state is DomainStatus.ACTIVE and domain in self._refused
            found[domain] = self._refused[domain] if is_refused else state
        return found
