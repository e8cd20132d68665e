"""The patch formats that are not server-side apply: JSON patch, merge patch, strategic merge patch.

Sources: RFC 6902, RFC 7386, k8s.io/apimachinery `pkg/util/strategicpatch` (directives `$patch`,
`$retainKeys`, `$deleteFromPrimitiveList/...`, `$setElementOrder/...`).
"""

from __future__ import annotations

import copy
from typing import Any

from localcloud.kube.schema.schemas import ANYTHING, Schema

Json = dict[str, Any]


class PatchError(ValueError):
    """The patch is malformed, or does not fit the object."""


def json_patch(document: Any, operations: list[Any]) -> Any:
    """Return the document after RFC 6902 `operations`; `PatchError` if one does not fit or a test fails.

    As in kube-apiserver, `replace` of a missing object key adds it.
    """
    result = copy.deepcopy(document)
    for operation in operations:
        try:
            result = _operate(result, operation)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise PatchError("the server rejected our request due to an error in our request") from error
    return result


def _operate(document: Any, operation: Json) -> Any:
    kind, path = operation["op"], _pointer(operation["path"])
    if kind == "test":
        if _at(document, path) != operation.get("value"):
            raise PatchError(f"testing value {operation['path']} failed: test failed")
        return document
    if kind == "remove":
        return _remove(document, path)
    if kind == "replace":
        return _put(document, path, operation.get("value"), replace=True)
    if kind in {"move", "copy"}:
        source = _pointer(operation["from"])
        value = copy.deepcopy(_at(document, source))
        return _put(_remove(document, source) if kind == "move" else document, path, value)
    if kind == "add":
        return _put(document, path, operation["value"])
    raise PatchError(f"unexpected kind: {kind}")


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _at(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _put(document: Any, path: list[str], value: Any, *, replace: bool = False) -> Any:
    if not path:
        return value
    parent, last = _at(document, path[:-1]), path[-1]
    if not isinstance(parent, list):
        parent[last] = value
    elif replace:
        parent[int(last)] = value
    else:
        position = len(parent) if last == "-" else int(last)
        if not 0 <= position <= len(parent):
            raise PatchError(f"index {position} is out of bounds")
        parent.insert(position, value)
    return document


def _remove(document: Any, path: list[str]) -> Any:
    parent = _at(document, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
    return document


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the target after an RFC 7386 merge patch: null removes, objects merge, the rest replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def strategic_merge_patch(target: Any, patch: Any, schema: Schema) -> Any:
    """Return the target after a strategic merge patch: a merge patch with keyed lists merged by item."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get("$patch")
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    if directive == "delete":
        return {}
    result = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        result = {name: value for name, value in result.items() if name in patch["$retainKeys"]}
    for name, value in patch.items():
        if name.startswith("$"):
            _direct(result, name, value)
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = _strategic_value(result.get(name), value, schema.field(name) or ANYTHING)
    _reorder(result, patch, schema)
    return result


def _direct(result: Json, directive: str, value: Any) -> None:
    if directive.startswith("$deleteFromPrimitiveList/"):
        name = directive.partition("/")[2]
        result[name] = [item for item in result.get(name, []) if item not in value]


def _strategic_value(current: Any, value: Any, schema: Schema) -> Any:
    if not isinstance(value, list):
        return strategic_merge_patch(current, value, schema)
    if "merge" not in schema.patch_strategies:
        return value
    before = current or []
    key = schema.patch_key
    if key is None:
        merged = list(dict.fromkeys([*before, *value]))
    else:
        merged = _strategic_items(before, value, schema)
    order = [item for item in value if not isinstance(item, dict) or "$patch" not in item]
    return _in_order(merged, _identities(order, key), _identities(before, key), key)


def _strategic_items(current: list[Json], items: list[Json], schema: Schema) -> list[Json]:
    key = schema.patch_key or ""
    if any(item.get("$patch") == "replace" for item in items):
        return [item for item in items if item.get("$patch") != "replace"]
    result = list(current)
    for item in items:
        if key not in item:
            raise PatchError(f"map: {item} does not contain declared merge key: {key}")
        position = next((at for at, old in enumerate(result) if old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            result = [old for old in result if old.get(key) != item[key]]
        elif position is None:
            result.append(strategic_merge_patch({}, item, schema.item))
        else:
            result[position] = strategic_merge_patch(result[position], item, schema.item)
    return result


def _reorder(result: Json, patch: Json, schema: Schema) -> None:
    for directive, order in patch.items():
        if directive.startswith("$setElementOrder/"):
            name = directive.partition("/")[2]
            key = (schema.field(name) or ANYTHING).patch_key
            items = result.get(name, [])
            result[name] = _in_order(items, _identities(order, key), _identities(items, key), key)


def _identities(items: list[Any], key: str | None) -> list[Any]:
    return [item.get(key) if key else item for item in items]


def _in_order(items: list[Any], wanted: list[Any], before: list[Any], key: str | None) -> list[Any]:
    # The items that the patch names come in its order; the others stay in front of those they preceded.
    by_identity = dict(zip(_identities(items, key), items, strict=True))
    named = [identity for identity in wanted if identity in by_identity]
    others = [identity for identity in by_identity if identity not in wanted]
    result = []
    while named or others:
        if not named or (others and _is_before(others[0], named[0], before)):
            result.append(by_identity[others.pop(0)])
        else:
            result.append(by_identity[named.pop(0)])
    return result


def _is_before(left: Any, right: Any, order: list[Any]) -> bool:
    return left in order and right in order and order.index(left) < order.index(right)
