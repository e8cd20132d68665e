"""What a tear-down can wait for."""

from __future__ import annotations

from milvus_l7.domain.reasons.retry_policy import RetryPolicies
from milvus_l7.domain.reasons.text import Text

SETUP_NOT_FOUND = Text(
    "SetupNotFound",
    "There is no setup of that release.",
    "Check cluster, namespace and release; `milvus-l7 status` lists the setups that there are.",
)
LOAD_BALANCER_RELEASING = Text(
    "LoadBalancerReleasing",
    "The Ingress is being deleted, and GKE still releases its load balancer.",
    "Nothing to do; it usually takes some minutes.",
    RetryPolicies.QUICK,
)
LOAD_BALANCER_STUCK = Text(
    "LoadBalancerStuck",
    "GKE reports that it cannot release the load balancer.",
    "The message carries the controller's own words; GKE removes the finalizer once the cause is removed.",
    RetryPolicies.HUMAN,
)
PLAINTEXT_UNREACHABLE = Text(
    "PlaintextUnreachable",
    "Milvus does not answer in plaintext at the Service's own address yet.",
    "Nothing to do at first; if it lasts, look at the Service's address and the Pods.",
    RetryPolicies.QUICK,
)
RESTORE_INCOMPLETE = Text(
    "RestoreIncomplete",
    "The release was brought back, but a field of it is not what was recorded before the set-up.",
    "Look at the named fields, set them by hand if need be, and publish the tear-down again.",
)
