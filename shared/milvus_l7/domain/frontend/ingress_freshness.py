"""Whether what an Ingress says of its load balancer is of the one that there is now.

When the class of an Ingress is changed away, GKE's controller frees the load balancer and takes its finalizer
off, but leaves the address in the status, and all that it has annotated. Changed back:

    class is ours again --> finalizer --> URL map, proxies, address made --> status, annotations
    |<---------------------- what is left behind ------------------------->|<-- of the new one

The new address is written into the status; `metadata.managedFields` tells when, and when class and finalizer
were. Annotations that a sync writes move the finalizer's time too, because both are of one writer. So after
an update of the Ingress it may look as if it had been taken up again. Events tell it apart: a sync says what
it makes and changes, and of a load balancer that it makes anew the URL map first. If none can be seen, what
the Ingress says is believed once that sync must be over.

Source: kubernetes/ingress-gce `pkg/controller/controller.go`, and what its controller did over a fake Compute
Engine. The Ingress is untrusted input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from milvus_l7.domain.frontend.ingress_objects import CLASS, INGRESS_CLASS
from milvus_l7.domain.kubernetes import events as kube_events
from milvus_l7.domain.kubernetes import field_managers
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.text import untrusted

# A sync is over by then: it makes some resources of Compute Engine, one after the other.
SYNC_TIME = timedelta(minutes=3)
# The controller takes an Ingress up within that; it syncs as often.
_RESYNC = timedelta(minutes=10)

LET_GO = "GKE has let go of the Ingress and has not taken it up again yet"
REPLACED = (
    "GKE builds the load balancer anew, because the class of the Ingress was changed; the address and the "
    "health that it shows are not believed until GKE has reported again, or for three minutes"
)

# What the controller annotates once it has made a front end, and never without its finalizer.
_MADE = tuple(
    f"ingress.kubernetes.io/{key}" for key in ("url-map", "forwarding-rule", "https-forwarding-rule")
)
_NEW = re.compile(r"UrlMap .*created$")
_FINALIZER = "networking.gke.io/ingress-finalizer"

Events = Callable[[], Sequence[Manifest]]


@dataclass(frozen=True, slots=True)
class Look:
    """When the Ingress is looked at, and what an earlier look at it has shown."""

    now: datetime | None = None  # None: nothing tells its age
    was_away: bool = False  # its class was not ours, or it was not taken up again


def stale(ingress: Manifest | None, events: Events, look: Look) -> str:
    """Return why address and annotations may be those of a load balancer that is no more; "" if they are not.

    Events about the Ingress are asked for only if nothing else can tell.
    """
    if not is_taken_up(ingress):
        return LET_GO
    return REPLACED if _is_replaced(ingress, events, look) else ""


def has_class(ingress: Manifest | None) -> bool:
    """Return whether the Ingress is of the class whose load balancer we want."""
    annotations = untrusted.mapping(ingress, "metadata", "annotations")
    name = untrusted.text(annotations.get(INGRESS_CLASS))
    return name == CLASS or (not name and "ingressClassName" not in untrusted.mapping(ingress, "spec"))


def is_taken_up(ingress: Manifest | None) -> bool:
    """Return whether GKE's controller works on the Ingress.

    What it has annotated without its finalizer it has left behind.
    """
    if not has_class(ingress):
        return False
    annotations = untrusted.mapping(ingress, "metadata", "annotations")
    return not any(key in annotations for key in _MADE) or _finalizer(ingress) is not None


def _is_replaced(ingress: Manifest | None, events: Events, look: Look) -> bool:
    finalizer = _finalizer(ingress)
    if ingress is None or finalizer is None or look.now is None:
        return False
    classed = field_managers.last_written(ingress, "f:metadata", "f:annotations", f"f:{INGRESS_CLASS}")
    taken_up = field_managers.last_written(
        ingress, "f:metadata", "f:finalizers", f"v:{json.dumps(finalizer)}"
    )
    addressed = field_managers.last_written(ingress, "f:status", "f:loadBalancer")
    if classed is None or taken_up is None or (addressed is not None and addressed >= classed):
        return False
    if taken_up < classed:
        # Either the controller has yet to let go of it, or it never saw the other class.
        return look.was_away and look.now < classed + SYNC_TIME
    is_recent = taken_up <= classed + _RESYNC and look.now < taken_up + SYNC_TIME
    return is_recent and not _was_there(events(), classed)


def _was_there(events: Sequence[Manifest], since: datetime) -> bool:
    """Return whether a sync has since then made or changed parts of a load balancer that it found."""
    told = [kube_events.message(event) for event in events if _is_progress(event, since)]
    return bool(told) and not any(_NEW.match(message) for message in told)


def _is_progress(event: Manifest, since: datetime) -> bool:
    is_normal = event.get("reason") == "Sync" and not kube_events.is_warning(event)
    is_part = kube_events.message(event).endswith((" created", " updated"))
    return is_normal and is_part and kube_events.last_seen(event) >= since


def _finalizer(ingress: Manifest | None) -> str | None:
    finalizers = untrusted.mapping(ingress, "metadata").get("finalizers")
    names = map(untrusted.text, finalizers if isinstance(finalizers, list) else ())
    return next((name for name in names if name.startswith(_FINALIZER)), None)
