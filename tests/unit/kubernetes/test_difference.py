"""What a dry run would change, as users see it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.kubernetes.change import Change
from milvus_l7.domain.kubernetes.difference import HIDDEN, difference


def manifest(kind: str = "Service", /, **parts: Any) -> dict[str, Any]:
    metadata = {"namespace": "default", "name": "milvus", **parts.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **parts}


def fields(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {change.field: (change.before, change.after) for change in difference(before, after)}


def test_the_same_object_has_no_difference() -> None:
    assert difference(manifest(spec={"a": [1]}), manifest(spec={"a": [1]})) == ()


def test_a_change_names_object_field_and_both_values() -> None:
    change = Change("Service default/milvus", "spec.type", "LoadBalancer", "ClusterIP")
    before, after = manifest(spec={"type": "LoadBalancer"}), manifest(spec={"type": "ClusterIP"})
    assert difference(before, after) == (change,)


def test_what_the_server_keeps_itself_does_not_count() -> None:
    names = "creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"
    noise = dict.fromkeys(names, "2")
    assert difference(manifest(), manifest(metadata=noise, status={"x": 1})) == ()


def test_a_missing_object_is_always_a_difference() -> None:
    assert fields(None, manifest())["metadata.name"] == (None, "milvus")
    assert fields(None, manifest(spec={"a": {"b": 1}}))["spec.a.b"] == (None, 1)


def test_a_key_with_dots_stands_in_brackets() -> None:
    after = manifest(metadata={"annotations": {"cloud.google.com/neg": "{}"}})
    assert fields(manifest(), after) == {"metadata.annotations[cloud.google.com/neg]": (None, "{}")}


def test_a_removed_field_has_no_value_after() -> None:
    assert fields(manifest(spec={"a": 1, "b": 2}), manifest(spec={"a": 1})) == {"spec.b": (2, None)}


def test_lists_of_one_length_are_compared_item_by_item() -> None:
    before, after = manifest(spec={"r": [{"h": "a"}, 1]}), manifest(spec={"r": [{"h": "b"}, 1]})
    assert fields(before, after) == {"spec.r[0].h": ("a", "b")}


def test_lists_of_different_length_are_shown_whole() -> None:
    assert fields(manifest(spec={"r": [1]}), manifest(spec={"r": []})) == {"spec.r": ([1], [])}


def test_an_empty_map_differs_from_none() -> None:
    assert fields(manifest(), manifest(spec={})) == {"spec": (None, {})}


def test_a_value_of_another_shape_is_shown_whole() -> None:
    assert fields(manifest(spec={"a": "x"}), manifest(spec={"a": {"b": 1}})) == {"spec.a": ("x", {"b": 1})}
    assert fields(manifest(spec={"a": [1]}), manifest(spec={"a": None})) == {"spec.a": ([1], None)}


def test_a_secrets_values_are_hidden_but_their_change_is_seen() -> None:
    note = "kubectl.kubernetes.io/last-applied-configuration"
    before = manifest("Secret", data={"tls.key": "b2xk"}, metadata={"annotations": {note: "b2xk"}})
    after = manifest("Secret", data={"tls.key": "bmV3", "tls.crt": "bmV3"}, metadata={"labels": {"a": "b"}})
    assert fields(before, after) == {
        "data[tls.key]": (HIDDEN, HIDDEN),
        "data[tls.crt]": (None, HIDDEN),
        "metadata.annotations": (HIDDEN, None),
        "metadata.labels.a": (None, "b"),
    }


SPECS = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(SPECS, SPECS)
def test_nothing_differs_only_if_nothing_differs(one: Any, other: Any) -> None:
    assert (difference(manifest(spec=one), manifest(spec=other)) == ()) == (one == other)


@given(SPECS)
def test_a_secret_is_never_shown(value: Any) -> None:
    changes = difference(None, manifest("Secret", data={"k": value}))
    assert all(c.after == HIDDEN for c in changes if c.field.startswith("data"))
