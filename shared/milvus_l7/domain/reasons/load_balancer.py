"""What the load balancer can be the reason of."""

from __future__ import annotations

from milvus_l7.domain.reasons.retry_policy import RetryPolicies
from milvus_l7.domain.reasons.text import Text

ADDRESS_PENDING = Text(
    "AddressPending",
    "The load balancer has no address yet.",
    "Nothing to do; it usually takes one to five minutes.",
    RetryPolicies.QUICK,
)
LOAD_BALANCER_REPLACED = Text(
    "LoadBalancerReplaced",
    "The class of the Ingress was changed and is ours again: GKE builds the load balancer anew, and what the "
    "Ingress says of it may still be of the one before.",
    "Nothing to do; it takes some minutes. The address may be another one than before: DNS must lead there.",
    RetryPolicies.QUICK,
)
INGRESS_SYNC_FAILING = Text(
    "IngressSyncFailing",
    "The Ingress controller reports that it cannot build the load balancer.",
    "The message carries the controller's own words; correct what it names.",
    RetryPolicies.HUMAN,
)
INGRESS_SYNC_RETRYING = Text(
    "IngressSyncRetrying",
    "The Ingress controller met an error that heals by itself, as one before the endpoint group exists.",
    "Nothing to do: the controller tries again by itself; if it lasts, look at what the message names.",
    RetryPolicies.QUICK,
)
SERVICE_PORT_MISSING = Text(
    "ServicePortMissing",
    "The Ingress names a Service, or a port of it, that the controller does not find.",
    "Check that the release's Service exists and has the port, then publish the request again.",
    RetryPolicies.HUMAN,
)
NEG_MISSING = Text(
    "NegMissing",
    "The Service is of type ClusterIP and has no network endpoint group to reach its Pods by.",
    'Use a VPC-native cluster, and let the Service keep cloud.google.com/neg: {"ingress": true}.',
    RetryPolicies.HUMAN,
)
NEG_FAILING = Text(
    "NegFailing",
    "GKE cannot bring the Pods into the Service's network endpoint group.",
    "The message carries the controller's own words on the Service; correct what it names.",
    RetryPolicies.HUMAN,
)
BACKEND_CONFIG_INVALID = Text(
    "BackendConfigInvalid",
    "The controller does not find the Service's BackendConfig, or refuses it.",
    "Correct what the message names in the BackendConfig, or in the Service's annotation for it.",
    RetryPolicies.HUMAN,
)
STATIC_IP_UNUSABLE = Text(
    "StaticIpUnusable",
    "The static IP address that the Ingress names does not exist, is not global, or is in use.",
    "Reserve a global address of that name, release the address elsewhere, or remove the annotation.",
    RetryPolicies.HUMAN,
)
TLS_ENTRY_WITHOUT_SECRET = Text(
    "TlsEntryWithoutSecret",
    "A tls entry of the Ingress names no Secret, or one that cannot be used.",
    "Remove the entry, or let it name a Secret with tls.crt and tls.key that fit each other, in the same "
    "namespace; a corrected Secret is seen within ten minutes.",
    RetryPolicies.HUMAN,
)
NO_FRONT_END = Text(
    "NoFrontEnd",
    "The Ingress allows no HTTP and has no certificate yet, so there is nothing to serve.",
    "Remove kubernetes.io/ingress.allow-http until a certificate is served.",
    RetryPolicies.HUMAN,
)
QUOTA_EXCEEDED = Text(
    "QuotaExceeded",
    "A quota of the Google Cloud project is used up.",
    "Raise the quota that the message names, or delete load balancer resources that nobody uses.",
    RetryPolicies.HUMAN,
)
MANAGED_CERTIFICATE_MISSING = Text(
    "ManagedCertificateMissing",
    "The Ingress names a ManagedCertificate that does not exist, which blocks all others on it.",
    "Create it, or remove its name from the annotation networking.gke.io/managed-certificates.",
    RetryPolicies.HUMAN,
)
PRE_SHARED_CERTIFICATE_MISSING = Text(
    "PreSharedCertificateMissing",
    "The Ingress names a certificate of Compute Engine that does not exist, which holds back all the rest.",
    "Look at the ManagedCertificate's events for why it was not made, or take a name that you have put there "
    "yourself out of the annotation ingress.gcp.kubernetes.io/pre-shared-cert.",
    RetryPolicies.HUMAN,
)
INGRESS_CLASS_CHANGED = Text(
    "IngressClassChanged",
    "The class of the Ingress was changed, so GKE has let go of it: its address and health are stale.",
    "Stop what changes kubernetes.io/ingress.class, then publish the request again.",
)
INGRESS_NOT_FOUND = Text(
    "IngressNotFound",
    "The setup's Ingress no longer exists.",
    "Publish the request again; it will be created anew, possibly with another address.",
)
