"""What GKE's controllers complain about on other objects than the Ingress: Service and ManagedCertificate.

Sources: kubernetes/ingress-gce `pkg/neg`, `pkg/neg/syncers`, and its issue 1463 for what a routes-based
cluster is told; GoogleCloudPlatform/gke-managed-certs `pkg/clients/event`, `pkg/controller/
sslcertificatemanager`. Events are untrusted input.

    on the Service             a network endpoint group that is not made, or into which no Pod comes
    on the ManagedCertificate  a certificate that Compute Engine does not make
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from milvus_l7.domain.frontend import ingress_warnings
from milvus_l7.domain.kubernetes import events as kube_events
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.text import untrusted

# Warnings of the NEG controller about a Service; an endpoint that cannot be taken out keeps none out.
_NEG_WARNINGS = frozenset(
    {
        "AttachFailed",
        "EnterDegradedMode",
        "ProcessServiceFailed",
        "ProcessServiceSkipped",
        "RetryFailed",
        "SyncNetworkEndpointGroupFailed",
    }
)
_NEG_SUCCESSES = frozenset({"Attach", "ExitDegradedMode"})
_CERTIFICATE_WARNINGS = frozenset({"BackendError", "TooManyCertificates"})
_CERTIFICATE_SUCCESSES = frozenset({"Create"})

# The addresses of a routes-based cluster's Pods are not the subnetwork's, so no group takes them.
_ROUTES_BASED = re.compile(
    r"(doesn't|does not) belong to the \(?sub\)?network|NEG annotation is invalid", re.I
)


def about_neg(service: Manifest | None, events: Sequence[Manifest], now: datetime | None) -> Condition | None:
    """Return why the Service's network endpoint group does not come or stays empty, if its Events say."""
    event = _unsettled(service, events, _NEG_WARNINGS, _NEG_SUCCESSES)
    if event is None:
        return None
    found = _classified(event, now)
    if _ROUTES_BASED.search(kube_events.message(event)):
        return replace(found, reason=Reason.NEG_MISSING)
    return _named(found, Reason.NEG_FAILING, retrying=Reason.BACKENDS_UNHEALTHY)


def about_certificate(
    managed: Manifest | None, events: Sequence[Manifest], now: datetime | None
) -> Condition | None:
    """Return why Compute Engine does not make the ManagedCertificate's certificate, if its Events say so."""
    event = _unsettled(managed, events, _CERTIFICATE_WARNINGS, _CERTIFICATE_SUCCESSES)
    if event is None:
        return None
    found = _classified(event, now)
    if event.get("reason") == "TooManyCertificates":
        return replace(found, reason=Reason.QUOTA_EXCEEDED)
    return _named(found, Reason.CERTIFICATE_REFUSED, retrying=Reason.CERTIFICATE_NOT_ATTACHED)


def _classified(event: Manifest, now: datetime | None) -> Condition:
    told = untrusted.text(event.get("reason")), kube_events.message(event), kube_events.age(event, now)
    return ingress_warnings.classified(*told)


def _named(found: Condition, reason: Reason, *, retrying: Reason) -> Condition:
    """Return the complaint under its own reason, unless it is a quota or heals by itself."""
    if found.reason is Reason.QUOTA_EXCEEDED:
        return found
    return replace(found, reason=retrying if found.reason is Reason.INGRESS_SYNC_RETRYING else reason)


def _unsettled(
    about: Manifest | None, events: Sequence[Manifest], warnings: frozenset[str], successes: frozenset[str]
) -> Manifest | None:
    """Return the newest of the Warnings about this very object that no success has followed."""
    uid = untrusted.mapping(about, "metadata").get("uid")
    for event in reversed([event for event in events if kube_events.is_about(event, uid)]):
        reason = untrusted.text(event.get("reason"))
        if kube_events.is_warning(event) and reason in warnings:
            return event
        if reason in successes:
            return None
    return None
