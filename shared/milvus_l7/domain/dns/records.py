"""Which DNS records a setup needs in a Cloud DNS zone, and which of them it may write.

    <domain>.            A    <address of the load balancer>
    milvus-l7.<domain>.  TXT  "heritage=milvus-l7,milvus-l7/setup=<setup id>"

The TXT record marks the other one as ours, in the manner of external-dns
(kubernetes-sigs.github.io/external-dns, "The TXT registry"). A record that is not marked so is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from milvus_l7.domain.kubernetes.change import Change, Plan
from milvus_l7.domain.setup.desired import SetupId

TTL_S = 300
_SHOWN = 200  # characters of another's records


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All records of one type at one name. `name` ends with a dot; TXT values are quoted."""

    name: str
    type: str
    ttl_s: int
    values: tuple[str, ...]  # empty: answered by a routing policy

    def __str__(self) -> str:
        """Return the records as in a zone file, cut short: they may be anybody's."""
        return f"{self.name} {self.type} {' '.join(self.values) or '(routing policy)'}"[:_SHOWN]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What to do to a zone at once, all or nothing: deletions must match exactly, additions must be new."""

    additions: tuple[RecordSet, ...] = ()
    deletions: tuple[RecordSet, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything to do."""
        return bool(self.additions or self.deletions)


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a domain's record is left alone, for users."""

    message: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A domain that must lead to the load balancer."""

    domain: str
    address: str
    owner: SetupId

    @property
    def record(self) -> RecordSet:
        """Return the address record."""
        return RecordSet(f"{self.domain}.", address_type(self.address), TTL_S, (self.address,))

    @property
    def mark(self) -> RecordSet:
        """Return the record that marks the address record as ours."""
        text = f'"heritage=milvus-l7,milvus-l7/setup={self.owner}"'
        return RecordSet(f"milvus-l7.{self.domain}.", "TXT", TTL_S, (text,))


def address_type(address: str) -> str:
    """Return the type of a record for the address: AAAA for an IPv6 address, else A."""
    return "AAAA" if ":" in address else "A"


def is_within(domain: str, suffix: str) -> bool:
    """Return whether the domain belongs into the zone of that name (`example.org.`)."""
    return f".{domain}.".endswith(f".{suffix}")


def is_published(wanted: Wanted, found: Iterable[RecordSet]) -> bool:
    """Return whether the address record stands as it is wanted, whoever made it."""
    record = _at(found, wanted.record)
    return record is not None and record.values == wanted.record.values


def change(wanted: Wanted, found: Sequence[RecordSet]) -> ChangeSet | Refused:
    """Return what makes the wanted record stand, or why it is not ours to write.

    `found` are all record sets at the name and at the mark's name. Nothing if it stands already, whoever made
    it. A changed record keeps its TTL. Other records of the name (an AAAA beside the A) stay: verification
    says what is wrong with them.
    """
    record, mark = _at(found, wanted.record), _at(found, wanted.mark)
    if is_published(wanted, found):
        return ChangeSet()
    alias = next((each for each in found if (each.name, each.type) == (wanted.record.name, "CNAME")), None)
    if alias is not None:
        return _refused(wanted, alias, "is an alias")
    if mark is not None and wanted.mark.values[0] not in mark.values:
        return _refused(wanted, mark, "marks the name as another's")
    if record is None:
        return ChangeSet((wanted.record,) if mark else (wanted.record, wanted.mark))
    if mark is None or not record.values:
        return _refused(wanted, record, "was not made by this setup")
    new = RecordSet(record.name, record.type, record.ttl_s, wanted.record.values)
    return ChangeSet((new,), (record,))


def withdrawal(wanted: Wanted, found: Sequence[RecordSet]) -> ChangeSet:
    """Return what removes the record and its mark; nothing if the mark is not ours.

    A record that leads elsewhere by now stays; only its mark goes then.
    """
    record, mark = _at(found, wanted.record), _at(found, wanted.mark)
    if mark is None or wanted.mark.values[0] not in mark.values:
        return ChangeSet()
    ours = record is not None and record.values == wanted.record.values
    return ChangeSet(deletions=(record, mark) if record is not None and ours else (mark,))


def combined(changes: Iterable[ChangeSet]) -> ChangeSet:
    """Return all of the changes in one, each once: addresses of one domain have one mark."""
    parts = list(changes)
    return ChangeSet(
        tuple(dict.fromkeys(record for part in parts for record in part.additions)),
        tuple(dict.fromkeys(record for part in parts for record in part.deletions)),
    )


def _at(found: Iterable[RecordSet], like: RecordSet) -> RecordSet | None:
    return next((each for each in found if (each.name, each.type) == (like.name, like.type)), None)


def _refused(wanted: Wanted, other: RecordSet, why: str) -> Refused:
    return Refused(f"`{other}` {why} and is left alone; needed is `{wanted.record}`")


def changes(zone: str, change: ChangeSet) -> Plan:
    """Return the change for people: one line for each record set, with its values before and after."""
    before = {(each.name, each.type): each for each in change.deletions}
    after = {(each.name, each.type): each for each in change.additions}
    return tuple(
        Change(
            f"DNS {zone}",
            f"{name} {kind}",
            _values(before.get((name, kind))),
            _values(after.get((name, kind))),
        )
        for name, kind in {**before, **after}
    )


def _values(record: RecordSet | None) -> str | None:
    return " ".join(record.values) if record else None
