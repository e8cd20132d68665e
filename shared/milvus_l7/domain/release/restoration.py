"""What must change in a release's values to be as they were: the way back from `helm_values.plan`.

Helm takes a null for "without the chart's default", so what a user had not set is taken out of the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from milvus_l7.domain.kubernetes.change import Change, Plan
from milvus_l7.domain.kubernetes.services import CLUSTER_IP
from milvus_l7.domain.release import helm_values, user_yaml_restoration
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


def restoration(values: ReleaseValues, before: ReleaseBefore, earlier: str | None) -> Restoration:
    """Return the way back to `before`; empty if nothing of ours is left.

    `earlier` is the `user.yaml` that our first upgrade merged into (`helm_values.own_user_yaml` of that
    revision), None if Helm has dropped it. What users changed since stays. Restoring again changes nothing.
    Raises `Permanent(USER_YAML_INVALID)`.
    """
    steps = [*_service_type(values, before), *_user_yaml(values, before, earlier)]
    return Restoration(
        overlay={s.path[0]: {s.path[1]: s.value} for s in steps if s.value is not None},
        removals=tuple(_removal(values, before, s.path) for s in steps if s.value is None),
        changes=tuple(change for s in steps for change in s.changes),
    )


def _removal(values: ReleaseValues, before: ReleaseBefore, path: Path) -> Path:
    """Return what is taken out: the value, with what is around it if that has nothing else of the user's."""
    section = path[0]
    is_alone = len(mapping(values.chosen, section)) == 1
    return (section,) if is_alone and before.values.get(section) != {} else path


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
