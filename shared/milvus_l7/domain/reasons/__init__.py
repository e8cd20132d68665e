"""Why a request was refused, why a setup waits, and why it failed: each with its meaning and its remedy.

The texts are in the modules of this package, one for each thing that can be the reason.
"""

from __future__ import annotations

from enum import StrEnum

from milvus_l7.domain.reasons import (
    certificate,
    cluster,
    drift,
    internal,
    load_balancer,
    release,
    request,
    teardown,
    verification,
)
from milvus_l7.domain.reasons.retry_policy import RetryPolicies, RetryPolicy


class Reason(StrEnum):
    """A stable constant that users see; never renamed, because scripts match on it."""

    meaning: str
    remedy: str
    pace: RetryPolicy

    def __new__(
        cls, value: str, meaning: str, remedy: str, pace: RetryPolicies = RetryPolicies.RETRY
    ) -> Reason:
        """Attach meaning, remedy and waiting pace to the constant."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.remedy = remedy
        member.pace = pace.value
        return member

    BODY_MISSING = request.BODY_MISSING
    BODY_TOO_LARGE = request.BODY_TOO_LARGE
    NOT_JSON = request.NOT_JSON
    NOT_AN_OBJECT = request.NOT_AN_OBJECT
    UNKNOWN_SCHEMA_VERSION = request.UNKNOWN_SCHEMA_VERSION
    INVALID_REQUEST = request.INVALID_REQUEST
    INVALID_VALUE = request.INVALID_VALUE
    SUPERSEDED = request.SUPERSEDED

    CLUSTER_NOT_FOUND = cluster.CLUSTER_NOT_FOUND
    CLUSTER_ACCESS_DENIED = cluster.CLUSTER_ACCESS_DENIED
    CLUSTER_UNAVAILABLE = cluster.CLUSTER_UNAVAILABLE
    REFUSED_BY_CLUSTER = cluster.REFUSED_BY_CLUSTER
    DRY_RUN_UNSUPPORTED = cluster.DRY_RUN_UNSUPPORTED
    ANSWER_TOO_LARGE = cluster.ANSWER_TOO_LARGE
    OBJECT_NOT_OURS = cluster.OBJECT_NOT_OURS
    NOT_ADOPTABLE = cluster.NOT_ADOPTABLE
    FIELD_CONFLICT = cluster.FIELD_CONFLICT
    OBJECT_BEING_DELETED = cluster.OBJECT_BEING_DELETED
    ANNOTATION_INVALID = cluster.ANNOTATION_INVALID

    RELEASE_NOT_FOUND = release.RELEASE_NOT_FOUND
    RELEASE_BUSY = release.RELEASE_BUSY
    RELEASE_ROLLED_BACK = release.RELEASE_ROLLED_BACK
    RELEASE_NOT_DEPLOYED = release.RELEASE_NOT_DEPLOYED
    RELEASE_UNREADABLE = release.RELEASE_UNREADABLE
    HELM_FAILED = release.HELM_FAILED
    UPGRADE_NOT_CONTAINED = release.UPGRADE_NOT_CONTAINED
    CHART_OUT_OF_BOUNDS = release.CHART_OUT_OF_BOUNDS
    CHART_TOO_EXPENSIVE = release.CHART_TOO_EXPENSIVE
    RELEASE_NOT_MILVUS = release.RELEASE_NOT_MILVUS
    CHART_WITHOUT_TLS = release.CHART_WITHOUT_TLS
    CUSTOM_CONFIG_MAP = release.CUSTOM_CONFIG_MAP
    MUTUAL_TLS = release.MUTUAL_TLS
    USER_YAML_INVALID = release.USER_YAML_INVALID
    REST_SHARES_PORT = release.REST_SHARES_PORT
    SERVICE_NOT_FOUND = release.SERVICE_NOT_FOUND
    SERVICE_PORT_NOT_FOUND = release.SERVICE_PORT_NOT_FOUND
    ROLLOUT_IN_PROGRESS = release.ROLLOUT_IN_PROGRESS
    PODS_CRASHING = release.PODS_CRASHING
    OUTSIDE_MAINTENANCE_WINDOW = release.OUTSIDE_MAINTENANCE_WINDOW

    SECRET_NOT_OURS = certificate.SECRET_NOT_OURS
    SECRET_NOT_FOUND = certificate.SECRET_NOT_FOUND
    CERTIFICATE_INVALID = certificate.CERTIFICATE_INVALID
    CERTIFICATE_PROVISIONING = certificate.CERTIFICATE_PROVISIONING
    CERTIFICATE_NOT_ATTACHED = certificate.CERTIFICATE_NOT_ATTACHED
    CERTIFICATE_REFUSED = certificate.CERTIFICATE_REFUSED
    CAA_FORBIDS = certificate.CAA_FORBIDS
    CERTIFICATE_RATE_LIMITED = certificate.CERTIFICATE_RATE_LIMITED
    CERTIFICATE_FAILED_PERMANENTLY = certificate.CERTIFICATE_FAILED_PERMANENTLY
    CERTIFICATE_RENEWAL_FAILED = certificate.CERTIFICATE_RENEWAL_FAILED
    MANAGED_CERTIFICATE_GONE = certificate.MANAGED_CERTIFICATE_GONE
    RETIRING_CERTIFICATE = certificate.RETIRING_CERTIFICATE

    ADDRESS_PENDING = load_balancer.ADDRESS_PENDING
    LOAD_BALANCER_REPLACED = load_balancer.LOAD_BALANCER_REPLACED
    INGRESS_SYNC_FAILING = load_balancer.INGRESS_SYNC_FAILING
    INGRESS_SYNC_RETRYING = load_balancer.INGRESS_SYNC_RETRYING
    SERVICE_PORT_MISSING = load_balancer.SERVICE_PORT_MISSING
    NEG_MISSING = load_balancer.NEG_MISSING
    NEG_FAILING = load_balancer.NEG_FAILING
    BACKEND_CONFIG_INVALID = load_balancer.BACKEND_CONFIG_INVALID
    STATIC_IP_UNUSABLE = load_balancer.STATIC_IP_UNUSABLE
    TLS_ENTRY_WITHOUT_SECRET = load_balancer.TLS_ENTRY_WITHOUT_SECRET
    NO_FRONT_END = load_balancer.NO_FRONT_END
    QUOTA_EXCEEDED = load_balancer.QUOTA_EXCEEDED
    MANAGED_CERTIFICATE_MISSING = load_balancer.MANAGED_CERTIFICATE_MISSING
    PRE_SHARED_CERTIFICATE_MISSING = load_balancer.PRE_SHARED_CERTIFICATE_MISSING
    INGRESS_CLASS_CHANGED = load_balancer.INGRESS_CLASS_CHANGED
    INGRESS_NOT_FOUND = load_balancer.INGRESS_NOT_FOUND

    BACKENDS_UNHEALTHY = verification.BACKENDS_UNHEALTHY
    BACKENDS_UNHEALTHY_PODS_READY = verification.BACKENDS_UNHEALTHY_PODS_READY
    BACKEND_NOT_HTTP2 = verification.BACKEND_NOT_HTTP2
    DNS_MISMATCH = verification.DNS_MISMATCH
    DNS_RECORD_MISSING = verification.DNS_RECORD_MISSING
    DNS_ELSEWHERE = verification.DNS_ELSEWHERE
    DNS_EXTRA_RECORD = verification.DNS_EXTRA_RECORD
    DNS_LOOKUP_FAILED = verification.DNS_LOOKUP_FAILED
    DNS_ZONE_UNAVAILABLE = verification.DNS_ZONE_UNAVAILABLE
    DNS_ZONE_REFUSED = verification.DNS_ZONE_REFUSED
    TLS_NOT_SERVED = verification.TLS_NOT_SERVED
    OTHER_CERTIFICATE_SERVED = verification.OTHER_CERTIFICATE_SERVED
    MILVUS_UNREACHABLE = verification.MILVUS_UNREACHABLE

    DRIFTED = drift.DRIFTED
    REPAIR_UNDONE = drift.REPAIR_UNDONE
    REPAIR_LIMIT_REACHED = drift.REPAIR_LIMIT_REACHED
    REPAIR_NEEDS_LEAVE = drift.REPAIR_NEEDS_LEAVE
    CERTIFICATE_EXPIRING = drift.CERTIFICATE_EXPIRING

    SETUP_NOT_FOUND = teardown.SETUP_NOT_FOUND
    LOAD_BALANCER_RELEASING = teardown.LOAD_BALANCER_RELEASING
    LOAD_BALANCER_STUCK = teardown.LOAD_BALANCER_STUCK
    PLAINTEXT_UNREACHABLE = teardown.PLAINTEXT_UNREACHABLE
    RESTORE_INCOMPLETE = teardown.RESTORE_INCOMPLETE

    INTERNAL_ERROR = internal.INTERNAL_ERROR
    EXECUTION_STOPPED = internal.EXECUTION_STOPPED
    EXECUTION_LOST = internal.EXECUTION_LOST
