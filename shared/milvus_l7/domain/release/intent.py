"""What an upgrade is meant to change in the objects of a release: the difference of its two renderings.

Helm writes every object whole, onto whatever is live. What people and controllers have changed meanwhile is
none of an upgrade's that changes two values, so of each object only what the renderings differ in is written.
Items of a list are told apart by what Kubernetes merges them by, not by their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.kubernetes.difference import own
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.release import config_text
from milvus_l7.domain.text.differences import Difference, Part, Path, by_key, differences
from milvus_l7.domain.text.untrusted import mapping, text

TYPE = ("spec", "type")
CLASS = ("spec", "loadBalancerClass")
# What the API server itself drops, or sets, in a Service whose type changes (kubernetes/kubernetes
# `pkg/registry/core/service/strategy.go`, dropTypeDependentFields).
_FOLLOWS_TYPE = frozenset(
    {"allocateLoadBalancerNodePorts", "externalTrafficPolicy", "healthCheckNodePort", "loadBalancerClass"}
)
# How the items of a list are told apart, the first that all of them have.
_IDENTITIES = (
    ("mountPath",),
    ("devicePath",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("name",),
    ("key",),
    ("ip",),
    ("topologyKey",),
)
_GONE = object()


class Item(str):
    """A step to the item of a list that has this identity."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the API server has an object."""

    api_version: str
    plural: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Intent:
    """One object of a release in two renderings; None: it is not in that one."""

    before: Manifest | None
    after: Manifest | None
    others: tuple[
        Manifest, ...
    ] = ()  # more renderings that may be live, where several actions were broken off

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """Return what the renderings differ in; empty: the object is not to be written."""
        after = self.after or {}
        found = [d for each in (*self.others, self.before or {}) for d in _differences(each, after)]
        return tuple({path: (path, old, new) for path, old, new in found}.values())

    @property
    def kind(self) -> str:
        """Return the object's kind."""
        return text((self.after or self.before or {}).get("kind"))

    @property
    def name(self) -> str:
        """Return what the object is called in messages."""
        return f"{self.kind} {text(mapping(self.after or self.before, 'metadata').get('name'))}"

    @property
    def changes_type(self) -> bool:
        """Return whether the type of a Service is to be changed."""
        return self.kind == kinds.SERVICE.kind and any(path == TYPE for path, _, _ in self.differences)

    def edited(self, live: Manifest) -> Iterator[str]:
        """Yield the fields to be changed whose live value is in neither rendering: an upgrade would lose it.

        The type of a Service is recorded, and node ports are drawn anew.
        """
        for path, old, new in self.differences:
            if path == TYPE or path[-1] == "nodePort":
                continue
            found = value_at(live, path)
            known = any(found == each or config_text.is_same(live, path, found, each) for each in (old, new))
            if not known:
                yield described(path)
        if self.changes_type and value_at(live, CLASS) is not None:
            yield described(CLASS)  # it can only be set together with the type

    def missed(self, result: Manifest) -> Iterator[str]:
        """Yield the fields of which a write with that result would leave what the upgrade is for undone."""
        for path, _, new in self.differences:
            found = value_at(result, path)
            if path[-1] != "nodePort" and found != new and not config_text.is_same(result, path, found, new):
                yield described(path)

    def foreign(self, live: Manifest, result: Manifest) -> list[Path]:
        """Return where a write with that result changes what the upgrade is not meant to change."""
        found = differences(own(live), own(result), _parts_of_both)
        return [path for path, _, _ in found if not self._is_meant(path)]

    def _is_meant(self, path: Path) -> bool:
        if self.changes_type and path[0] == "spec":
            if path[1:2] and path[1] in _FOLLOWS_TYPE:
                return True
            if path[1:2] == ("ports",) and path[-1] == "nodePort":
                return True
        return any(path[: len(meant)] == meant[: len(path)] for meant, _, _ in self.differences)


def intents(
    before: Sequence[Sequence[Manifest]], after: Sequence[Manifest], namespace: str
) -> Mapping[Place, Intent]:
    """Return every object of the renderings by its place; `before` is each that may be live."""
    new = {place(each, namespace): each for each in after}
    old: dict[Place, list[Manifest]] = {}
    for each in (each for rendering in before for each in rendering):
        old.setdefault(place(each, namespace), []).append(each)
    return {
        each: Intent(next(iter(old.get(each, ())), None), new.get(each), tuple(old.get(each, ())[1:]))
        for each in {**old, **new}
    }


def _differences(before: Manifest, after: Manifest) -> list[Difference]:
    found = differences(own(before), own(after), parts)
    return [each for each in found if not config_text.is_same(before or after, *each)]


def place(manifest: Manifest, namespace: str) -> Place:
    """Return where the object is; charts leave the release's namespace out."""
    metadata = mapping(manifest, "metadata")
    found = text(metadata.get("namespace")) or namespace
    plural = kinds.plural(text(manifest.get("kind")))
    return Place(text(manifest.get("apiVersion")), plural, found, text(metadata.get("name")))


def without(body: Any, path: Path) -> Any:
    """Return what is to be written without what is at the path; the same if there is nothing there.

    The items of a list that cannot be told apart go together.
    """
    kept = _without(body, path)
    return body if kept is _GONE else kept


def _without(body: Any, path: Path) -> Any:
    step, rest = path[0], path[1:]
    if isinstance(step, Item):
        return _without_item(body, step, rest)
    if not isinstance(body, Mapping) or not isinstance(step, str) or step not in body:
        return _GONE if isinstance(step, int) else body
    kept = _without(body[step], rest) if rest else _GONE
    if kept is _GONE:
        orders = (f"$setElementOrder/{step}", f"$deleteFromPrimitiveList/{step}")
        return {key: value for key, value in body.items() if key != step and key not in orders}
    return {**body, step: kept}


def _without_item(body: Any, step: Item, rest: Path) -> Any:
    if not isinstance(body, list):
        return _GONE
    found = [(item, _is_item(item, step)) for item in body]
    if not rest:
        return [item for item, is_it in found if not is_it]
    return [_without(item, rest) if is_it else item for item, is_it in found]


def _is_item(item: Any, step: Item) -> bool:
    return isinstance(item, Mapping) and any(_identity(item, keys) == step for keys in _IDENTITIES)


def parts(before: Any, after: Any) -> Iterable[Part] | None:
    """Return what is inside two objects, or two lists, to be compared; None: they are compared whole."""
    if isinstance(after, Mapping | None) and isinstance(before, Mapping | None) and (before or after):
        return by_key(before or {}, after or {})
    if not isinstance(before, list) or not isinstance(after, list):
        return None
    keys = next(
        (keys for keys in _IDENTITIES if _tell_apart(before, keys) and _tell_apart(after, keys)), None
    )
    if keys is not None:
        old = {_identity(item, keys): item for item in before}
        new = {_identity(item, keys): item for item in after}
        return [(Item(each), old.get(each), new.get(each)) for each in {**old, **new}]
    if len(before) == len(after):
        return zip(count(), before, after, strict=False)
    return None


def _parts_of_both(before: Any, after: Any) -> Iterable[Part] | None:
    """As `parts`; what is only on one side is not looked into, as it comes, or goes, as a whole."""
    return None if before is None or after is None else parts(before, after)


def _tell_apart(items: list[Any], keys: tuple[str, ...]) -> bool:
    if not items or not all(isinstance(item, Mapping) and keys[0] in item for item in items):
        return False
    return len({_identity(item, keys) for item in items}) == len(items)


def _identity(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """Return the item's identity by those keys, "" if it has none; a protocol is TCP unless it says so."""
    if keys[0] not in item:
        return ""
    return ",".join(f"{key}={item.get(key, 'TCP')}" for key in keys)


def value_at(manifest: Any, path: Path) -> Any:
    """Return what is at the path, None if nothing is."""
    for step in path:
        if isinstance(step, Item):
            items = manifest if isinstance(manifest, list) else []
            manifest = next((item for item in items if _is_item(item, step)), None)
        elif isinstance(step, int):
            manifest = manifest[step] if isinstance(manifest, list) and step < len(manifest) else None
        else:
            manifest = manifest.get(step) if isinstance(manifest, Mapping) else None
    return manifest


def described(path: Path) -> str:
    """Return a path as text: `spec.template.spec.containers[name=x].image`, `data[user.yaml]`."""
    field = ""
    for step in path:
        if isinstance(step, int | Item) or "." in step or "/" in step:
            field += f"[{step}]"
        else:
            field += f".{step}" if field else step
    return field
