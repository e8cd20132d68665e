"""A refusal names every problem of the whole body at once, and nothing that is right."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.request.request import MOST_PROBLEMS, Refused, parse, parse_tear_down
from tests.builders import CLUSTER, request

Json = dict[str, Any]
MISSING = object()

NAMES: Json = {"cluster": CLUSTER, "release": "my-release", "namespace": "milvus"}
COMMON: Json = {
    **NAMES,
    "domain": "my-release.milvus.io",
    "backend_timeout_s": 60,
    "verification": {"deep": True},
    "dns": {"managed_zone": "projects/milvus-testing-nonprod/managedZones/milvus-io"},
    "paused": False,
    "on_failure": "restore",
    "dry_run": False,
    "schema_version": 1,
}
REISSUE: Json = {"policy": "repair", "interval_s": 600, "reissue_certificate": True}
ISSUED: Json = {
    **COMMON,
    "certificate": {"type": "self-managed", "validity_days": 90},
    "drift": REISSUE,
    "maintenance_window": {
        "start_time": "02:00",
        "end_time": "04:00",
        "time_zone": "Europe/Berlin",
        "days": ["SA", "SU"],
    },
}
GIVEN: Json = {
    **COMMON,
    "certificate": {"type": "self-managed", "secret": "my-tls"},
    "drift": {"policy": "repair"},
}
MANAGED: Json = {
    **COMMON,
    "certificate": {
        "type": "google-managed",
        "domains": ["a.milvus.io", "b.milvus.io"],
        "recreate_failed": True,
    },
    "drift": {"policy": "report", "interval_s": 60},
}
TEAR_DOWN: Json = {**NAMES, "restore_l4": True}

# What breaks a field, whatever the others are. A type of certificate decides which other fields there may be.
BREAKAGES: dict[str, tuple[Any, ...]] = {
    "cluster": (MISSING, None, 5, "milvus", CLUSTER + "/"),
    "release": (MISSING, None, ["x"], "UPPER", "a" * 54),
    "domain": (MISSING, None, {}, "localhost", "*.milvus.io", "UPPER.milvus.io"),
    "namespace": (None, 5, "a.b", "-"),
    "backend_timeout_s": (0, 86401, "60", 1.5, None, True),
    "verification": (None, [], "deep"),
    "verification.deep": (None, "yes", 1),
    "dns": ([], "zone", 5),
    "dns.managed_zone": (MISSING, None, 5, "my-zone"),
    "paused": (None, 0, "no"),
    "on_failure": ("undo", None, 5),
    "dry_run": (None, "no", 1),
    "certificate": (None, [], "self-managed"),
    "certificate.type": ("own", None, 5, []),
    "certificate.secret": (5, [], "a/b"),
    "certificate.validity_days": (0, 100_000, None, "90"),
    "certificate.domains": (None, "a.io", 5, {}),
    "certificate.domains[0]": (None, 5, "localhost", "-a.io"),
    "certificate.domains[1]": ([], "192.0.2.1"),
    "certificate.recreate_failed": (None, "yes", 1),
    "drift": (None, "repair", []),
    "drift.policy": ("mend", None, 5),
    "drift.interval_s": (59, 86401, "600", None),
    "drift.reissue_certificate": (None, "yes", 1),
    "maintenance_window": ([], "night", 5),
    "maintenance_window.start_time": (MISSING, None, 2, "24:00", "2:00", "02:00:00"),
    "maintenance_window.end_time": (MISSING, None, "02:60", "02:00\n"),
    "maintenance_window.time_zone": (None, 1, "Mars/Olympus", "America", "../etc/passwd", "CEST+", ""),
    "maintenance_window.days": (None, "SA", 5),
    "maintenance_window.days[0]": (None, 6, "sat", "SATURDAY", ""),
    "restore_l4": (None, "yes", 1),
}
INNER = ("verification", "dns", "certificate", "drift", "maintenance_window")


def refused(body: Json, parser: Callable[[bytes], object] = parse) -> Refused:
    with pytest.raises(Refused) as caught:
        parser(json.dumps(body).encode())
    return caught.value


def steps(path: str) -> list[str | int]:
    """Return the keys and indices of a path, `certificate.domains[0]`."""
    parts = path.replace("[", ".").replace("]", "").split(".")
    return [int(part) if part.isdigit() else part for part in parts]


def has(body: Any, path: str) -> bool:
    for step in steps(path):
        if not (isinstance(body, list) or (isinstance(body, dict) and step in body)):
            return False
        body = body[step]
    return True


def broken(body: Json, breakages: Mapping[str, Any]) -> Json:
    """Return the body with these fields broken."""
    body = copy.deepcopy(body)
    for path, value in breakages.items():
        *way, last = steps(path)
        inside: Any = body
        for step in way:
            inside = inside[step]
        if value is MISSING:
            del inside[last]
        else:
            inside[last] = value
    return body


def without_inner(paths: Sequence[str]) -> list[str]:
    """Leave out what is inside of another one that is broken."""
    return [path for path in paths if not any(path.startswith((f"{each}.", f"{each}[")) for each in paths)]


@st.composite
def bodies(draw: st.DrawFn, *valid: Json) -> tuple[Json, set[str]]:
    """Draw a body with some broken and some unknown fields, and their paths; few enough to be listed."""
    body = draw(st.sampled_from(valid))
    there = [path for path in BREAKAGES if has(body, path)]
    paths = without_inner(draw(st.lists(st.sampled_from(there), unique=True)))
    breakages = {path: draw(st.sampled_from(BREAKAGES[path])) for path in paths}
    places = ["", *(f"{name}." for name in INNER if name in body and name not in paths)]
    names = st.builds("{}unknown_{}".format, st.sampled_from(places), st.sampled_from("abc"))
    unknown = draw(st.dictionaries(names, st.none() | st.integers() | st.text(max_size=9), max_size=5))
    return broken(body, {**breakages, **unknown}), {*breakages, *unknown}


def named(body: Json, parser: Callable[[bytes], object]) -> set[str]:
    try:
        parser(json.dumps(body).encode())
    except Refused as refusal:
        return {problem.field for problem in refusal.problems}
    return set()


@settings(max_examples=300)
@given(bodies(ISSUED, GIVEN, MANAGED))
def test_exactly_the_broken_and_the_unknown_fields_are_named(drawn: tuple[Json, set[str]]) -> None:
    body, paths = drawn
    assert named(body, parse) == paths


@given(bodies(TEAR_DOWN))
def test_exactly_the_broken_fields_of_a_tear_down_are_named(drawn: tuple[Json, set[str]]) -> None:
    body, paths = drawn
    assert named(body, parse_tear_down) == paths


@pytest.mark.parametrize("path", BREAKAGES)
def test_each_breakage_of_the_table_is_refused_by_itself(path: str) -> None:
    valid = next(body for body in (ISSUED, GIVEN, MANAGED, TEAR_DOWN) if has(body, path))
    for value in BREAKAGES[path]:
        parser = parse_tear_down if valid is TEAR_DOWN else parse
        assert named(broken(valid, {path: value}), parser) == {path}


def test_unknown_field_hides_no_broken_name() -> None:
    body = {"cluster": "milvus", "release": "_", "domian": "x", "drift": {"interval_s": 5, "polcy": "repair"}}
    refusal = refused(body)
    assert refusal.reason is Reason.INVALID_REQUEST
    assert [(each.field, each.value, each.rule) for each in refusal.problems] == [
        ("domian", "", "is not a known field"),
        ("domain", "", "is required"),
        ("drift.polcy", "", "is not a known field"),
        ("drift.interval_s", "5", "Expected int >= 60"),
        ("cluster", '"milvus"', "must be projects/PROJECT/locations/LOCATION/clusters/CLUSTER"),
        ("release", '"_"', "must be a Helm release name: a-z, 0-9, '-', '.', at most 53"),
    ]


def test_combination_is_refused_beside_other_problems() -> None:
    certificate = {"type": "google-managed", "secret": "my-tls", "validity_days": "90"}
    body = {**COMMON, "certificate": certificate, "drift": {"reissue_certificate": True}, "unknown": 1}
    assert [(each.field, each.rule) for each in refused(body).problems] == [
        ("unknown", "is not a known field"),
        ("certificate.validity_days", "Expected int, got str"),
        ("certificate.secret", "does not go with type google-managed"),
        ("drift.reissue_certificate", "goes with policy repair only"),
        ("drift.reissue_certificate", "goes only with a certificate that milvus-l7 issues"),
    ]


def test_combination_with_a_field_that_cannot_be_read_is_left_out() -> None:
    assert named({**MANAGED, "certificate": {"type": "own", "domains": ["a.io"]}}, parse) == {
        "certificate.type"
    }
    assert named(broken(ISSUED, {"drift.policy": "mend"}), parse) == {"drift.policy"}


def test_unknown_field_that_looks_like_a_path_hides_nothing() -> None:
    body = {**COMMON, "certificate": {"domains": ["a.io"]}, "certificate.type": "x", "domain[0]": 1}
    assert named(body, parse) == {"certificate.type", "domain[0]", "certificate.domains"}


def test_hundred_domains_are_not_too_many_because_the_own_one_is_missing() -> None:
    domains = [f"d{number}.milvus.io" for number in range(100)]
    certificate = {"type": "google-managed", "domains": domains}
    assert named(broken({**COMMON, "certificate": certificate}, {"domain": MISSING}), parse) == {"domain"}


def test_list_of_problems_is_bounded_and_says_how_many_there_are() -> None:
    body = {**NAMES, **{f"unknown_{number}": "x" * 200 for number in range(200)}}
    for parser, count in ((parse, 201), (parse_tear_down, 200)):
        *listed, last = refused(body, parser).problems
        assert len(listed) == MOST_PROBLEMS
        assert (last.field, last.rule) == ("", f"{count - MOST_PROBLEMS} more problems are not listed")


def test_flood_of_items_of_the_wrong_type_is_bounded() -> None:
    certificate = {"type": "google-managed", "domains": [0] * 19_000}
    refusal = refused({**COMMON, "certificate": certificate})
    assert refusal.problems[0].field == "certificate.domains[0]"
    assert len(refusal.problems) == MOST_PROBLEMS + 1


def test_refusal_of_a_valid_body_never_happens() -> None:
    for body in (ISSUED, GIVEN, MANAGED):
        assert named(body, parse) == set()
    assert named(TEAR_DOWN, parse_tear_down) == set()
    parse(request())
