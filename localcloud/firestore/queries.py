"""Compiles a `StructuredQuery` and answers it: filter, order, cursors, offset, limit, projection.

Semantics: `google/firestore/v1/query.proto`. What is not emulated is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from google.cloud.firestore_v1 import types

from localcloud.firestore import indexes, names, values
from localcloud.firestore.indexes import Order
from localcloud.firestore.messages import Document, Value
from localcloud.firestore.names import NAME_FIELD, FieldPath
from localcloud.grpc_server import invalid, unimplemented

_Operator = types.StructuredQuery.FieldFilter.Operator
_Unary = types.StructuredQuery.UnaryFilter.Operator
_MAX_DISJUNCTIONS = 30


class Kind(IntEnum):
    """How a filter compares."""

    EQUAL = 0
    IN = 1
    LESS = 2
    LESS_OR_EQUAL = 3
    GREATER = 4
    GREATER_OR_EQUAL = 5
    NOT_EQUAL = 6


_KINDS = {
    _Operator.LESS_THAN: Kind.LESS,
    _Operator.LESS_THAN_OR_EQUAL: Kind.LESS_OR_EQUAL,
    _Operator.GREATER_THAN: Kind.GREATER,
    _Operator.GREATER_THAN_OR_EQUAL: Kind.GREATER_OR_EQUAL,
    _Operator.EQUAL: Kind.EQUAL,
    _Operator.NOT_EQUAL: Kind.NOT_EQUAL,
    _Operator.IN: Kind.IN,
}
_UNARY_KINDS = {
    _Unary.IS_NULL: (Kind.EQUAL, values.NULL_KEY),
    _Unary.IS_NOT_NULL: (Kind.NOT_EQUAL, values.NULL_KEY),
    _Unary.IS_NAN: (Kind.EQUAL, values.NAN_KEY),
    _Unary.IS_NOT_NAN: (Kind.NOT_EQUAL, values.NAN_KEY),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a field; `operands` is one key, or several for IN."""

    path: FieldPath
    kind: Kind
    operands: tuple[values.Key, ...]

    def holds(self, document: Document) -> bool:
        """Return whether the document matches; a missing field never does."""
        found = _key_at(document, self.path)
        if found is None:
            return False
        operand = self.operands[0]
        if self.kind in (Kind.EQUAL, Kind.IN):
            return found in self.operands
        if self.kind == Kind.NOT_EQUAL:
            return found not in (operand, values.NULL_KEY)
        return found[0] == operand[0] and _is_beyond(self.kind, found, operand)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in the order: a key for each of its first terms; `is_before` lies just before equals."""

    keys: tuple[values.Key, ...]
    is_before: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query. `limit` is -1 for none; `projection` is `None` for whole documents."""

    parent: str
    collection: str
    is_group: bool
    conditions: tuple[Condition, ...]
    order: tuple[Order, ...]
    start: Cursor | None
    end: Cursor | None
    offset: int
    limit: int
    projection: tuple[FieldPath, ...] | None

    @property
    def need(self) -> indexes.Need:
        """Return what the query asks of an index."""
        equal = [item.path for item in self.conditions if item.kind in (Kind.EQUAL, Kind.IN)]
        return indexes.need(self.collection, self.is_group, equal, self.order)

    def matches(self, documents: Iterable[Document]) -> list[Document]:
        """Return all that match, in order and between the cursors; before offset and limit."""
        found = [item for item in documents if all(condition.holds(item) for condition in self.conditions)]
        found = [item for item in found if all(_key_at(item, term.path) for term in self.order)]
        for term in reversed(self.order):
            found.sort(key=lambda item: _key_at(item, term.path) or (), reverse=term.is_descending)
        return [item for item in found if self._is_between_cursors(item)]

    def page(self, matches: Sequence[Document]) -> Sequence[Document]:
        """Return what offset and limit leave of the matches."""
        stop = None if self.limit < 0 else self.offset + self.limit
        return matches[self.offset : stop]

    def shown(self, document: Document) -> Document:
        """Return the document as the projection shows it."""
        return document if self.projection is None else values.projected(document, self.projection)

    def _is_between_cursors(self, document: Document) -> bool:
        if self.start is not None:
            side = self._side(document, self.start)
            if side < 0 or (side == 0 and not self.start.is_before):
                return False
        if self.end is not None:
            side = self._side(document, self.end)
            return side < 0 or (side == 0 and not self.end.is_before)
        return True

    def _side(self, document: Document, cursor: Cursor) -> int:
        """Return a negative number for a document before the cursor's values, positive after, else 0."""
        for term, wanted in zip(self.order, cursor.keys, strict=False):
            found = _key_at(document, term.path) or ()
            if found != wanted:
                return -1 if (found < wanted) != term.is_descending else 1
        return 0


def compiled(parent: str, query: Any) -> Query:
    """Return the query below `parent`; INVALID_ARGUMENT if it is none, UNIMPLEMENTED if not emulated."""
    if len(query.from_) != 1 or not query.from_[0].collection_id:
        raise unimplemented("a query that does not name exactly one collection")
    if query.HasField("find_nearest"):
        raise unimplemented("a vector query")
    conditions = tuple(_conditions(query.where)) if query.HasField("where") else ()
    order = _effective_order(query.order_by, conditions)
    selected = tuple(names.field_path(field.field_path) for field in query.select.fields)
    return Query(
        parent=parent,
        collection=query.from_[0].collection_id,
        is_group=query.from_[0].all_descendants,
        conditions=conditions,
        order=order,
        start=_cursor(query.start_at, order) if query.HasField("start_at") else None,
        end=_cursor(query.end_at, order) if query.HasField("end_at") else None,
        offset=query.offset,
        limit=query.limit.value if query.HasField("limit") else -1,
        projection=selected if query.HasField("select") and selected else None,
    )


def _conditions(where: Any) -> list[Condition]:
    match where.WhichOneof("filter_type"):
        case "composite_filter":
            if where.composite_filter.op != types.StructuredQuery.CompositeFilter.Operator.AND:
                raise unimplemented("a disjunction (OR) of filters")
            return [item for part in where.composite_filter.filters for item in _conditions(part)]
        case "unary_filter":
            kind, operand = _UNARY_KINDS[where.unary_filter.op]
            return [Condition(names.field_path(where.unary_filter.field.field_path), kind, (operand,))]
        case "field_filter":
            return [_comparison(where.field_filter)]
        case _:
            raise invalid("The filter is empty.")


def _comparison(comparison: Any) -> Condition:
    kind = _KINDS.get(comparison.op)
    if kind is None:
        raise unimplemented(f"the filter {_Operator(comparison.op).name}")
    operands: Iterable[Value] = [comparison.value]
    if kind == Kind.IN:
        operands = comparison.value.array_value.values
    keys = tuple(values.key(operand) for operand in operands)
    if not 1 <= len(keys) <= _MAX_DISJUNCTIONS:
        raise invalid(f"'IN' supports 1 to {_MAX_DISJUNCTIONS} comparison values.")
    return Condition(names.field_path(comparison.field.field_path), kind, keys)


def _effective_order(terms: Any, conditions: tuple[Condition, ...]) -> tuple[Order, ...]:
    """Return the order asked for, then unequal fields not in it, then the name, in the last direction."""
    descending = types.StructuredQuery.Direction.DESCENDING
    order = [Order(names.field_path(term.field.field_path), term.direction == descending) for term in terms]
    is_descending = order[-1].is_descending if order else False
    if len({term.path for term in order}) < len(order):
        raise invalid("order by clause cannot contain duplicate fields")
    if sum(item.kind is Kind.NOT_EQUAL for item in conditions) > 1:
        raise invalid("Only a single 'NOT_EQUAL', 'NOT_IN', 'IS_NOT_NAN', or 'IS_NOT_NULL' filter allowed")
    unequal = {item.path for item in conditions if item.kind not in (Kind.EQUAL, Kind.IN)}
    if order and order[0].path == NAME_FIELD and unequal - {NAME_FIELD}:
        raise invalid("A filter that compares a field cannot be ordered by the document's name first.")
    for path in [*sorted(unequal - {NAME_FIELD}), NAME_FIELD]:
        if path not in [term.path for term in order]:
            order.append(Order(path, is_descending))
    position = [term.path for term in order].index(NAME_FIELD)
    return tuple(order[: position + 1])


def _cursor(cursor: Any, order: tuple[Order, ...]) -> Cursor:
    if len(cursor.values) > len(order):
        raise invalid("Cursor has too many values.")
    return Cursor(tuple(values.key(value) for value in cursor.values), cursor.before)


def _key_at(document: Document, path: FieldPath) -> values.Key | None:
    if path == NAME_FIELD:
        return values.name_key(document.name)
    found = values.found_at(document.fields, path)
    return None if found is None else values.key(found)


def _is_beyond(kind: Kind, found: values.Key, operand: values.Key) -> bool:
    match kind:
        case Kind.LESS:
            return found < operand
        case Kind.LESS_OR_EQUAL:
            return found <= operand
        case Kind.GREATER:
            return found > operand
        case _:
            return found >= operand
