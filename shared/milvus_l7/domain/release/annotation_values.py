"""Annotations of the Service that the chart's values hold: they are changed there, and not over Helm.

Applied over Helm they would make the user's next `helm upgrade` fail (Helm 4), or be taken away (Helm 3).
What the annotations must be is not known here: the frontend merges ours into them, and takes them out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from milvus_l7.domain.setup.facts import ReleaseBefore
from milvus_l7.domain.text.untrusted import mapping

Texts = Mapping[str, str]
Merge = Callable[[Texts], Texts]
Unmerge = Callable[[Texts, Mapping[str, str | None]], Mapping[str, str | None]]

PATH = ("service", "annotations")
SECTION = ".".join(PATH)


def held(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the annotations in values, without those that are no text."""
    return {key: text for key, text in mapping(values, *PATH).items() if isinstance(text, str)}


def merged(values: Mapping[str, Any], merge: Merge) -> dict[str, str]:
    """Return what the annotations in the values must be, of those that are not so. Raises as `merge`."""
    there = held(values)
    wanted = merge(there) if there else {}
    return {key: text for key, text in wanted.items() if key in there and there[key] != text}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return which annotations two sets of values do not have in common."""
    old, new = mapping(before, *PATH), mapping(after, *PATH)
    return sorted(key for key in {**old, **new} if old.get(key) != new.get(key))


def field(key: str) -> str:
    """Return what a record, or a plan, calls the value of an annotation."""
    return f"{SECTION}[{key}]"


def recorded(before: ReleaseBefore | None) -> dict[str, str | None]:
    """Return the annotations that were changed in the values, as the user had them; None: not in his."""
    return dict(_recorded(before))


def _recorded(before: ReleaseBefore | None) -> Iterator[tuple[str, str | None]]:
    for path, value in before.values.items() if before else ():
        if path.startswith(f"{SECTION}["):
            yield path.removeprefix(f"{SECTION}[").removesuffix("]"), value


def restored(
    chosen: Mapping[str, Any], defaults: Mapping[str, Any], before: ReleaseBefore, unmerge: Unmerge
) -> dict[str, str | None]:
    """Return how the user's annotations change on the way back; None: taken out, as the chart has it so."""
    there, charts, known = held(chosen), held(defaults), recorded(before)
    bases = {key: text if text is not None else charts.get(key) for key, text in known.items()}
    back = unmerge({key: text for key, text in there.items() if key in known}, bases)
    return {
        key: None if known[key] is None and text == charts.get(key) else text for key, text in back.items()
    }


def alone(before: ReleaseBefore | None) -> ReleaseBefore | None:
    """Return the record without all but the annotations: what goes back with the frontend; None: nothing."""
    if before is None or not recorded(before):
        return None
    values = {path: value for path, value in before.values.items() if path.startswith(SECTION)}
    return ReleaseBefore(before.revision, values, {})


def without(before: ReleaseBefore | None) -> ReleaseBefore | None:
    """Return the record without the annotations."""
    if before is None:
        return None
    return replace(before, values={k: v for k, v in before.values.items() if not k.startswith(SECTION)})
