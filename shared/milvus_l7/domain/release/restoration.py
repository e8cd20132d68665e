"""What must change in a release's values to be as they were: the way back from `helm_values.plan`.

Helm takes a null for "without the chart's default", so what a user had not set is taken out of the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from milvus_l7.domain.kubernetes.change import Change, Plan
from milvus_l7.domain.kubernetes.services import CLUSTER_IP
from milvus_l7.domain.release import annotation_values, helm_values, user_yaml_restoration
from milvus_l7.domain.release.helm_values import SERVICE_TYPE, USER_YAML, ReleaseValues, Values
from milvus_l7.domain.setup.facts import ReleaseBefore
from milvus_l7.domain.text.untrusted import mapping

Path = tuple[str, ...]

TYPE_PATH = ("service", "type")
TEXT_PATH = ("extraConfigFiles", "user.yaml")


@dataclass(frozen=True, slots=True)
class Restoration:
    """Values to merge over the user's, then paths to take out of them, and both shown as changes."""

    overlay: Values
    removals: tuple[Path, ...]
    changes: Plan


@dataclass(frozen=True, slots=True)
class _Step:
    """One value of the user's with what it was; None: it is taken out."""

    path: Path
    value: str | None
    changes: Plan


def restoration(
    values: ReleaseValues,
    before: ReleaseBefore,
    earlier: str | None,
    unmerge: annotation_values.Unmerge,
) -> Restoration:
    """Return the way back to `before`; empty if nothing of ours is left.

    `earlier` is the `user.yaml` that our first upgrade merged into (`helm_values.own_user_yaml` of that
    revision), None if Helm has dropped it; `unmerge` takes ours out of annotations. What users changed since
    stays. Restoring again changes nothing. Raises `Permanent(USER_YAML_INVALID)`.
    """
    steps = [
        *_service_type(values, before),
        *_annotations(values, before, unmerge),
        *_user_yaml(values, before, earlier),
    ]
    overlay: dict[str, Any] = {}
    for step in steps:
        if step.value is not None:
            overlay = helm_values.overlaid(overlay, _nested(step.path, step.value))
    return Restoration(
        overlay=overlay,
        removals=tuple(_removals(values.chosen, before, [s.path for s in steps if s.value is None])),
        changes=tuple(change for s in steps for change in s.changes),
    )


def _nested(path: Path, value: str) -> dict[str, Any]:
    return {path[0]: _nested(path[1:], value) if path[1:] else value}


def _removals(chosen: Values, before: ReleaseBefore, paths: Iterable[Path]) -> Iterator[Path]:
    """Yield what is taken out: each value, with what is around it if that has nothing else of the user's."""
    for each in paths:
        path = each
        while len(path) > 1 and len(mapping(chosen, *path[:-1])) == 1 and not _was_empty(before, path[:-1]):
            path = path[:-1]
        chosen = without(chosen, [path])
        yield path


def _was_empty(before: ReleaseBefore, path: Path) -> bool:
    return before.values.get(".".join(path)) == {}


def _annotations(
    values: ReleaseValues, before: ReleaseBefore, unmerge: annotation_values.Unmerge
) -> Iterator[_Step]:
    there = annotation_values.held(values.chosen)
    for key, text in annotation_values.restored(values.chosen, values.defaults, before, unmerge).items():
        change = Change(values.target, annotation_values.field(key), there[key], text)
        yield _Step((*annotation_values.PATH, key), text, (change,))


def _service_type(values: ReleaseValues, before: ReleaseBefore) -> Iterator[_Step]:
    earlier = before.values.get(SERVICE_TYPE, CLUSTER_IP)
    # In the user's values, where we set it: a default that says the same is not ours.
    if _chosen(values, TYPE_PATH) == CLUSTER_IP != earlier:
        yield _Step(TYPE_PATH, earlier, (Change(values.target, SERVICE_TYPE, CLUSTER_IP, earlier),))


def _user_yaml(values: ReleaseValues, before: ReleaseBefore, earlier: str | None) -> Iterator[_Step]:
    if _chosen(values, TEXT_PATH) is None:
        return
    found = user_yaml_restoration.restore(helm_values.effective_user_yaml(values), before.user_yaml, earlier)
    if not found.changes:
        return
    had_none = before.values.get(USER_YAML, "") is None
    text = None if had_none and _is_charts(values, before, earlier, found.text) else found.text
    changes = tuple(Change(values.target, f"{USER_YAML}.{k.path}", k.before, k.after) for k in found.changes)
    yield _Step(TEXT_PATH, text, changes)


def _is_charts(values: ReleaseValues, before: ReleaseBefore, earlier: str | None, text: str) -> bool:
    """Return whether the text without our keys is the chart's.

    That of then counts or, if Helm dropped it, that of now.
    """
    if text and text == earlier:  # an empty one may also mean that the user had removed the chart's
        return True
    default = helm_values.own_user_yaml(replace(values, chosen={}))
    if default is None:
        return False
    present = helm_values.effective_user_yaml(values)
    return user_yaml_restoration.restore(present, before.user_yaml, default).text == default


def _chosen(values: ReleaseValues, path: Path) -> Any:
    return mapping(values.chosen, *path[:-1]).get(path[-1])


def without(chosen: Values, removals: Iterable[Path]) -> dict[str, Any]:
    """Return the user's values without those paths."""
    values = dict(chosen)
    for path in removals:
        values = _without(values, path)
    return values


def _without(values: Values, path: Path) -> dict[str, Any]:
    key, below = path[0], path[1:]
    if not below:
        return {k: v for k, v in values.items() if k != key}
    inner = values.get(key)
    if not isinstance(inner, Mapping):
        return dict(values)
    return {**values, key: _without(inner, below)}
