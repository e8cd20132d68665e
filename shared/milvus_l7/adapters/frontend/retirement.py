"""Removal of what a setup no longer serves with: certificates and hosts."""

from __future__ import annotations

from milvus_l7.adapters.frontend import attached_certificates
from milvus_l7.adapters.frontend.secret_inspection import SecretInspection
from milvus_l7.adapters.kubernetes import apply
from milvus_l7.adapters.kubernetes.apply import ApplyRequest
from milvus_l7.domain.frontend import attachment, ingress_objects
from milvus_l7.domain.frontend.attachment import Retirement
from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.kubernetes.change import Plan
from milvus_l7.domain.kubernetes.difference import deletion
from milvus_l7.domain.setup import document
from milvus_l7.domain.setup.document import Setup
from milvus_l7.ports import Manifest


def retire(secrets: SecretInspection, setup: Setup, *, verified: bool = True) -> Plan:
    """Remove what is no longer wanted and return what that was; empty: there was nothing to remove.

    ManagedCertificates are deleted before the Ingress lets go of their names, which alone would not detach
    them (GoogleCloudPlatform/gke-managed-certs pkg/controller/sync). Killed in between, the next call does
    the rest; the call after the last writes nothing. Only what carries our label is deleted, in the version
    that was read.

    Secrets are detached and never deleted, also those that we issued: the way back to an earlier domain, or
    from a Google-managed certificate, serves the same pair, so that clients who pinned it need no new one.
    `provision_certificate` finds it again; there is one for each domain at most, and tear-down deletes them.

    Call it when the whole checklist has passed. Call it also, with `verified` false, when another certificate
    than the wanted Secret's is served: what may hide it then goes as soon as the load balancer has the
    Secret's certificate, and nothing else does.

    Raises what `attachment.wanted` and the cluster raise.
    """
    objects, wanted = secrets.objects, attachment.wanted(setup)
    live = objects.get(attached_certificates.ingress_ref(setup.desired.namespace, wanted.service))
    if live is None or not manifests.is_held(live):
        return ()
    found = attached_certificates.gather(secrets, setup, wanted, live)
    going = attachment.retirement(wanted, found.seen, verified=verified)
    target = _target(setup, live, going)
    changes = apply.plan(objects, target) if going.reduced != found.seen.live(wanted.service) else ()
    to_delete = [each for each in found.managed if each["metadata"]["name"] in going.certificates]
    for each in to_delete:
        objects.delete(each)
    if changes:
        apply.write(objects, target)
    return (*changes, *map(deletion, to_delete))


def _target(setup: Setup, live: Manifest, going: Retirement) -> ApplyRequest:
    service, labels = document.service_of(setup), manifests.mark(live)
    manifest = ingress_objects.ingress(setup.desired, service, going.reduced, labels)
    return ApplyRequest(live, manifest, force=True)
