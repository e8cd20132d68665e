"""Every text of Google's own controllers is told by its reason, alone and joined with others."""

from __future__ import annotations

from itertools import permutations

import pytest

from milvus_l7.domain.frontend import ingress_warnings
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.retry_policy import RetryPolicies
from tests.unit.frontend.controller_texts import (
    BACKEND_CONFIG,
    NEG_RACE,
    NO_NEG,
    NO_PORT,
    NO_SERVICE,
    PROTOCOLS,
    TABLE,
    TRANSLATE,
)

JOINED = {
    NO_SERVICE: Reason.SERVICE_PORT_MISSING,
    NO_NEG: Reason.NEG_MISSING,
    f"{PROTOCOLS}invalid port application protocol: h2c": Reason.BACKEND_NOT_HTTP2,
    f"{BACKEND_CONFIG}, err: no BackendConfig for service port exists.": Reason.BACKEND_CONFIG_INVALID,
}


@pytest.mark.parametrize(("cause", "event_reason", "text", "reason"), TABLE, ids=[row[0] for row in TABLE])
def test_every_text_of_the_controllers_is_told_by_its_reason(
    cause: str, event_reason: str, text: str, reason: Reason
) -> None:
    found = ingress_warnings.classified(event_reason, text)
    assert found.reason is reason, cause
    assert found.message.startswith(f"{event_reason}: ")
    assert "does not exist: " not in found.message.split("loadbalancer", 1)[-1]


@pytest.mark.parametrize(("one", "other"), list(permutations(JOINED, 2)))
def test_joined_faults_are_all_told(one: str, other: str) -> None:
    found = ingress_warnings.classified("Translate", f"{TRANSLATE}{one}; {other}")
    assert found.reason is JOINED[one]
    assert found.message.startswith(f"Translate: {one[:80]}")
    assert f"| {JOINED[other]}: {other[:80]}" in found.message
    assert len(found.message) <= 342


def test_fault_that_many_hosts_have_is_told_once() -> None:
    found = ingress_warnings.classified("Translate", f"{TRANSLATE}{NO_PORT}; {NO_SERVICE}; {NO_SERVICE}")
    assert found.message.count(NO_SERVICE) == 1


def test_more_faults_than_fit_are_counted() -> None:
    ports = [f'could not find port "{number}" in service "default/milvus"' for number in range(9)]
    found = ingress_warnings.classified("Translate", TRANSLATE + "; ".join(ports))
    assert found.message.endswith("5 more")
    assert len(found.message) <= 342


def test_what_heals_by_itself_is_a_quick_wait_and_hides_nothing_that_does_not() -> None:
    assert Reason.INGRESS_SYNC_RETRYING.pace is RetryPolicies.QUICK.value
    assert "Nothing to do" in Reason.INGRESS_SYNC_RETRYING.remedy
    both = ingress_warnings.classified("Sync", f"{NEG_RACE}; {NO_NEG}")
    assert both.reason is Reason.NEG_MISSING
    assert f"| {Reason.INGRESS_SYNC_RETRYING}: " in both.message


@pytest.mark.parametrize(
    "text",
    [
        "googleapi: Error 403: Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of "
        "service 'compute.googleapis.com' for consumer 'project_number:1'., rateLimitExceeded",
        "googleapi: Error 400: The resource 'projects/p/global/urlMaps/x' is not ready, resourceNotReady",
        "googleapi: Error 503: Internal error. Please try again or contact Google Support., backendError",
        "googleapi: Error 500: Internal error, backendError",
        'Operation cannot be fulfilled on ingresses.networking.k8s.io "milvus": the object has been '
        "modified; please apply your changes to the latest version and try again",
    ],
)
def test_what_compute_engine_or_kubernetes_ask_to_try_again_is_not_a_users_to_mend(text: str) -> None:
    assert ingress_warnings.classified("Sync", text).reason is Reason.INGRESS_SYNC_RETRYING
