"""What there is of an Ingress and its certificates, gathered for the decisions of `attachment`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from milvus_l7.domain.certificates import managed_certificate
from milvus_l7.domain.frontend import attachment, ingress_status
from milvus_l7.domain.frontend.attachment import Seen, Wanted
from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.setup.document import Setup
from milvus_l7.ports import KubeObjects, Manifest, ObjectRef


@dataclass(frozen=True, slots=True)
class Gathered:
    """`seen` for deciding, and the ManagedCertificates in the versions that were read."""

    seen: Seen
    managed: Sequence[Manifest] = ()


def ingress_ref(namespace: str, service: str) -> ObjectRef:
    """Return the name of the Service's Ingress."""
    return ObjectRef(*kinds.INGRESS, namespace, service)


def gather(objects: KubeObjects, setup: Setup, wanted: Wanted, live: Manifest | None) -> Gathered:
    """Read what may be attached to the Ingress `live`, and only what matters. Writes nothing.

    ManagedCertificates only where there can be any; events only where a Secret besides the wanted one could
    be what the controller fails on. Raises what the cluster raises.
    """
    others = set(attachment.attached(live, wanted.service).secrets) - {wanted.secret}
    events = objects.events(ingress_ref(setup.desired.namespace, wanted.service)) if others else ()
    unusable = ingress_status.unusable_secret(live, events)
    if not attachment.concerns_managed(setup, live):
        return Gathered(Seen(live, unusable=unusable))
    kind = ObjectRef(*kinds.MANAGED_CERTIFICATE, setup.desired.namespace)
    found = objects.list(kind, {})
    return Gathered(Seen(live, managed_certificate.views(found), unusable), found)
