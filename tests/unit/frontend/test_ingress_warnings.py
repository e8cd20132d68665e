"""What the Ingress controllers' warnings mean, by the texts that they have written over their releases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.frontend import ingress_warnings
from milvus_l7.domain.reasons import Reason

SYNC = "Error syncing to GCP: error running load balancer syncing routine: "
TRANSLATE = "Translation failed: invalid ingress spec: "
TEXTS = [
    (
        Reason.NEG_MISSING,
        TRANSLATE + 'service "ns/n" is type "ClusterIP", expected "NodePort" or "LoadBalancer"',
    ),
    (
        Reason.NEG_MISSING,
        TRANSLATE
        + 'service "ns/n" is type "ClusterIP", expected "NodePort" or "LoadBalancer" when not using NEGs',
    ),
    (Reason.NEG_MISSING, "NEG annotation is invalid."),
    (Reason.SERVICE_PORT_MISSING, TRANSLATE + 'could not find service "default/my-release-milvus"'),
    (Reason.SERVICE_PORT_MISSING, TRANSLATE + 'could not find port "19530" in service "default/my-release"'),
    (
        Reason.BACKEND_NOT_HTTP2,
        'could not parse "service.alpha.kubernetes.io/app-protocols" annotation on service "default/m"',
    ),
    (Reason.BACKEND_NOT_HTTP2, "invalid port application protocol: http2"),
    (
        Reason.BACKEND_CONFIG_INVALID,
        TRANSLATE + 'error getting BackendConfig for port "19530" on service "default/my-release"',
    ),
    (Reason.BACKEND_CONFIG_INVALID, 'BackendConfig ns/n is not valid: Protocol "TCP" is not valid'),
    (Reason.BACKEND_CONFIG_INVALID, "BackendConfig annotation is invalid json"),
    (Reason.BACKEND_CONFIG_INVALID, "no BackendConfig's found in annotation"),
    (Reason.BACKEND_CONFIG_INVALID, "no BackendConfig for service port exists."),
    (
        Reason.STATIC_IP_UNUSABLE,
        SYNC + "the given static IP name X doesn't translate to an existing static IP.",
    ),
    (Reason.STATIC_IP_UNUSABLE, SYNC + "googleapi: Error 409: IP_IN_USE_BY_ANOTHER_RESOURCE"),
    (Reason.STATIC_IP_UNUSABLE, "both global-static-ip and regional-static-ip cannot be specified"),
    (
        Reason.NO_FRONT_END,
        SYNC + "both HTTP and HTTPS are disabled (kubernetes.io/ingress.allow-http is false and there is no "
        "valid TLS configuration)",
    ),
    (
        Reason.NO_FRONT_END,
        "invalid ingress frontend configuration, please check your usage of the "
        "'kubernetes.io/ingress.allow-http' annotation",
    ),
    (Reason.TLS_ENTRY_WITHOUT_SECRET, SYNC + 'secret "" does not exist'),
    (Reason.TLS_ENTRY_WITHOUT_SECRET, 'error getting secrets for Ingress: secret "" does not exist'),
    (Reason.TLS_ENTRY_WITHOUT_SECRET, 'error initializing translator env: secrets "x" not found'),
    (Reason.TLS_ENTRY_WITHOUT_SECRET, 'secret "x" does not specify cert as string data'),
    (Reason.TLS_ENTRY_WITHOUT_SECRET, 'secret "x" does not specify private key as string data'),
    (Reason.TLS_ENTRY_WITHOUT_SECRET, "Could not find TLS certificate: x"),
    (Reason.TLS_ENTRY_WITHOUT_SECRET, "Cert creation failures - k8s2-cr-x: The SSL key is too large."),
    (Reason.QUOTA_EXCEEDED, SYNC + "googleapi: Error 403: Quota 'BACKEND_SERVICES' exceeded. Limit: 5.0"),
    (
        Reason.QUOTA_EXCEEDED,
        "Cert creation failures - googleapi: Error 403: Quota 'SSL_CERTIFICATES' exceeded.",
    ),
    (Reason.QUOTA_EXCEEDED, SYNC + "googleapi: Error 403: Exceeded limit, quotaExceeded"),
    (Reason.MANAGED_CERTIFICATE_MISSING, "ManagedCertificate default:my-release-tls missing"),
    (Reason.INGRESS_SYNC_FAILING, "Error: no FrontendConfig for Ingress exists"),
    (Reason.INGRESS_SYNC_FAILING, 'Ingress class "gce" is not supported in this environment'),
    (Reason.INGRESS_SYNC_FAILING, ""),
]


@pytest.mark.parametrize(("reason", "text"), TEXTS)
def test_warning_is_told_by_its_cause_in_the_controllers_own_words(reason: Reason, text: str) -> None:
    found = ingress_warnings.classified("Sync", text)
    assert found.reason is reason
    assert found.message == f"Sync: {text}"


@pytest.mark.parametrize(("reason", "text"), TEXTS)
def test_misleading_prefix_hides_no_cause(reason: Reason, text: str) -> None:
    wrapped = f"{SYNC}loadbalancer abc-default-milvus does not exist: {text}"
    assert ingress_warnings.classified("Sync", wrapped) == ingress_warnings.classified("Sync", text)


def test_name_of_the_missing_certificate_is_read() -> None:
    assert ingress_warnings.missing_certificate("ManagedCertificate default:other missing") == "other"
    assert ingress_warnings.missing_certificate("Error: ManagedCertificate default:other missing") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (SYNC + 'error initializing translator env: secrets "x" not found', "x"),
        (SYNC + 'secret "x" does not exist', "x"),
        (SYNC + 'secret "x" does not specify cert as string data', "x"),
        ('Cert creation failures - secret "x" Error: googleapi: Error 400: could not be parsed', "x"),
        (SYNC + 'secret "" does not exist', None),
        ("Cert creation failures - k8s2-cr-x: The SSL key is too large.", None),
        ('service "x" not found', None),
        ('secret "x" was synced', None),
    ],
)
def test_name_of_the_secret_that_holds_the_controller_back_is_read(text: str, name: str | None) -> None:
    assert ingress_warnings.unusable_secret(text) == name


@given(st.text(max_size=1000), st.text(max_size=1000))
def test_any_text_becomes_one_bounded_printable_line(event_reason: str, text: str) -> None:
    shown = ingress_warnings.classified(event_reason, text).message
    assert shown.isprintable()
    assert len(shown) <= 342
