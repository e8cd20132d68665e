"""Annotations and events of any size and depth are read within limits, and never make anything crash."""

from __future__ import annotations

from typing import Any

import pytest

from milvus_l7.domain.dns import diagnosis
from milvus_l7.domain.dns.diagnosis import CaaRecord, CaaRecords, Lookup
from milvus_l7.domain.frontend import backend_health, ingress_status, service_annotations
from milvus_l7.domain.frontend.service_annotations import KEYS, NEG
from milvus_l7.domain.kubernetes import field_managers
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.facts import ServiceFacts

SERVICE = ServiceFacts("my-release-milvus", 19530, "milvus")
TOO_MUCH = {
    "levels": '{"a":' * 33 + "1" + "}" * 33,
    "974 levels": '{"a":' * 974 + "1" + "}" * 974,
    "bytes": '{"a": "' + "x" * 300_000 + '"}',
    "values": '{"a": [' + "1," * 30_000 + "1]}",
    "digits": '{"a": ' + "9" * 5000 + "}",
    "beyond 1.8e308": '{"a": 1e999}',
    "surrogate": r'{"a": "\ud800"}',
}


def annotated(key: str, text: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {key: text}}}


@pytest.mark.parametrize(("limit", "text"), TOO_MUCH.items())
def test_an_annotation_beyond_a_limit_is_never_merged_into(limit: str, text: str) -> None:
    with pytest.raises(Permanent) as refused:
        service_annotations.merged({NEG: text}, SERVICE, "config")
    assert refused.value.reason is Reason.ANNOTATION_INVALID
    assert len(refused.value.message) < 250
    if limit not in ("974 levels", "surrogate"):
        assert limit in refused.value.message


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
@pytest.mark.parametrize("key", KEYS)
def test_an_annotation_beyond_a_limit_is_left_alone_on_the_way_back(key: str, text: str) -> None:
    for existing, before in ((text, None), (text, "{}"), ("{}", text)):
        found = service_annotations.restored({key: existing}, {key: before}, SERVICE, "config")
        assert found.get(key, existing) in (existing, before)


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_status_beyond_a_limit_is_not_known(text: str) -> None:
    assert backend_health.neg_name(annotated(backend_health.NEG_STATUS, text), 19530) is None
    assert "needs HTTP2" in str(
        backend_health.protocol_problem(annotated(service_annotations.APP_PROTOCOLS, text), SERVICE)
    )


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
def test_an_owned_item_beyond_a_limit_is_no_item(text: str) -> None:
    assert field_managers.item_fields({f"k:{text}": {}, f"v:{text}": {}}, {"a": 1}) is None


def test_a_very_long_event_is_told_shortly() -> None:
    message = "loadbalancer " * 100_000 + "quota exceeded"
    event = {"type": "Warning", "reason": "Sync", "message": message}
    found = ingress_status.warning({}, [event])
    assert found is not None
    assert len(found.message) < 400
    assert ingress_status.firewall_change([{"reason": "XPN", "message": message}]) == message[:4000]


def test_very_long_caa_records_are_told_shortly() -> None:
    records = tuple(CaaRecord(0, "issue", f"{number}" + "x" * 60_000) for number in range(9))
    fault = diagnosis.caa_fault("a.io", Lookup(caa=CaaRecords("a.io", records)))
    assert fault is not None
    assert len(fault.message) < 1000
