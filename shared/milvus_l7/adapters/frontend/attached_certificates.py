"""What there is of an Ingress and its certificates, gathered for the decisions of `attachment`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from milvus_l7.adapters.frontend.object_events import ObjectEvents
from milvus_l7.adapters.frontend.secret_inspection import SecretInspection
from milvus_l7.domain.certificates import managed_certificate
from milvus_l7.domain.frontend import attached_secrets, attachment, ingress_status
from milvus_l7.domain.frontend.attached_secrets import SecretFaults
from milvus_l7.domain.frontend.attachment import Seen, Wanted
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.setup.document import Setup
from milvus_l7.ports import Manifest, ObjectRef


@dataclass(frozen=True, slots=True)
class Gathered:
    """`seen` for deciding, and the ManagedCertificates in the versions that were read."""

    seen: Seen
    managed: Sequence[Manifest] = ()
    secrets: SecretFaults = attached_secrets.NO_FAULTS  # of those that are not wanted


def ingress_ref(namespace: str, service: str) -> ObjectRef:
    """Return the name of the Service's Ingress."""
    return ObjectRef(*kinds.INGRESS, namespace, service)


def gather(secrets: SecretInspection, setup: Setup, wanted: Wanted, live: Manifest | None) -> Gathered:
    """Read what may be attached to the Ingress `live`, and only what matters. Writes nothing.

    ManagedCertificates only where there can be any; Secrets only besides the wanted one, which was judged
    when it was provided. Raises what the cluster raises, but not for want of the right to read such a Secret.
    """
    namespace = setup.desired.namespace
    others = set(attachment.attached(live, wanted.service).secrets) - {wanted.secret}
    faults = secrets.look_into(namespace, sorted(others))
    unusable = {*faults.faults, *_told(secrets, ingress_ref(namespace, wanted.service), live, faults)}
    if not attachment.concerns_managed(setup, live):
        return Gathered(Seen(live, unusable=unusable), secrets=faults)
    found = secrets.objects.list(ObjectRef(*kinds.MANAGED_CERTIFICATE, namespace), {})
    return Gathered(Seen(live, managed_certificate.views(found), unusable), found, faults)


def _told(
    secrets: SecretInspection, ingress: ObjectRef, live: Manifest | None, faults: SecretFaults
) -> Collection[str]:
    """Return the Secret that the controller names, if it is one that we may not read."""
    if not faults.unreadable:
        return ()
    events = ObjectEvents().of(ingress.name, lambda: secrets.objects.events(ingress))
    name = ingress_status.unusable_secret(live, events, secrets.now)
    return {name} & faults.unreadable if name else ()
