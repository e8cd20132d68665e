"""A dry look at what a run will do to certificates and Ingress: every step, in order, for people."""

from __future__ import annotations

from collections.abc import Sequence

from shared.domain import attachment, managed_certificate, manifests
from shared.domain.attachment import Seen, Wanted
from shared.domain.managed_certificate import ManagedView
from shared.domain.setup import Desired, Setup
from shared.ports import KubeObjects, ObjectRef


def steps(objects: KubeObjects, setup: Setup) -> tuple[str, ...]:
    """What will be made, attached, waited for, and then taken away; empty if all is as it shall be.

    Reads only, by the decisions that the stages act on. Raises `Permanent(SERVICE_NOT_FOUND)` before the
    release's Service is known, and what the cluster raises.
    """
    desired, service = setup.desired, manifests.service_of(setup).name
    live = objects.get(ObjectRef("networking.k8s.io/v1", "Ingress", desired.namespace, service))
    kind = ObjectRef(managed_certificate.API_VERSION, managed_certificate.KIND, desired.namespace)
    found = objects.list(kind, {}) if attachment.concerns_managed(setup, live) else ()
    views = managed_certificate.views(found)
    if not desired.is_google_managed:
        name, made = _secret(objects, setup)
        return (*made, *attachment.steps(Wanted(service, desired.domains, secret=name), Seen(live, views)))
    name, made = _managed(setup, service, views)
    later = attachment.steps(Wanted(service, desired.domains, managed=name), Seen(live, views))
    return (*made, *later, *_freed(objects, setup))


def _secret(objects: KubeObjects, setup: Setup) -> tuple[str, tuple[str, ...]]:
    """The Secret that will be used, and the step that makes it, if it must be made; others' never are."""
    adopted = setup.desired.certificate.secret
    if adopted is not None:
        return adopted, ()
    name = manifests.secret_name(manifests.service_of(setup))
    if _has_secret(objects, setup.desired, name):
        return name, ()
    return name, (f"issue a certificate into Secret {name}",)


def _managed(setup: Setup, service: str, views: Sequence[ManagedView]) -> tuple[str, tuple[str, ...]]:
    """The ManagedCertificate that will be used, and the step that makes it, if it must be made."""
    desired, facts = setup.desired, setup.facts.managed
    last = facts.name if facts else None
    found = managed_certificate.chosen(views, service, desired, last)
    if found is not None:
        return found.name, ()
    name = managed_certificate.next_name(service, {last or "", *(each.name for each in views)})
    return name, (f"create ManagedCertificate {name} for {', '.join(desired.domains)}",)


def _freed(objects: KubeObjects, setup: Setup) -> tuple[str, ...]:
    name = manifests.secret_name(manifests.service_of(setup))
    return (f"delete Secret {name}",) if _has_secret(objects, setup.desired, name, ours=True) else ()


def _has_secret(objects: KubeObjects, desired: Desired, name: str, *, ours: bool = False) -> bool:
    secret = objects.get(ObjectRef("v1", "Secret", desired.namespace, name))
    return secret is not None and (not ours or manifests.is_ours(secret))
