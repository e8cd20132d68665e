"""Merging TLS into user.yaml: what the user wrote survives, and nothing of it is quoted in errors."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.release.user_yaml import REST_PORT, KeyChange, merge
from tests.unit.release.user_yaml_trees import KEYS, TREES

BOTH = (KeyChange("common.security.tlsMode", None, 1), KeyChange("proxy.http.port", None, REST_PORT))
OURS = "common:\n  security:\n    tlsMode: 1\nproxy:\n  http:\n    port: 8080\n"
SECRET = "minioadmin-s3cr3t"


def refusal(text: str) -> Permanent:
    with pytest.raises(Permanent) as caught:
        merge(text)
    assert SECRET not in caught.value.message
    return caught.value


def test_empty_text_gets_both_keys() -> None:
    merged = merge("")
    assert merged.text == OURS
    assert merged.changes == BOTH


@pytest.mark.parametrize("comments", ["# only a comment\n#    proxy:\n", "# no newline at the end", "---\n"])
def test_text_without_content_is_kept_in_front(comments: str) -> None:
    merged = merge(comments)
    assert merged.text.startswith(comments)
    assert yaml.safe_load(merged.text) == yaml.safe_load(OURS)


def test_comments_order_quotes_and_indentation_of_the_user_stay() -> None:
    text = (
        "# Ours\n"
        "log:\n"
        "    level: 'debug'   # loud\n"
        "common:\n"
        "    # who may come in\n"
        "    security:\n"
        "        authorizationEnabled: true\n"
        "        # tail of security\n"
        "\n"
        "etcd:\n"
        "    endpoints:\n"
        '        - "a:2379"\n'
        "        - b:2379  # second\n"
    )
    merged = merge(text).text.splitlines()
    assert [line for line in merged if line in text.splitlines()] == text.splitlines()
    added = [line for line in merged if line not in text.splitlines()]
    assert added == ["        tlsMode: 1", "proxy:", "    http:", "        port: 8080"]


@pytest.mark.parametrize("mode", ["1", '"1"'])
def test_text_that_needs_nothing_comes_back_byte_for_byte(mode: str) -> None:
    text = f"common: {{security: {{tlsMode: {mode}}} }}   # odd  style\r\nproxy: {{http: {{enabled: off}}}}"
    assert merge(text).text == text
    assert merge(text).changes == ()


@pytest.mark.parametrize("port", ["9999", '"9999"'])
def test_port_that_the_user_chose_for_rest_is_kept(port: str) -> None:
    merged = merge(f"proxy:\n  http:\n    port: {port}\n")
    assert merged.changes == BOTH[:1]


@pytest.mark.parametrize("value", ["false", "no", "'false'", "0", "F"])
def test_no_port_is_set_where_rest_is_disabled(value: str) -> None:
    merged = merge(f"proxy:\n  http:\n    enabled: {value}\n")
    assert merged.changes == BOTH[:1]


def test_empty_port_counts_as_not_set() -> None:
    assert merge('proxy:\n  http:\n    port: ""\n').changes == BOTH


def test_tls_mode_zero_is_replaced_and_reported() -> None:
    merged = merge("common:\n  security:\n    tlsMode: 0 # plain\n")
    assert "    tlsMode: 1 # plain\n" in merged.text
    assert merged.changes[0] == KeyChange("common.security.tlsMode", 0, 1)


@pytest.mark.parametrize("text", ["common.security.tlsmode: 0\n", "common:\n  Security.TLS_Mode: 0\n"])
def test_other_spelling_of_a_key_is_changed_in_place(text: str) -> None:
    merged = merge(text)
    assert merged.text.startswith(text.replace("0", "1"))
    assert "tlsMode:" not in merged.text


def test_key_in_two_spellings_is_refused() -> None:
    error = refusal("common.security.tlsMode: 1\ncommon: {security: {tlsmode: 0}}\n")
    assert error.reason is Reason.USER_YAML_INVALID


@pytest.mark.parametrize("value", ["2", '"2"'])
def test_mutual_tls_is_refused(value: str) -> None:
    assert refusal(f"common: {{security: {{tlsMode: {value}}}}}").reason is Reason.MUTUAL_TLS


@pytest.mark.parametrize(
    "text",
    [
        "proxy: {http: {port: 19530}}",
        'proxy: {http: {port: "19530", enabled: true}}',
        "proxy: {port: 20000, http: {port: 20000}}",
        "proxy: {port: 8080}",
    ],
)
def test_rest_on_the_grpc_port_is_refused(text: str) -> None:
    assert refusal(text).reason is Reason.REST_SHARES_PORT


def test_rest_on_the_grpc_port_is_no_matter_where_rest_is_disabled() -> None:
    assert merge("proxy: {http: {port: 19530, enabled: false}}").changes == BOTH[:1]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"\tsecret: {SECRET}", "line 1, column 1"),
        (f"a: {SECRET}\na: {SECRET}", "line 2, column 1"),
        (f"a: {SECRET}\n---\nb: 1", "not a single valid YAML document"),
        (f"a: 'open {SECRET}", "not a single valid YAML document"),
        (f"a: 2001-99-99\nb: {SECRET}", "not a single valid YAML document"),
        (f"- {SECRET}", "top level is not a mapping"),
        (SECRET, "top level is not a mapping"),
        (f"common: {SECRET}", "common is not a mapping"),
        (f"common: {{security: [{SECRET}]}}", "common.security is not a mapping"),
        (f"proxy: {SECRET}", "proxy is not a mapping"),
        (f"proxy: {{http: {SECRET}}}", "proxy.http is not a mapping"),
        (f"x: &a {{k: {SECRET}}}\ncommon: {{security: *a}}", "anchors or aliases"),
        ("a: " + "[" * 20_000 + SECRET, "open brackets"),
        ("- " * 2000 + SECRET, "more than 64 levels"),
        ("a: " + "1:" * 50_000 + "1", "more than 400 digits"),
        (f"{SECRET}: &a [*a]", "alias inside"),
        (f"a: {SECRET}" + " " * 300_000, "characters"),
    ],
)
def test_what_cannot_be_merged_into_is_refused_without_quoting_it(text: str, what: str) -> None:
    error = refusal(text)
    assert error.reason is Reason.USER_YAML_INVALID
    assert what in error.message


@pytest.mark.parametrize(
    "level", ["{{a: *l{m}, b: *l{m}}}", "[*l{m}, *l{m}]", "{{<<: [*l{m}, *l{m}], k{n}: 1}}"]
)
def test_nested_aliases_are_refused_before_they_are_loaded(level: str) -> None:
    levels = [f"l{n}: &l{n} {level.format(n=n, m=n - 1)}" for n in range(1, 24)]
    error = refusal("\n".join(["l0: &l0 {}", *levels]))
    assert "more than 100000 values, aliases expanded" in error.message


FILES = st.dictionaries(KEYS, TREES, max_size=5)


@given(tree=FILES, flow=st.booleans(), indent=st.sampled_from([2, 4]))
def test_merging_keeps_everything_else_and_merging_again_changes_nothing(
    tree: dict[str, object], flow: bool, indent: int
) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow, indent=indent, allow_unicode=True, sort_keys=False)
    once = merge(text)
    assert yaml.safe_load(once.text) == {**tree, **yaml.safe_load(OURS)}
    assert merge(once.text).text == once.text


@given(st.text(max_size=60))
def test_no_text_crashes_the_merge(text: str) -> None:
    try:
        merged = merge(text)
    except Permanent:
        return
    assert merge(merged.text).changes == ()


def test_empty_key_that_begins_like_one_of_ours_is_left_alone() -> None:
    assert yaml.safe_load(merge("com:\nc:\nprox:\n").text) == {
        "com": None,
        "c": None,
        "prox": None,
        **yaml.safe_load(OURS),
    }


def test_parents_without_a_value_are_filled() -> None:
    assert yaml.safe_load(merge("common:\nproxy: {http: }\n").text) == yaml.safe_load(OURS)


def test_parent_in_another_spelling_is_used() -> None:
    merged = yaml.safe_load(merge("Common: {Security: {a: 1}}\n").text)
    assert merged["Common"] == {"Security": {"a": 1, "tlsMode": 1}}
    assert "common" not in merged
