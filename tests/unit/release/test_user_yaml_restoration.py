"""Taking TLS out of user.yaml again: byte for byte where nothing else changed, else all but our keys stay."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.release import user_yaml
from milvus_l7.domain.release.user_yaml import HTTP_PORT, TLS_MODE, KeyChange
from milvus_l7.domain.release.user_yaml_restoration import restore
from tests.unit.release.user_yaml_trees import KEYS, TREES

NOTHING = {TLS_MODE: None, HTTP_PORT: None}
OURS = "common:\n  security:\n    tlsMode: 1\nproxy:\n  http:\n    port: 8080\n"
SECRET = "minioadmin-s3cr3t"


def known(text: str) -> dict[str, Any]:
    """What is remembered of the text before the first upgrade."""
    return {change.path: change.before for change in user_yaml.merge(text).changes}


ODD = "log:   {level: info}   # odd\r\n\ncommon:\n- oops".replace(
    "common:\n- oops", "etcd:\n      a: [ 1,2 ]"
)


@pytest.mark.parametrize("earlier", ["", "# only a comment", "---\n", "{}", "common:\n", ODD, 'a: "b"   # c'])
def test_the_text_that_was_merged_into_comes_back_byte_for_byte(earlier: str) -> None:
    merged = user_yaml.merge(earlier)
    found = restore(merged.text, known(earlier), earlier)
    assert found.text == earlier
    assert found.changes == tuple(KeyChange(c.path, c.after, c.before) for c in merged.changes)


def test_nothing_is_left_of_a_text_that_was_ours_alone() -> None:
    assert restore(OURS, NOTHING).text == ""


def test_comments_order_and_odd_spacing_of_everything_else_stay() -> None:
    text = "# Ours\nlog:\n    level:   'debug'  # loud\n\ncommon:\n    security:\n{}        a: [ 1,2 ]  # x\n"
    present = (
        text.format("        tlsMode: 1\n") + "proxy:\n    # REST\n    http:\n        port: 8080\n    x: 1\n"
    )
    found = restore(present, NOTHING)
    assert found.text == text.format("") + "proxy:\n    # REST\n    x: 1\n"
    assert found.changes == (KeyChange(TLS_MODE, 1, None), KeyChange(HTTP_PORT, 8080, None))


def test_an_earlier_value_is_put_back_in_its_place() -> None:
    found = restore("common:\n  security:\n    tlsMode: 1 # plain\n", {TLS_MODE: 0})
    assert found.text == "common:\n  security:\n    tlsMode: 0 # plain\n"
    assert found.changes == (KeyChange(TLS_MODE, 1, 0),)


@pytest.mark.parametrize("value", ["2", "0", "", "true"])
def test_a_key_that_somebody_changed_since_stays(value: str) -> None:
    text = f"common: {{security: {{tlsMode: {value}}} }}  # mine\nproxy: {{http: {{port: 9999}}}}"
    assert restore(text, NOTHING) == user_yaml.Merged(text)


def test_an_empty_item_right_below_its_key_is_no_hindrance() -> None:
    text = "log:\n-\ncommon:\n  security:\n    tlsMode: 0\n"
    merged = user_yaml.merge(text)
    assert yaml.safe_load(merged.text)["log"] == [None]
    assert yaml.safe_load(restore(merged.text, known(text)).text) == yaml.safe_load(text)


def test_a_value_that_was_the_same_before_us_needs_no_change() -> None:
    assert restore(OURS, {TLS_MODE: "1", HTTP_PORT: 8080}) == user_yaml.Merged(OURS)


def test_keys_that_are_not_remembered_stay() -> None:
    assert restore(OURS, {}) == user_yaml.Merged(OURS)
    assert restore(OURS, {HTTP_PORT: None}).text == OURS.partition("proxy")[0]


def test_a_text_changed_since_is_not_replaced_by_the_earlier_one() -> None:
    found = restore(OURS + "log: {level: warn}\n", NOTHING, "")
    assert found.text == "log: {level: warn}\n"


def test_an_earlier_text_that_cannot_be_merged_into_is_passed_over() -> None:
    assert restore(OURS, NOTHING, "common: 3").text == ""


@pytest.mark.parametrize("space", [" ", "\n  "])
def test_keys_on_one_line_with_others_are_taken_out_of_it(space: str) -> None:
    found = restore(f"common: {{security: {{tlsMode: 1,{space}a: 2}}, b: 3}}\nc: 4\n", NOTHING)
    assert yaml.safe_load(found.text) == {"common": {"security": {"a": 2}, "b": 3}, "c": 4}


def test_a_key_in_another_spelling_is_taken_out() -> None:
    assert restore("common.Security.tls_mode: 1\nlog: 1\n", NOTHING).text == "log: 1\n"


@pytest.mark.parametrize(
    "text",
    [
        f"a: {SECRET}\na: 1",
        f"- {SECRET}",
        f"common: {SECRET}",
        f"x: &a {{tlsMode: 1, k: {SECRET}}}\ncommon: {{security: *a}}",
        f"x: &a {{tlsMode: 1, k: {SECRET}}}\ncommon: {{security: {{<<: *a}}}}",
        "a: " + "[" * 20_000 + SECRET,
    ],
)
def test_what_cannot_be_restored_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(Permanent) as caught:
        restore(text, NOTHING)
    assert caught.value.reason is Reason.USER_YAML_INVALID
    assert SECRET not in caught.value.message


OTHERS = st.dictionaries(KEYS, TREES, max_size=3)
SECURITY = st.builds(dict, OTHERS, tlsMode=st.sampled_from([0, 1, "0", "1", "off"])) | OTHERS
HTTP = st.builds(dict, OTHERS, port=st.sampled_from([8080, 9999, "8080"])) | OTHERS
FILES = st.fixed_dictionaries(
    {},
    optional={
        "common": st.builds(dict, OTHERS, security=SECURITY) | OTHERS,
        "log": TREES,
        "proxy": st.builds(dict, OTHERS, http=HTTP) | OTHERS,
        "zzz": TREES,
    },
)


def written(tree: dict[str, Any], flow: bool, indent: int) -> str:
    return yaml.safe_dump(tree, default_flow_style=flow, indent=indent, allow_unicode=True, sort_keys=False)


def solid(tree: Any) -> dict[str, Any]:
    """Without empty parents of ours: merging fills them, so that none can tell whether they were there."""
    tree = {**(tree or {})}
    for outer, inner in (("common", "security"), ("proxy", "http")):
        section = {**(tree.get(outer) or {})}
        if not section.get(inner):
            section.pop(inner, None)
        tree[outer] = section
        if not section:
            del tree[outer]
    return tree


@given(tree=FILES, flow=st.booleans(), indent=st.sampled_from([2, 4]))
def test_without_the_earlier_text_the_content_is_the_earlier_one_s(
    tree: dict[str, Any], flow: bool, indent: int
) -> None:
    text = written(tree, flow, indent)
    merged = user_yaml.merge(text).text
    found = restore(merged, known(text))
    assert solid(yaml.safe_load(found.text)) == solid(tree)
    assert restore(found.text, known(text)) == user_yaml.Merged(found.text)
    assert restore(merged, known(text), text).text == text


@given(tree=FILES, added=OTHERS, flow=st.booleans())
def test_what_users_add_since_stays(tree: dict[str, Any], added: dict[str, Any], flow: bool) -> None:
    text = written(tree, flow, 2)
    since = yaml.safe_load(user_yaml.merge(text).text) | {"added": added}
    found = restore(written(since, flow, 2), known(text), text)
    assert solid(yaml.safe_load(found.text)) == solid(tree | {"added": added})


@given(st.text(max_size=60), st.text(max_size=20) | st.none())
def test_no_text_crashes_it(text: str, earlier: str | None) -> None:
    try:
        found = restore(text, NOTHING, earlier)
    except Permanent as error:
        assert error.reason is Reason.USER_YAML_INVALID
        return
    assert restore(found.text, NOTHING).changes == ()
