"""What exposes the Milvus of one setup: objects, address, certificates, complaints, removal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Adopted, Check, ServiceFacts
from milvus_l7.domain.setup.outcome import Waiting
from milvus_l7.ports.release import ServiceAnnotations


@dataclass(frozen=True, slots=True)
class Exposed:
    """Where the Service is exposed, and what its user should know all the same."""

    address: str
    notice: str = ""


class FrontendObservation(Protocol):
    """What one look at the frontend showed; whatever explains a fault is read only when it is asked for."""

    @property
    def address(self) -> str | None:
        """Return the load balancer's address, or None while it has none."""
        ...

    @property
    def attached(self) -> tuple[str, ...]:
        """Return the names of the ManagedCertificates that the frontend asks for."""
        ...

    @property
    def loaded(self) -> tuple[str, ...]:
        """Return the names of the Google-managed certificates that the load balancer has."""
        ...

    def warning(self, present: str | None = None) -> Condition | None:
        """Return what the controller complains about; not that the certificate `present` is missing."""
        ...

    def certificate_warning(self, name: str) -> Condition | None:
        """Return why Google does not make the certificate of that ManagedCertificate, if it is told."""
        ...

    @property
    def unseen(self) -> str:
        """Return what could not be looked at so far for want of a right; "" if everything could."""
        ...

    def backends(self) -> Check:
        """Return the checklist's item: whether the load balancer finds Milvus healthy, and if not, why."""
        ...

    def protocol_problem(self) -> str | None:
        """Return why the load balancer does not speak HTTP/2 to Milvus, or None if it does."""
        ...


class Frontend(Protocol):
    """What exposes one setup's Service. Raises what `KubeObjects` raises. Repeating a call writes nothing."""

    @property
    def annotations(self) -> ServiceAnnotations:
        """Return what the Service's annotations must be, and were before, wherever they are set."""
        ...

    def annotations_before(self) -> Mapping[str, str | None]:
        """Return the Service's annotations that `configure_backend` may change; None: not set."""
        ...

    def backend_to_adopt(self) -> Adopted | None:
        """Return the record of what `configure_backend` takes over from somebody else; None: nothing.

        It must be in the setup's facts before. Raises `Permanent` with OBJECT_NOT_OURS, if the request gives
        no leave, NOT_ADOPTABLE or SERVICE_NOT_FOUND.
        """
        ...

    def exposure_to_adopt(self) -> Adopted | None:
        """Return the record of what `expose` takes over from somebody else; see `backend_to_adopt`."""
        ...

    def configure_backend(self) -> None:
        """Give the Service health check, time-out and HTTP/2 where they differ.

        Raises `Permanent` with SERVICE_NOT_FOUND or ANNOTATION_INVALID.
        """
        ...

    def expose(self, now: datetime) -> Exposed | Waiting:
        """Expose the Service with its certificate, and return the address, or what it waits for.

        The wanted certificate is attached beside what serves now; `retire` removes that when the wanted one
        is verified. Raises `Permanent(MANAGED_CERTIFICATE_GONE)`.
        """
        ...

    def observe(self, now: datetime) -> FrontendObservation:
        """Return what the cluster says of the frontend. Writes nothing."""
        ...

    def retire(self, now: datetime, *, verified: bool = True) -> Plan:
        """Remove certificates and hosts that are no longer wanted, and return what that was.

        Call it when the whole checklist has passed; with `verified` false when another certificate than the
        wanted Secret's is served, which removes only what may hide it.
        """
        ...

    def remove(self) -> Waiting | None:
        """Remove what exposes the Service, if it is ours; return None once the load balancer is released.

        What was adopted is given back as it was found.
        """
        ...

    def restore_backend(self) -> None:
        """Give the Service its annotations back, and remove our health check, or give an adopted one back."""
        ...


class Frontends(Protocol):
    """The frontends of setups."""

    def of(self, setup: Setup, service: ServiceFacts) -> Frontend:
        """Return what exposes, or is to expose, the Service of the setup."""
        ...
