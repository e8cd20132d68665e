"""Setup ids: one for each release, and short enough for every document that is named after one."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milvus_l7.domain.request.request import Refused, parse
from milvus_l7.domain.request.schema import CLUSTER, LABEL, RELEASE
from milvus_l7.domain.setup import event
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import setup_id
from milvus_l7.domain.setup.document import OrderMark
from milvus_l7.domain.setup.document_id import LONGEST_ID_BYTES, document_id, is_document_id
from tests.builders import CLUSTER as ORDINARY
from tests.builders import TOPOLOGY, new_setup, request
from tests.fakes.state import START

LONGEST = (
    f"projects/{'.'.join('x' * 31)}x:{'p' * 30}/locations/{'l' * 13}-{'l' * 13}99-a/clusters/{'c' * 40}",
    "n" * 63,
    ".".join("r" * 27),
)
releases = st.tuples(
    st.from_regex(CLUSTER, fullmatch=True),
    st.from_regex(LABEL, fullmatch=True),
    st.from_regex(RELEASE, fullmatch=True),
)


def test_ids_of_ordinary_projects_hold_the_names_as_they_are() -> None:
    assert setup_id(ORDINARY, "default", "a.b") == "milvus-testing-nonprod.us-central1-a.milvus.default.a.b"


def test_dots_of_a_project_with_a_domain_are_told_from_those_between_the_parts() -> None:
    cluster = ORDINARY.replace("projects/milvus-testing-nonprod", "projects/example.com:old-project")
    assert setup_id(cluster, "default", "r") == "example%2Ecom:old-project.us-central1-a.milvus.default.r"
    assert parse(request(cluster=cluster)).desired.cluster == cluster


@given(releases)
def test_an_id_tells_the_release_it_is_of(release: tuple[str, str, str]) -> None:
    cluster, namespace, name = release
    project, location, *rest = setup_id(*release).split(".", 4)
    assert f"projects/{project.replace('%2E', '.')}/locations/{location}/clusters/{rest[0]}" == cluster
    assert rest[1:] == [namespace, name]


@settings(max_examples=30)
@given(releases, releases)
def test_two_releases_never_share_an_id(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (setup_id(*one) == setup_id(*other)) == (one == other)


def test_the_longest_names_make_ids_that_firestore_takes() -> None:
    cluster, namespace, release = LONGEST
    body = request(cluster=cluster, namespace=namespace, release=release)
    setup = new_setup(cluster=cluster, namespace=namespace, release=release)
    assert parse(body).desired.setup_id == setup.setup_id
    old = replace(setup, generation=2**63, run=2**63, executions=2**63, order=OrderMark(START, "~" * 100))
    told = [
        event.wake_up(old, Stage.PLAN_SETUP, TOPOLOGY, "~" * 100),
        event.wake_up(old, Stage.PROVISION_CERTIFICATE, TOPOLOGY, "~" * 100),
    ]
    for name in (
        setup.setup_id,
        f"{setup.setup_id}.plan.{'~' * 100}.made",
        *(each.event_id for each in told),
    ):
        assert is_document_id(name)
        assert len(document_id(name)) < LONGEST_ID_BYTES


@pytest.mark.parametrize(
    "cluster",
    [
        ORDINARY.replace("us-central1-a", f"us-central{'1' * 1600}"),
        ORDINARY.replace("us-central1-a", f"us-{'c' * 1600}1"),
        ORDINARY.replace("us-central1-a", f"{'u' * 14}-central1"),
        ORDINARY.replace("milvus-testing-nonprod", "p" * 31),
        ORDINARY.replace("milvus-testing-nonprod", "short"),
        ORDINARY.replace("milvus-testing-nonprod", "a.dotted.name"),
        ORDINARY.replace("milvus-testing-nonprod", f"{'a.' * 32}io:project"),
        ORDINARY.replace("milvus-testing-nonprod", "a:b:project"),
        ORDINARY.replace("milvus-testing-nonprod", "%2E:project"),
        ORDINARY + "c" * 40,
    ],
)
def test_names_that_google_cloud_does_not_give_are_refused(cluster: str) -> None:
    assert not re.fullmatch(CLUSTER, cluster)
    with pytest.raises(Refused) as refused:
        parse(request(cluster=cluster))
    assert [problem.field for problem in refused.value.problems] == ["cluster"]
