"""Why a request was refused, why a setup waits, and why it failed: each with its meaning and its remedy."""

from __future__ import annotations

from enum import StrEnum

from shared.domain.backoff import Pace, Paces


class Reason(StrEnum):
    """A stable constant that users see; never renamed, because scripts match on it."""

    meaning: str
    remedy: str
    pace: Pace

    def __new__(cls, value: str, meaning: str, remedy: str, pace: Paces = Paces.RETRY) -> Reason:
        """Attach meaning, remedy and waiting pace to the constant."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.remedy = remedy
        member.pace = pace.value
        return member

    # A message that is not a valid request.
    BODY_MISSING = (
        "BodyMissing",
        "The message has no body; attributes alone are not a request.",
        "Publish the request as a JSON object in the message body.",
    )
    BODY_TOO_LARGE = (
        "BodyTooLarge",
        "The message body is larger than any valid request.",
        "Publish only the documented fields.",
    )
    NOT_JSON = (
        "NotJson",
        "The message body is not UTF-8 JSON.",
        "Publish the request as a JSON object; see docs/request.schema.json.",
    )
    NOT_AN_OBJECT = (
        "NotAnObject",
        "The message body is JSON, but not an object.",
        "Publish one JSON object per message; see docs/request.schema.json.",
    )
    UNKNOWN_SCHEMA_VERSION = (
        "UnknownSchemaVersion",
        "The request names a schema_version that this release does not know.",
        "Use schema_version 1, or leave it out.",
    )
    INVALID_REQUEST = (
        "InvalidRequest",
        "The request breaks the schema: a field is missing, unknown, or of the wrong type.",
        "Correct the named field; see docs/request.schema.json.",
    )
    INVALID_VALUE = (
        "InvalidValue",
        "A field has the right type, but a value that its rule does not allow.",
        "Correct the named field; the message says which rule applies.",
    )

    # The cluster.
    CLUSTER_NOT_FOUND = (
        "ClusterNotFound",
        "The GKE API knows no such cluster.",
        "Check project, location and name of the cluster in the request.",
    )
    CLUSTER_ACCESS_DENIED = (
        "ClusterAccessDenied",
        "The function's identity may not do this in the cluster.",
        "Grant the function's service account the documented roles in Google Cloud and in the cluster.",
    )
    CLUSTER_UNAVAILABLE = (
        "ClusterUnavailable",
        "The GKE or Kubernetes API did not answer, or answered that it is overloaded.",
        "Nothing to do unless it lasts; then check the cluster's control plane and network access to it.",
    )
    REFUSED_BY_CLUSTER = (
        "RefusedByCluster",
        "The Kubernetes API refused an object as invalid.",
        "The message carries the API's own words; an admission policy or an old cluster version may be why.",
    )
    OBJECT_NOT_OURS = (
        "ObjectNotOurs",
        "An object of the needed name exists and was not made by milvus-l7.",
        "Rename or delete the object, or remove it from the chart that makes it.",
    )
    FIELD_CONFLICT = (
        "FieldConflict",
        "Another field manager owns a field that the setup needs with another value.",
        "Give the field the needed value where it is managed, or remove it there.",
    )
    OBJECT_BEING_DELETED = (
        "ObjectBeingDeleted",
        "An object of the needed name is being deleted.",
        "Nothing to do unless it lasts; then look at the finalizers that keep the object.",
        Paces.QUICK,
    )
    ANNOTATION_INVALID = (
        "AnnotationInvalid",
        "An annotation of the Service holds what cannot be merged into, and is not overwritten.",
        "Correct or remove the annotation that the message names; it must be a JSON object.",
    )

    # The Helm release.
    RELEASE_NOT_FOUND = (
        "ReleaseNotFound",
        "The namespace has no Helm release of that name.",
        "Check release and namespace in the request; the message lists the releases that are there.",
    )
    RELEASE_BUSY = (
        "ReleaseBusy",
        "Another Helm operation on the release is in progress.",
        "Wait until it ends; one that was killed is rolled back after ten minutes.",
        Paces.QUICK,
    )
    RELEASE_NOT_DEPLOYED = (
        "ReleaseNotDeployed",
        "The release has no deployed revision to build on.",
        "Bring the release to status deployed with helm, then publish the request again.",
    )
    RELEASE_UNREADABLE = (
        "ReleaseUnreadable",
        "The cluster's record of the release is not one that Helm wrote.",
        "Check the Secret that the message names; restore or delete it.",
    )
    HELM_FAILED = (
        "HelmFailed",
        "Helm could not upgrade the release.",
        "The message carries Helm's own words; the release is at its last good revision.",
    )
    UPGRADE_NOT_CONTAINED = (
        "UpgradeNotContained",
        "Upgrading the stored chart would change or delete more than TLS and the Service type.",
        "Upgrade the release with its original chart and the values that the message names.",
    )
    CUSTOM_CONFIG_MAP = (
        "CustomConfigMap",
        "The release sets customConfigMap, so the chart ignores extraConfigFiles.",
        "Put common.security.tlsMode: 1 into that ConfigMap's milvus.yaml, or unset customConfigMap.",
    )
    MUTUAL_TLS = (
        "MutualTls",
        "Milvus asks for client certificates (tlsMode 2), which a GKE load balancer cannot present.",
        "Set common.security.tlsMode to 1 or remove it.",
    )
    USER_YAML_INVALID = (
        "UserYamlInvalid",
        "extraConfigFiles.user.yaml of the release cannot be merged into.",
        "Correct user.yaml in the release's values: it must be a YAML mapping of mappings.",
    )
    REST_SHARES_PORT = (
        "RestSharesPort",
        "user.yaml puts Milvus' REST server on the gRPC port; Milvus refuses to start with TLS then.",
        "Set proxy.http.port to another port, or proxy.http.enabled to false, or remove both.",
    )
    SERVICE_NOT_FOUND = (
        "ServiceNotFound",
        "The release has no Service for Milvus.",
        "Enable the proxy (or standalone) Service in the release's values.",
    )
    SERVICE_PORT_NOT_FOUND = (
        "ServicePortNotFound",
        "The release's Service has no port for Milvus' gRPC.",
        "Check service.port and service.portName in the release's values.",
    )
    ROLLOUT_IN_PROGRESS = (
        "RolloutInProgress",
        "Pods with the new configuration are not all ready yet.",
        "Nothing to do; look at the Pods if it lasts.",
        Paces.QUICK,
    )
    PODS_CRASHING = (
        "PodsCrashing",
        "Pods with the new configuration crash.",
        "Read the Pod's log; the message names the Pod and why its container ended.",
        Paces.QUICK,
    )

    # Certificate.
    SECRET_NOT_OURS = (
        "SecretNotOurs",
        "The TLS Secret exists and was not made by milvus-l7.",
        'Use it with "certificate": {"type": "self-managed", "secret": "<name>"}, or rename or delete it.',
    )
    SECRET_NOT_FOUND = (
        "SecretNotFound",
        "The TLS Secret that the request names does not exist.",
        "Create the Secret in the release's namespace, or leave certificate.secret out.",
    )
    CERTIFICATE_INVALID = (
        "CertificateInvalid",
        "The TLS Secret does not hold a certificate and key that fit each other, the domain and the date.",
        "Put a fitting pair into the Secret; the message says what does not fit.",
    )
    CERTIFICATE_PROVISIONING = (
        "CertificateProvisioning",
        "Google is issuing the certificate.",
        "Nothing to do; it usually takes 10 to 60 minutes once DNS leads to the load balancer.",
        Paces.ISSUING,
    )
    CERTIFICATE_NOT_ATTACHED = (
        "CertificateNotAttached",
        "The ManagedCertificate is not attached to the load balancer.",
        "Nothing to do at first; if it lasts, publish the request again and look at the Ingress' events.",
        Paces.QUICK,
    )
    CAA_FORBIDS = (
        "CaaForbids",
        "CAA records of the domain, or of a parent of it, forbid Google to have a certificate issued.",
        'Add the CAA records `0 issue "pki.goog"` and `0 issue "letsencrypt.org"` where the message says.',
        Paces.HUMAN,
    )
    CERTIFICATE_RATE_LIMITED = (
        "CertificateRateLimited",
        "The certificate authority has limited the rate at which it issues for the domain.",
        "Wait: Google tries again. Do not recreate the certificate meanwhile, which counts as one more.",
        Paces.HUMAN,
    )
    CERTIFICATE_FAILED_PERMANENTLY = (
        "CertificateFailedPermanently",
        "Google has given up issuing the certificate and does not try again.",
        'Correct what the message names, then publish the request with "recreate_failed": true.',
    )
    CERTIFICATE_RENEWAL_FAILED = (
        "CertificateRenewalFailed",
        "Google could not renew the certificate; the old one is served until it expires.",
        "Correct what the message names (DNS or CAA); Google tries again.",
        Paces.HUMAN,
    )
    MANAGED_CERTIFICATE_GONE = (
        "ManagedCertificateGone",
        "The setup's ManagedCertificate no longer exists, or names other domains than the setup.",
        "Publish the request again; a new ManagedCertificate is made and attached.",
    )
    RETIRING_CERTIFICATE = (
        "RetiringCertificate",
        "The wanted certificate is served, and the one that it replaces is being detached.",
        "Nothing to do; the end point is verified once more without the old certificate.",
        Paces.QUICK,
    )

    # Load balancer.
    ADDRESS_PENDING = (
        "AddressPending",
        "The load balancer has no address yet.",
        "Nothing to do; it usually takes one to five minutes.",
        Paces.QUICK,
    )
    INGRESS_SYNC_FAILING = (
        "IngressSyncFailing",
        "The Ingress controller reports that it cannot build the load balancer.",
        "The message carries the controller's own words; correct what it names.",
        Paces.HUMAN,
    )
    SERVICE_PORT_MISSING = (
        "ServicePortMissing",
        "The Ingress names a Service, or a port of it, that the controller does not find.",
        "Check that the release's Service exists and has the port, then publish the request again.",
        Paces.HUMAN,
    )
    NEG_MISSING = (
        "NegMissing",
        "The Service is of type ClusterIP and has no network endpoint group to reach its Pods by.",
        'Use a VPC-native cluster, and let the Service keep cloud.google.com/neg: {"ingress": true}.',
        Paces.HUMAN,
    )
    BACKEND_CONFIG_INVALID = (
        "BackendConfigInvalid",
        "The controller does not find the Service's BackendConfig, or refuses it.",
        "Correct what the message names in the BackendConfig, or in the Service's annotation for it.",
        Paces.HUMAN,
    )
    STATIC_IP_UNUSABLE = (
        "StaticIpUnusable",
        "The static IP address that the Ingress names does not exist, is not global, or is in use.",
        "Reserve a global address of that name, release the address elsewhere, or remove the annotation.",
        Paces.HUMAN,
    )
    TLS_ENTRY_WITHOUT_SECRET = (
        "TlsEntryWithoutSecret",
        "A tls entry of the Ingress names no Secret, or one that cannot be used.",
        "Remove the entry, or let it name a Secret with tls.crt and tls.key in the same namespace.",
        Paces.HUMAN,
    )
    NO_FRONT_END = (
        "NoFrontEnd",
        "The Ingress allows no HTTP and has no certificate yet, so there is nothing to serve.",
        "Remove kubernetes.io/ingress.allow-http until a certificate is served.",
        Paces.HUMAN,
    )
    QUOTA_EXCEEDED = (
        "QuotaExceeded",
        "A quota of the Google Cloud project is used up.",
        "Raise the quota that the message names, or delete load balancer resources that nobody uses.",
        Paces.HUMAN,
    )
    MANAGED_CERTIFICATE_MISSING = (
        "ManagedCertificateMissing",
        "The Ingress names a ManagedCertificate that does not exist, which blocks all others on it.",
        "Create it, or remove its name from the annotation networking.gke.io/managed-certificates.",
        Paces.HUMAN,
    )
    INGRESS_NOT_FOUND = (
        "IngressNotFound",
        "The setup's Ingress no longer exists.",
        "Publish the request again; it will be created anew, possibly with another address.",
    )

    # Verification.
    BACKENDS_UNHEALTHY = (
        "BackendsUnhealthy",
        "The load balancer does not report the Milvus backends healthy.",
        "Check the BackendConfig (HTTP, port 9091, /healthz) and that the Pods are ready.",
        Paces.QUICK,
    )
    BACKENDS_UNHEALTHY_PODS_READY = (
        "BackendsUnhealthyPodsReady",
        "The load balancer's health checks fail although the Pods are ready.",
        "Allow 130.211.0.0/22 and 35.191.0.0/16 to Pod port 9091 (firewall, NetworkPolicy); "
        "check the BackendConfig (HTTP, port 9091, /healthz).",
        Paces.RETRY,
    )
    BACKEND_NOT_HTTP2 = (
        "BackendNotHttp2",
        "The Service's app-protocols annotation does not name Milvus' port as HTTP2.",
        "Name the Service port as HTTP2 in cloud.google.com/app-protocols, or publish the request again.",
        Paces.HUMAN,
    )
    DNS_MISMATCH = (
        "DnsMismatch",
        "The domain does not resolve to the load balancer's address, or not only to it.",
        "Create an A record for the domain with the address, and remove other A and AAAA records.",
        Paces.HUMAN,
    )
    DNS_RECORD_MISSING = (
        "DnsRecordMissing",
        "A domain of the certificate does not resolve to any address.",
        "Create the record that the message shows.",
        Paces.HUMAN,
    )
    DNS_ELSEWHERE = (
        "DnsElsewhere",
        "A domain of the certificate resolves to other addresses than the load balancer's.",
        "Replace the records as the message shows; switch a proxying CDN to DNS only.",
        Paces.HUMAN,
    )
    DNS_EXTRA_RECORD = (
        "DnsExtraRecord",
        "A domain of the certificate resolves to the load balancer and to other addresses as well.",
        "Remove the A or AAAA records that the message shows; the certificate needs the only address.",
        Paces.HUMAN,
    )
    DNS_LOOKUP_FAILED = (
        "DnsLookupFailed",
        "The name servers of a domain did not answer, or answered with an error.",
        "Nothing to do unless it lasts; then check the domain's delegation, name servers and DNSSEC.",
    )
    DNS_ZONE_UNAVAILABLE = (
        "DnsZoneUnavailable",
        "Cloud DNS did not answer, is overloaded, or its records changed at the same moment.",
        "Nothing to do unless it lasts; then look at the quota of the Cloud DNS API.",
    )
    DNS_ZONE_REFUSED = (
        "DnsZoneRefused",
        "The record in the Cloud DNS zone is not ours, or the zone cannot be written, so it is left alone.",
        "Change the record by hand as the message shows, or correct dns.managed_zone and its permissions.",
        Paces.HUMAN,
    )
    TLS_NOT_SERVED = (
        "TlsNotServed",
        "The load balancer does not complete a TLS handshake for the domain yet.",
        "Nothing to do; it may take some minutes after the address is there.",
        Paces.QUICK,
    )
    OTHER_CERTIFICATE_SERVED = (
        "OtherCertificateServed",
        "The load balancer serves another certificate than the one provisioned.",
        "Nothing to do at first: a changed Secret is picked up within ten minutes.",
        Paces.QUICK,
    )
    MILVUS_UNREACHABLE = (
        "MilvusUnreachable",
        "pymilvus gets no answer from Milvus through the load balancer.",
        "Check that Milvus serves TLS on its gRPC port and that its Pods are ready.",
        Paces.QUICK,
    )

    # Ourselves.
    INTERNAL_ERROR = (
        "InternalError",
        "milvus-l7 met an error that it does not know.",
        "Look for this setup in the function's log, and report it.",
    )
