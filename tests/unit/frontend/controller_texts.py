"""What Google's own controllers said: kubernetes/ingress-gce over a fake Compute Engine, word for word."""

from __future__ import annotations

from milvus_l7.domain.reasons import Reason

SYNC = "Error syncing to GCP: error running "
FRONT_END = SYNC + "load balancer syncing routine: "
BACK_END = SYNC + "backend syncing routine: "
MADE_BY = FRONT_END + "loadbalancer 0123abcd-default-milvus-89abcdef does not exist: "
TRANSLATE = "Translation failed: invalid ingress spec: "
PORT = '"&ServiceBackendPort{Name:,Number:19530,}"'
BACKEND_CONFIG = f'error getting BackendConfig for port {PORT} on service "default/milvus"'
PROTOCOLS = (
    'could not parse "service.alpha.kubernetes.io/app-protocols" annotation on service "default/milvus"'
    ", err: "
)

NO_SERVICE = 'could not find service "default/milvus"'
NO_PORT = f'could not find port {PORT} in service "default/milvus"'
NO_NEG = (
    'service "default/milvus" is type "ClusterIP", expected "NodePort" or "LoadBalancer" when not using NEGs'
)
CERTIFICATE_REFUSED = (
    "Cert creation failures - k8s2-cr-0123abcd-0a1b2c3d4e5f6071-8899aabbccddeeff Error:googleapi: Error 400: "
    "The SSL certificate could not be parsed., sslCertificateCouldNotParseCert"
)
NEG_RACE = (
    "googleapi: Error 404: The resource 'projects/p/zones/us-central1-a/networkEndpointGroups/"
    "k8s1-0123abcd-default-milvus-19530-89abcdef' was not found, notFound"
)
SSL_QUOTA = "googleapi: Error 403: Quota 'SSL_CERTIFICATES' exceeded.  Limit: 10.0 globally., quotaExceeded"

# The cause, the Event's reason, its message, and what we make of it.
TABLE: list[tuple[str, str, str, Reason]] = [
    ("certificate refused", "Sync", MADE_BY + CERTIFICATE_REFUSED, Reason.TLS_ENTRY_WITHOUT_SECRET),
    (
        "Secret absent",
        "Sync",
        FRONT_END + 'error initializing translator env: secrets "x" not found',
        Reason.TLS_ENTRY_WITHOUT_SECRET,
    ),
    ("no secretName", "Sync", FRONT_END + 'secret "" does not exist', Reason.TLS_ENTRY_WITHOUT_SECRET),
    (
        "no tls.key",
        "Sync",
        FRONT_END + 'secret "x" does not specify private key as string data',
        Reason.TLS_ENTRY_WITHOUT_SECRET,
    ),
    (
        "static IP absent",
        "Sync",
        MADE_BY + "the given static IP name x doesn't translate to an existing static IP.",
        Reason.STATIC_IP_UNUSABLE,
    ),
    (
        "neither HTTP nor TLS",
        "Sync",
        MADE_BY + "invalid configuration: both HTTP and HTTPS are disabled (kubernetes.io/ingress.allow-http "
        "is false and there is no valid TLS configuration)",
        Reason.NO_FRONT_END,
    ),
    (
        "pre-shared certificate absent",
        "Sync",
        MADE_BY + "googleapi: Error 404: The resource 'projects/p/global/sslCertificates/mcrt-1' was not "
        "found, notFound",
        Reason.PRE_SHARED_CERTIFICATE_MISSING,
    ),
    (
        "quota of forwarding rules",
        "Sync",
        MADE_BY + "googleapi: Error 403: Quota 'FORWARDING_RULES' exceeded.  Limit: 15.0 globally., "
        "quotaExceeded",
        Reason.QUOTA_EXCEEDED,
    ),
    (
        "quota of backend services",
        "Sync",
        BACK_END + "googleapi: Error 403: Quota 'BACKEND_SERVICES' exceeded.  Limit: 5.0 globally., "
        "quotaExceeded",
        Reason.QUOTA_EXCEEDED,
    ),
    (
        "health check of an unknown type",
        "Sync",
        BACK_END + 'error ensuring health check: Protocol "GRPC" is not valid, must be one of '
        '["HTTP","HTTPS","HTTP2"]',
        Reason.BACKEND_CONFIG_INVALID,
    ),
    ("synced before its NEG exists", "Sync", BACK_END + NEG_RACE, Reason.INGRESS_SYNC_RETRYING),
    ("port absent", "Translate", TRANSLATE + NO_PORT, Reason.SERVICE_PORT_MISSING),
    ("Service absent", "Translate", TRANSLATE + NO_SERVICE, Reason.SERVICE_PORT_MISSING),
    ("ClusterIP without NEG", "Translate", TRANSLATE + NO_NEG, Reason.NEG_MISSING),
    (
        "BackendConfig absent",
        "Translate",
        f"{TRANSLATE}{BACKEND_CONFIG}, err: no BackendConfig for service port exists.",
        Reason.BACKEND_CONFIG_INVALID,
    ),
    (
        "backend-config {}",
        "Translate",
        f"{TRANSLATE}{BACKEND_CONFIG}, err: no BackendConfig's found in annotation",
        Reason.BACKEND_CONFIG_INVALID,
    ),
    (
        "backend-config broken",
        "Translate",
        f"{TRANSLATE}{BACKEND_CONFIG}, err: BackendConfig annotation is invalid json",
        Reason.BACKEND_CONFIG_INVALID,
    ),
    (
        "app-protocols broken",
        "Translate",
        f"{TRANSLATE}{PROTOCOLS}unexpected end of JSON input",
        Reason.BACKEND_NOT_HTTP2,
    ),
    (
        "app-protocols unknown",
        "Translate",
        f"{TRANSLATE}{PROTOCOLS}invalid port application protocol: h2c",
        Reason.BACKEND_NOT_HTTP2,
    ),
    (
        "app-protocols a number",
        "Translate",
        f"{TRANSLATE}{PROTOCOLS}invalid port application protocol: ",
        Reason.BACKEND_NOT_HTTP2,
    ),
]
