"""Take TLS out of the `user.yaml` of a Milvus release again: the way back from `user_yaml.merge`.

Lines that hold nothing but keys of ours are cut out of the text, so that everything else stays byte for byte;
ruamel.yaml rewrites it only where a value is put back, or a key of ours shares its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from ruamel.yaml.error import YAMLError

from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.release import user_yaml
from milvus_l7.domain.release.user_yaml import KeyChange, Merged

OURS = {
    user_yaml.TLS_MODE: str(user_yaml.SERVER_TLS),
    user_yaml.HTTP_PORT: str(user_yaml.REST_PORT),
}

_Steps = list[tuple[Any, Any]]  # mappings of ruamel.yaml, and keys


def restore(text: str, before: Mapping[str, Any], earlier: str | None = None) -> Merged:
    """Return `user.yaml` with our keys as they were: `before` has their values by dotted path, None: not set.

    `earlier`, the whole text before our first upgrade, is given back if nothing but our merge happened to it.
    Otherwise keys whose value is no longer ours stay, and so does the rest of the text. Parents that become
    empty go too. Restoring again changes nothing. Raises `Permanent(USER_YAML_INVALID)`.
    """
    merged = _merged(earlier)
    if earlier is not None and merged is not None and merged.text == text:
        return Merged(earlier, tuple(KeyChange(c.path, c.after, c.before) for c in merged.changes))
    leaves = user_yaml.leaves_of(user_yaml.parsed(text))
    changes = tuple(_changes(leaves, before))
    for change in changes:
        text = _undone(text, change)
    return Merged(text, changes)


def _merged(earlier: str | None) -> Merged | None:
    try:
        return None if earlier is None else user_yaml.merge(earlier)
    except Permanent:
        return None  # not what we merged into, then


def _changes(leaves: Mapping[str, user_yaml.Leaf], before: Mapping[str, Any]) -> Iterator[KeyChange]:
    for path, ours in OURS.items():
        leaf = leaves.get(user_yaml.flattened(path))
        if path in before and leaf is not None and leaf.text == ours and str(before[path]).strip() != ours:
            yield KeyChange(path, leaf.value, before[path])


def _undone(text: str, change: KeyChange) -> str:
    """Return the text with one key changed and nothing else.

    Raises `Permanent(USER_YAML_INVALID)` if that cannot be done.
    """
    document = user_yaml.parsed(text)
    # Edited in memory, where empty mappings count too.
    wanted = user_yaml.parsed(text)
    _edit(wanted, change)
    for candidate in _candidates(text, document, change):
        try:
            found = user_yaml.parsed(candidate)
        except Permanent:
            continue
        if found == wanted and user_yaml.differ_only(document, found, (change,)):
            return candidate
    raise user_yaml.invalid(user_yaml.TIED)


def _candidates(text: str, document: user_yaml.Mapping, change: KeyChange) -> Iterator[str]:
    if change.after is None:
        yield _without_lines(text, _superfluous(document, change.path))
    try:
        yield user_yaml.edited(text, lambda inside: _edit(inside, change))
    except (YAMLError, ValueError, RecursionError, TypeError, AttributeError, LookupError):
        return


def _edit(document: user_yaml.Mapping, change: KeyChange) -> None:
    if change.after is not None:
        user_yaml.put(document, (change,))
        return
    container, key = _superfluous(document, change.path)[0]
    del container[key]


def _superfluous(document: user_yaml.Mapping, path: str) -> _Steps:
    """Return the key, below those parents that would be empty without it, as (mapping, key)."""
    steps = _way(document, user_yaml.flattened(path), "")
    start = len(steps) - 1
    while start > 0 and len(steps[start][0]) == 1:
        start -= 1
    return steps[start:]


def _way(inside: Any, wanted: str, prefix: str) -> _Steps:
    """Return the way from the top level to the value, as (mapping, key); empty if it is not there."""
    for key, value in inside.items():
        path = prefix + user_yaml.flattened(key)
        if isinstance(value, MutableMapping):
            below = _way(value, wanted, path)
            if below:
                return [(inside, key), *below]
        elif path == wanted:
            return [(inside, key)]
    return []


def _without_lines(text: str, steps: _Steps) -> str:
    try:
        gone = {container.lc.key(key)[0] for container, key in steps}
    except (LookupError, TypeError, AttributeError):
        return text  # a key that YAML's merge key `<<` brings in has no line
    lines = text.splitlines(keepends=True)
    return "".join(line for number, line in enumerate(lines) if number not in gone)
