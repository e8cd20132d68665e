"""What `managedFields` tell: whether an apply could change anything, and who wrote a field."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.adapters.kubernetes import apply
from milvus_l7.adapters.kubernetes.apply import ApplyRequest
from milvus_l7.domain.kubernetes import manifests
from milvus_l7.domain.kubernetes.field_managers import Writer, is_applied, writer
from milvus_l7.domain.kubernetes.manifests import OURS
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient

Json = dict[str, Any]

NEG = "cloud.google.com/neg"
MANIFEST: Json = {
    "apiVersion": "cloud.google.com/v1",
    "kind": "BackendConfig",
    "metadata": {"namespace": "default", "name": "b", "annotations": {NEG: "{}"}},
    "spec": {"timeoutSec": 60, "hosts": [{"host": "a.io"}]},
}
FIELDS: Json = {
    "f:metadata": {"f:annotations": {f"f:{NEG}": {}}},
    "f:spec": {"f:timeoutSec": {}, "f:hosts": {}},
}


def entry(manager: str = OURS, fields: Any = None, minute: int = 0, /, **changes: Any) -> Json:
    row = {
        "manager": manager,
        "operation": "Apply" if manager == OURS else "Update",
        "apiVersion": "cloud.google.com/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": FIELDS if fields is None else fields,
        "time": f"2026-11-25T14:{minute:02}:00Z",
    }
    return row | changes


def live(*entries: Any, **changes: Any) -> Json:
    own: Json = deepcopy(MANIFEST) | changes
    kept = {"resourceVersion": "7", "uid": "u", "managedFields": list(entries)}
    return own | {"metadata": own["metadata"] | kept}


def with_spec(**changes: Any) -> Json:
    spec = MANIFEST["spec"] | changes
    return MANIFEST | {"spec": {key: value for key, value in spec.items() if value is not ...}}


def with_metadata(**changes: Any) -> Json:
    return MANIFEST | {"metadata": MANIFEST["metadata"] | changes}


def name_of(found: Writer | None) -> str | None:
    return found.manager if found else None


# Whether an apply could change anything


def test_an_object_that_we_applied_and_nobody_changed_is_applied() -> None:
    assert is_applied(live(entry()), MANIFEST, OURS)


def test_fields_of_others_and_status_do_not_matter() -> None:
    others = entry("helm", {"f:spec": {"f:iap": {}}}), entry(OURS, {"f:status": {}}, subresource="status")
    assert is_applied(live(entry(), *others, spec=MANIFEST["spec"] | {"iap": 1}), MANIFEST, OURS)


def test_the_version_that_was_read_may_be_named() -> None:
    assert is_applied(live(entry()), with_metadata(resourceVersion="7"), OURS)
    assert not is_applied(live(entry()), with_metadata(resourceVersion="6"), OURS)


@pytest.mark.parametrize("key", ["namespace", "name"])
def test_another_object_is_not_applied(key: str) -> None:
    assert not is_applied(live(entry()), with_metadata(**{key: "other"}), OURS)


@pytest.mark.parametrize(
    "manifest",
    [
        with_spec(timeoutSec=61),
        with_spec(timeoutSec=60.0),
        with_spec(timeoutSec="60"),
        with_spec(timeoutSec=None),
        with_spec(hosts=[]),
        with_spec(hosts=[{"host": "a.io"}, {"host": "b.io"}]),
        with_spec(hosts=[{"host": "b.io"}]),
        with_spec(more=1),
        with_spec(timeoutSec=...),
        with_metadata(labels={}),
        with_metadata(annotations={}),
        manifests.empty_apply(live()),
    ],
)
def test_another_manifest_is_not_applied(manifest: Json) -> None:
    assert not is_applied(live(entry()), manifest, OURS)


def test_a_default_of_the_server_within_an_atomic_list_leaves_doubt() -> None:
    spec = MANIFEST["spec"] | {"hosts": [{"host": "a.io", "pathType": "Prefix"}]}
    assert not is_applied(live(entry(), spec=spec), MANIFEST, OURS)


def test_a_number_is_not_a_boolean() -> None:
    spec = MANIFEST["spec"] | {"timeoutSec": True}
    assert not is_applied(live(entry(), spec=spec), with_spec(timeoutSec=1), OURS)


def test_a_field_that_we_do_not_own_any_more_is_not_applied() -> None:
    fields = FIELDS | {"f:spec": {"f:hosts": {}}}
    assert not is_applied(live(entry(OURS, fields)), MANIFEST, OURS)


def test_a_field_that_we_own_but_no_longer_want_is_not_applied() -> None:
    fields = FIELDS | {"f:spec": {**FIELDS["f:spec"], "f:iap": {}}}
    assert not is_applied(live(entry(OURS, fields)), MANIFEST, OURS)


@pytest.mark.parametrize("element", ['k:{"host":"a.io"}', 'v:"a.io"'])
def test_lists_whose_items_have_owners_leave_doubt(element: str) -> None:
    fields = FIELDS | {"f:spec": {"f:timeoutSec": {}, "f:hosts": {element: {".": {}, "f:host": {}}}}}
    assert not is_applied(live(entry(OURS, fields)), MANIFEST, OURS)


def test_an_empty_map_that_somebody_filled_leaves_doubt() -> None:
    fields = FIELDS | {"f:metadata": {"f:annotations": {}}}
    assert not is_applied(live(entry(OURS, fields)), with_metadata(annotations={}), OURS)


def test_another_value_in_a_secret_is_not_applied() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"tls.key": "YQ=="}}
    own = entry(OURS, {"f:data": {"f:tls.key": {}}}, apiVersion="v1")
    found = secret | {"metadata": {"name": "s", "managedFields": [own]}}
    assert is_applied(found, secret, OURS)
    assert not is_applied(found | {"data": {"tls.key": "Yg=="}}, secret, OURS)


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (entry("helm"),),
        (entry("helm", operation="Apply"),),
        (entry(operation="Update"),),
        (entry(subresource="status"),),
        (entry(apiVersion="cloud.google.com/v1beta1"),),
        (entry(fieldsType="FieldsV2"),),
        (entry(), entry()),
    ],
)
def test_without_one_apply_of_ours_nothing_is_applied(entries: tuple[Json, ...]) -> None:
    assert not is_applied(live(*entries), MANIFEST, OURS)


# Who wrote a field


def test_the_owner_of_a_field_wrote_it() -> None:
    found = live(entry(), entry("helm", {"f:spec": {"f:iap": {}}}, 5))
    expected = Writer(OURS, "Apply", datetime(2026, 11, 25, 14, 0, tzinfo=UTC))
    assert writer(found, "spec.timeoutSec", ours="other") == expected
    assert writer(found, f"metadata.annotations[{NEG}]") == expected


def test_the_owner_of_an_atomic_list_wrote_what_is_inside() -> None:
    found = live(entry("helm", {"f:spec": {"f:iap": {}}}, 5), entry("kubectl", {"f:spec": {"f:hosts": {}}}))
    assert name_of(writer(found, "spec.hosts[0].host")) == "kubectl"


def test_the_owner_of_an_item_is_found_by_its_keys() -> None:
    def port(number: int) -> Json:
        return {f'k:{{"port":{number},"protocol":"TCP"}}': {".": {}, "f:name": {}}}

    ports = [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}]
    rows = entry("a", {"f:spec": {"f:ports": port(80)}}), entry("b", {"f:spec": {"f:ports": port(81)}})
    found = live(*rows, spec={"ports": ports})
    assert name_of(writer(found, "spec.ports[0].name")) == "a"
    assert name_of(writer(found, "spec.ports[1].name")) == "b"


def test_the_owner_of_a_value_in_a_set_is_found() -> None:
    rows = (
        entry("a", {"f:spec": {"f:set": {'v:"x"': {}}}}),
        entry("b", {"f:spec": {"f:set": {'v:"y"': {}}}}, 1),
    )
    assert name_of(writer(live(*rows, spec={"set": ["x", "y"]}), "spec.set[0]")) == "a"


@pytest.mark.parametrize("element", ["k:[]", "k:{", "k:1", "v:", 'k:{"a":[]}', ""])
@pytest.mark.parametrize("path", ["spec.hosts[0].host", "spec.hosts[9].host"])
def test_an_item_that_no_element_describes_has_no_owner(element: str, path: str) -> None:
    assert writer(live(entry(OURS, {"f:spec": {"f:hosts": {element: {}}}})), path) is None


def test_of_several_owners_the_newest_that_is_not_ours_is_named() -> None:
    rows = entry(OURS, None, 9), entry("old", None, 1), entry("new", None, 2), entry("other", {"f:x": {}}, 8)
    assert name_of(writer(live(*rows), "spec.timeoutSec")) == "new"


def test_if_all_owners_are_ours_the_newest_is_named() -> None:
    rows = entry(OURS, None, 1), entry(OURS, None, 2, operation="Update"), entry("other", {"f:x": {}}, 8)
    found = writer(live(*rows), "spec.timeoutSec")
    assert found == Writer(OURS, "Update", datetime(2026, 11, 25, 14, 2, tzinfo=UTC))


def test_the_owner_of_a_key_comes_before_that_of_the_map_around_it() -> None:
    rows = entry("map", {"f:metadata": {"f:annotations": {}}}, 9), entry("key", FIELDS, 1)
    assert name_of(writer(live(*rows), f"metadata.annotations[{NEG}]")) == "key"


def test_a_removed_field_is_laid_to_the_newest_other_writer_since_ours() -> None:
    others = entry("old", {"f:x": {}}, 1), entry("new", {"f:x": {}}, 2)
    assert name_of(writer(live(entry(OURS, None, 0), *others), "spec.gone")) == "new"
    assert writer(live(entry(OURS, None, 9), *others), "spec.gone") is None
    assert writer(live(entry()), "spec.gone") is None


def test_a_writer_of_status_is_never_named() -> None:
    row = entry("controller", None, 9, subresource="status")
    assert writer(live(row), "spec.timeoutSec") is None


def test_a_writer_without_a_time_is_the_oldest() -> None:
    rows = entry("timeless", None, time="soon"), entry("timed")
    assert name_of(writer(live(*rows), "spec.timeoutSec")) == "timed"
    assert writer(live(rows[0]), "spec.timeoutSec") == Writer("timeless", "Update", None)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            Writer("kubectl-patch", "Update", datetime(2026, 11, 25, 14, 20, tzinfo=UTC)),
            "kubectl-patch (Update, 2026-11-25 14:20 UTC)",
        ),
        (Writer("helm", "Apply", None), "helm (Apply)"),
        (Writer("", "Apply", None), "unnamed (Apply)"),
        (Writer("a\n\x1b\u202eb", "Apply", None), "a???b (Apply)"),
        (Writer("x" * 10_000, "Apply", None), "x" * 60 + " (Apply)"),
    ],
)
def test_a_writer_is_printable_and_bounded(found: Writer, text: str) -> None:
    assert str(found) == text


# Whatever the cluster holds

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
elements = st.sampled_from(
    ["f:spec", "f:hosts", "f:host", "k:{", "k:[]", 'k:{"host":[]}', "v:", "v:1", ".", ""]
)
field_sets = st.recursive(
    st.just({}) | json_values, lambda inner: st.dictionaries(elements, inner), max_leaves=8
)
odd_entries = st.builds(
    lambda change, fields: entry(OURS, fields) | change,
    st.dictionaries(st.sampled_from(list(entry())), json_values, max_size=2),
    field_sets,
)
paths = st.text(max_size=20) | st.sampled_from(
    ["spec.hosts[0].host", "spec.hosts[9]", "spec[0]", "", "[", "]."]
)


@given(json_values | st.lists(odd_entries | json_values, max_size=3), json_values, paths)
def test_odd_content_reads_as_nothing(rows: Any, spec: Any, path: str) -> None:
    found = MANIFEST | {"metadata": MANIFEST["metadata"] | {"managedFields": rows}, "spec": spec}
    assert not is_applied(found, MANIFEST, OURS)
    assert len(str(writer(found, path))) < 120


@given(json_values)
def test_an_object_without_metadata_tells_nothing(metadata: Any) -> None:
    assert not is_applied({"metadata": metadata}, MANIFEST, OURS)
    assert writer({"metadata": metadata}, "spec.timeoutSec") is None


def test_an_entry_that_owns_nothing_reads_as_none() -> None:
    found = live(entry(OURS, {}), entry("empty", {}), entry("odd", "FieldsV1"))
    assert not is_applied(found, manifests.empty_apply(found), OURS)
    assert writer(found, "spec.timeoutSec") is None


@pytest.mark.parametrize(
    "time", [None, 5, "", "2026-11-25", "2026-11-25T14:20:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_time_without_a_zone_or_out_of_range_is_none(time: Any) -> None:
    assert writer(live(entry("a", None, time=time)), "spec.timeoutSec") == Writer("a", "Update", None)


def test_a_time_of_another_zone_is_told_in_utc() -> None:
    found = writer(live(entry("a", None, time="2026-11-25T16:20:00+02:00")), "spec.timeoutSec")
    assert str(found) == "a (Update, 2026-11-25 14:20 UTC)"


@pytest.mark.parametrize("operation", [None, "", "Delete", ["Apply"], {"Apply": 1}])
def test_an_entry_of_another_operation_reads_as_none(operation: Any) -> None:
    assert writer(live(entry("a", None, operation=operation)), "spec.timeoutSec") is None


def test_a_null_leaves_doubt_even_if_it_is_there() -> None:
    spec = MANIFEST["spec"] | {"timeoutSec": None}
    assert not is_applied(live(entry(), spec=spec), MANIFEST | {"spec": spec}, OURS)


def test_a_very_deep_field_set_is_survived() -> None:
    fields: Json = {}
    for _ in range(100_000):
        fields = {"f:spec": fields}
    found = live(entry("deep", fields), entry("keyed", {"f:spec": {"k:" + "[" * 100_000: {}}}))
    assert not is_applied(found, MANIFEST, "deep")
    assert name_of(writer(found, ".".join(["spec"] * 200))) == "deep"
    assert name_of(writer(found, "spec[0]")) in {"deep", "keyed"}


# What planning makes of it


class NoServer:
    """A cluster of which a test expects that nobody asks it."""

    def __getattr__(self, verb: str) -> Any:
        raise AssertionError(verb)


class DryRuns(NoServer):
    """A cluster that answers a dry run with the manifest."""

    def apply(
        self, manifest: Mapping[str, Any], *, dry_run: bool = False, force: bool = False, manager: str = ""
    ) -> Any:
        assert dry_run
        return manifest


def test_what_is_applied_is_planned_without_a_request() -> None:
    assert apply.plan(NoServer(), ApplyRequest(live(entry()), MANIFEST)) == ()


def test_what_is_not_certain_is_asked() -> None:
    changed = with_spec(timeoutSec=61)
    assert [change.field for change in apply.plan(DryRuns(), ApplyRequest(live(entry()), changed))] == [
        "spec.timeoutSec"
    ]


def test_an_object_that_is_being_deleted_is_never_seen_as_applied() -> None:
    found = live(entry())
    found["metadata"]["deletionTimestamp"] = "2026-11-25T14:20:00Z"
    with pytest.raises(Transient) as refused:
        apply.plan(NoServer(), ApplyRequest(found, MANIFEST))
    assert refused.value.reason is Reason.OBJECT_BEING_DELETED
