"""Which records a setup may write in a zone: absent ones and its own, never another's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.dns.records import ChangeSet, RecordSet, Refused, Wanted, change, combined, is_within
from milvus_l7.domain.setup.desired import SetupId

NAME, MARK = "db.milvus.io.", "milvus-l7.db.milvus.io."
WANTED = Wanted("db.milvus.io", "192.0.2.1", SetupId("p.l.c.default.db"))
OUR_MARK = RecordSet(MARK, "TXT", 60, ('"heritage=milvus-l7,milvus-l7/setup=p.l.c.default.db"',))
OTHER_MARK = RecordSet(MARK, "TXT", 300, ('"heritage=milvus-l7,milvus-l7/setup=p.l.c.default.other"',))
RIGHT = RecordSet(NAME, "A", 300, ("192.0.2.1",))
OLD = RecordSet(NAME, "A", 60, ("198.51.100.7",))
BOTH = RecordSet(NAME, "A", 60, ("192.0.2.1", "198.51.100.7"))
ROUTED = RecordSet(NAME, "A", 60, ())
IPV6 = RecordSet(NAME, "AAAA", 60, ("2001:db8::1",))
ALIAS = RecordSet(NAME, "CNAME", 60, ("elsewhere.example.org.",))


def test_absent_record_is_created_with_its_mark() -> None:
    assert change(WANTED, []) == ChangeSet((WANTED.record, WANTED.mark))
    assert WANTED.record == RIGHT
    assert WANTED.mark.values == OUR_MARK.values


def test_record_that_was_deleted_by_hand_is_created_under_its_old_mark() -> None:
    assert change(WANTED, [OUR_MARK]) == ChangeSet((RIGHT,))


@pytest.mark.parametrize("marks", [[], [OUR_MARK], [OTHER_MARK]])
def test_record_that_stands_is_left_alone_whoever_made_it(marks: list[RecordSet]) -> None:
    assert change(WANTED, [RIGHT, *marks]) == ChangeSet()


@pytest.mark.parametrize("record", [OLD, BOTH])
def test_record_of_ours_is_replaced_and_keeps_its_ttl(record: RecordSet) -> None:
    new = RecordSet(NAME, "A", 60, ("192.0.2.1",))
    assert change(WANTED, [record, OUR_MARK]) == ChangeSet((new,), (record,))


@pytest.mark.parametrize(
    ("found", "named"),
    [
        ([OLD], "db.milvus.io. A 198.51.100.7"),
        ([OLD, OTHER_MARK], "default.other"),
        ([OTHER_MARK], "default.other"),
        ([ALIAS], "db.milvus.io. CNAME elsewhere.example.org."),
        ([ALIAS, OUR_MARK], "db.milvus.io. CNAME elsewhere.example.org."),
        ([ROUTED, OUR_MARK], "(routing policy)"),
        ([RecordSet(MARK, "TXT", 60, ('"hello"',))], '"hello"'),
    ],
)
def test_record_of_another_is_refused_by_name(found: list[RecordSet], named: str) -> None:
    verdict = change(WANTED, found)
    assert isinstance(verdict, Refused)
    assert named in verdict.message
    assert "db.milvus.io. A 192.0.2.1" in verdict.message


def test_ipv6_record_beside_ours_stays() -> None:
    assert change(WANTED, [IPV6]) == ChangeSet((WANTED.record, WANTED.mark))


def test_ipv6_address_is_published_as_aaaa() -> None:
    assert Wanted("db.milvus.io", "2001:db8::1", WANTED.owner).record.type == "AAAA"


def test_mark_fits_the_longest_setup_id_into_one_string() -> None:
    longest = ".".join(("p" * 30, "northamerica-northeast1-a", "c" * 40, "n" * 63, "r" * 53))
    text = Wanted("x.y", "192.0.2.1", SetupId(longest)).mark.values[0].strip('"')
    assert len(text) <= 255


@pytest.mark.parametrize(
    ("domain", "suffix", "inside"),
    [
        ("db.milvus.io", "milvus.io.", True),
        ("milvus.io", "milvus.io.", True),
        ("a.b.milvus.io", "milvus.io.", True),
        ("evilmilvus.io", "milvus.io.", False),
        ("milvus.io", "db.milvus.io.", False),
    ],
)
def test_domain_belongs_into_a_zone_by_whole_labels(domain: str, suffix: str, inside: bool) -> None:
    assert is_within(domain, suffix) is inside


MARKS = st.sampled_from([None, OUR_MARK, OTHER_MARK])
RECORDS = st.sampled_from([None, RIGHT, OLD, BOTH, ROUTED, ALIAS])


def applied(found: list[RecordSet], done: ChangeSet) -> list[RecordSet]:
    assert all(record in found for record in done.deletions)
    left = [record for record in found if record not in done.deletions]
    assert not {(r.name, r.type) for r in left} & {(r.name, r.type) for r in done.additions}
    return [*left, *done.additions]


@given(RECORDS, MARKS, st.sampled_from([None, IPV6]))
def test_change_fits_the_zone_and_is_complete_and_never_deletes_unmarked(
    record: RecordSet | None, mark: RecordSet | None, extra: RecordSet | None
) -> None:
    found = [each for each in (record, mark, extra) if each is not None]
    verdict = change(WANTED, found)
    if isinstance(verdict, Refused):
        return
    assert not verdict.deletions or mark is OUR_MARK
    after = applied(found, verdict)
    assert change(WANTED, after) == ChangeSet()
    assert [each.values for each in after if each.type == "A"] == [("192.0.2.1",)]


def test_changes_are_combined_into_one() -> None:
    one, two = ChangeSet((RIGHT,), (OLD,)), ChangeSet((OUR_MARK,))
    assert combined([one, ChangeSet(), two]) == ChangeSet((RIGHT, OUR_MARK), (OLD,))
    assert not combined([])
