"""Taking away what a setup no longer serves with: certificates, hosts, and the Secret that we issued."""

from __future__ import annotations

from shared.domain import attachment, managed_certificate, manifests
from shared.domain.attachment import Retirement, Seen
from shared.domain.plan import Change, Plan
from shared.domain.setup import Setup
from shared.ports import KubeObjects, Manifest, ObjectRef
from shared.service import applying
from shared.service.applying import Target


def retire(objects: KubeObjects, setup: Setup, *, verified: bool = True) -> Plan:
    """Take away what is no longer wanted and return what that was; empty: there was nothing to take away.

    ManagedCertificates are deleted before the Ingress lets go of their names, which alone would not detach
    them (GoogleCloudPlatform/gke-managed-certs pkg/controller/sync); the Secret after it, because the
    controller fails on a name without a Secret. Killed in between, the next call does the rest; the call
    after the last writes nothing. Only what carries our label is deleted, in the version that was read.

    Call it when the whole checklist has passed. Where a Secret is wanted, call it also before the handshake
    is judged, with `verified` false: ManagedCertificates beside a Secret are served first, and then go as
    soon as the load balancer has the Secret's certificate. With `verified` false, nothing else goes.

    Raises what `attachment.wanted` and the cluster raise.
    """
    namespace, wanted = setup.desired.namespace, attachment.wanted(setup)
    live = objects.get(ObjectRef("networking.k8s.io/v1", "Ingress", namespace, wanted.service))
    if live is None or not manifests.is_ours(live):
        return ()
    kind = ObjectRef(managed_certificate.API_VERSION, managed_certificate.KIND, namespace)
    found = objects.list(kind, {}) if attachment.concerns_managed(setup, live) else ()
    seen = Seen(live, managed_certificate.views(found))
    going = attachment.retirement(wanted, seen, verified=verified)
    target = _target(setup, live, going)
    changes = applying.plan(objects, target) if going.reduced != seen.live(wanted.service) else ()
    doomed = [each for each in found if each["metadata"]["name"] in going.certificates]
    for each in doomed:
        objects.delete(each)
    left = objects.apply(target.manifest, force=True) if changes else live
    freed = _own_secret(objects, setup, left) if going.frees_secret else None
    if freed is not None:
        objects.delete(freed)
        doomed.append(freed)
    return (*changes, *map(_deleted, doomed))


def _target(setup: Setup, live: Manifest, going: Retirement) -> Target:
    manifest = manifests.ingress(setup.desired, manifests.service_of(setup), going.reduced)
    return Target(live, manifest, force=True)


def _own_secret(objects: KubeObjects, setup: Setup, ingress: Manifest) -> Manifest | None:
    """The Secret that we issued for this Service, if it is still there; one that was adopted never.

    None also while the Ingress still names it, because somebody else's manager owns the entry too: without
    its Secret the load balancer could not be changed any more.
    """
    service = manifests.service_of(setup)
    name = manifests.secret_name(service)
    if name in attachment.attached(ingress, service.name).secrets:
        return None
    secret = objects.get(ObjectRef("v1", "Secret", setup.desired.namespace, name))
    return secret if secret is not None and manifests.is_ours(secret) else None


def _deleted(gone: Manifest) -> Change:
    metadata = gone["metadata"]
    return Change(f"{gone['kind']} {metadata['namespace']}/{metadata['name']}", "", "present", None)
