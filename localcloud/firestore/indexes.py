"""Which queries Firestore can answer, given the composite indexes that were declared.

Every query must be backed by an index. Single-field ones are automatic, in both directions, for the scope of
one collection; everything else must be declared, or production answers FAILED_PRECONDITION. Rules:
https://firebase.google.com/docs/firestore/query-data/index-overview
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from localcloud.firestore.names import NAME_FIELD, FieldPath, field_path


@dataclass(frozen=True, slots=True)
class IndexField:
    """One field of a composite index; `path` in the syntax of field paths."""

    path: str
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class CompositeIndex:
    """A declared index. `is_group`: scope COLLECTION_GROUP, for queries over all collections of that id.

    A collection-group query on one field needs a declared index too: one with that single field.
    """

    collection: str
    fields: tuple[IndexField, ...]
    is_group: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """One term of an order: a field, or the document's name."""

    path: FieldPath
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """What a query asks of an index: fields compared for equality, then the order of the rest, name last."""

    collection: str
    is_group: bool
    equal: frozenset[FieldPath]
    order: tuple[Order, ...]


def need(collection: str, is_group: bool, equal: Iterable[FieldPath], order: tuple[Order, ...]) -> Need:
    """Return the need of a query whose effective order is `order`; a fixed field needs no order."""
    fixed = frozenset(equal) - {NAME_FIELD}
    return Need(collection, is_group, fixed, tuple(term for term in order if term.path not in fixed))


def is_served(wanted: Need, declared: Iterable[CompositeIndex]) -> bool:
    """Return whether automatic or declared indexes (merged where they share the order) serve the need."""
    if _is_automatic(wanted):
        return True
    covered: set[FieldPath] = set()
    is_ordered = False
    for index in declared:
        if (index.collection, index.is_group) == (wanted.collection, wanted.is_group):
            prefix = _prefix_of_match(index, wanted)
            if prefix is not None:
                is_ordered = True
                covered |= prefix
    return is_ordered and covered == wanted.equal


def _is_automatic(wanted: Need) -> bool:
    terms = [term for term in wanted.order if term.path != NAME_FIELD]
    is_name_descending = wanted.order[-1].is_descending
    if wanted.is_group:
        return not wanted.equal and not terms and not is_name_descending
    if not terms:
        return not is_name_descending
    return not wanted.equal and len(terms) == 1 and terms[0].is_descending == is_name_descending


def _prefix_of_match(index: CompositeIndex, wanted: Need) -> set[FieldPath] | None:
    """Return the equality fields that an index covers, or `None` if its order is another one."""
    terms = [Order(field_path(field.path), field.is_descending) for field in index.fields]
    if terms[-1].path != NAME_FIELD:
        terms.append(Order(NAME_FIELD, terms[-1].is_descending))
    split = len(terms) - len(wanted.order)
    prefix = {term.path for term in terms[: max(split, 0)]}
    rest = tuple(terms[max(split, 0) :])
    flipped = tuple(Order(term.path, not term.is_descending) for term in rest)
    if not prefix <= wanted.equal or wanted.order not in (rest, flipped):
        return None
    return prefix
