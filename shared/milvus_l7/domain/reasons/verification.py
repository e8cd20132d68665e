"""What the verification can be the reason of."""

from __future__ import annotations

from milvus_l7.domain.reasons import health_check
from milvus_l7.domain.reasons.retry_policy import RetryPolicies
from milvus_l7.domain.reasons.text import Text

_HEALTH_CHECK = f"HTTP, port {health_check.PORT}, {health_check.PATH}"

BACKENDS_UNHEALTHY = Text(
    "BackendsUnhealthy",
    "The load balancer does not report the Milvus backends healthy.",
    f"Check the BackendConfig ({_HEALTH_CHECK}) and that the Pods are ready.",
    RetryPolicies.QUICK,
)
BACKENDS_UNHEALTHY_PODS_READY = Text(
    "BackendsUnhealthyPodsReady",
    "The load balancer's health checks fail although the Pods are ready.",
    f"Allow 130.211.0.0/22 and 35.191.0.0/16 to Pod port {health_check.PORT} (firewall, NetworkPolicy); "
    f"check the BackendConfig ({_HEALTH_CHECK}).",
    RetryPolicies.RETRY,
)
BACKEND_NOT_HTTP2 = Text(
    "BackendNotHttp2",
    "The Service's app-protocols annotation does not name Milvus' port as HTTP2.",
    "Name the Service port as HTTP2 in cloud.google.com/app-protocols.",
    RetryPolicies.HUMAN,
)
DNS_MISMATCH = Text(
    "DnsMismatch",
    "The domain does not resolve to the load balancer's address, or not only to it.",
    "Create an A record for the domain with the address, and remove other A and AAAA records.",
    RetryPolicies.HUMAN,
)
DNS_RECORD_MISSING = Text(
    "DnsRecordMissing",
    "A domain of the certificate does not resolve to any address.",
    "Create the record that the message shows.",
    RetryPolicies.HUMAN,
)
DNS_ELSEWHERE = Text(
    "DnsElsewhere",
    "A domain of the certificate resolves to other addresses than the load balancer's.",
    "Replace the records as the message shows; switch a proxying CDN to DNS only.",
    RetryPolicies.HUMAN,
)
DNS_EXTRA_RECORD = Text(
    "DnsExtraRecord",
    "A domain of the certificate resolves to the load balancer and to other addresses as well.",
    "Remove the A or AAAA records that the message shows; the certificate needs the only address.",
    RetryPolicies.HUMAN,
)
DNS_LOOKUP_FAILED = Text(
    "DnsLookupFailed",
    "The name servers of a domain did not answer, or answered with an error.",
    "Nothing to do unless it lasts; then check the domain's delegation, name servers and DNSSEC.",
)
DNS_ZONE_UNAVAILABLE = Text(
    "DnsZoneUnavailable",
    "Cloud DNS did not answer, is overloaded, or its records changed at the same moment.",
    "Nothing to do unless it lasts; then look at the quota of the Cloud DNS API.",
)
DNS_ZONE_REFUSED = Text(
    "DnsZoneRefused",
    "The record in the Cloud DNS zone is not ours, or the zone cannot be written, so it is left alone.",
    "Change the record by hand as the message shows, or correct dns.managed_zone and its permissions.",
    RetryPolicies.HUMAN,
)
TLS_NOT_SERVED = Text(
    "TlsNotServed",
    "The load balancer does not complete a TLS handshake for the domain yet.",
    "Nothing to do; it may take some minutes after the address is there.",
    RetryPolicies.QUICK,
)
OTHER_CERTIFICATE_SERVED = Text(
    "OtherCertificateServed",
    "The load balancer serves another certificate than the one provisioned.",
    "Nothing to do at first: GKE looks at Secrets and ManagedCertificates every ten minutes, and shows "
    "the old one until then.",
    RetryPolicies.QUICK,
)
MILVUS_UNREACHABLE = Text(
    "MilvusUnreachable",
    "pymilvus gets no answer from Milvus through the load balancer.",
    "Check that Milvus serves TLS on its gRPC port and that its Pods are ready.",
    RetryPolicies.QUICK,
)
