"""Merge TLS into the `user.yaml` of a Milvus release: the user's text in, the same text with our keys out.

Milvus flattens the file and compares keys in lower case without ".", "_" and "/"
(milvus-io/milvus `pkg/config/config.go`, formatKey), so `common.security.tlsmode` or a dotted top-level key
count as set too. The text may hold credentials: no error message quotes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from itertools import accumulate
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.util import load_yaml_guess_indent

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.text import bounded_yaml

TLS_MODE = "common.security.tlsMode"
HTTP_PORT = "proxy.http.port"
HTTP_ENABLED = "proxy.http.enabled"
GRPC_PORT = "proxy.port"

PARENTS = ("common", "common.security", "proxy", "proxy.http")

SERVER_TLS = 1
MUTUAL_TLS = "2"
DEFAULT_GRPC_PORT = "19530"
REST_PORT = 8080  # what milvus.io/docs/tls.md uses

# Merging keeps comments and is therefore slow; a real file has a few kilobytes.
MAX_CHARACTERS = 256 * 1024
LIMITS = bounded_yaml.Limits(MAX_CHARACTERS, depth=64, nodes=100_000)
MAX_KEYS = 10_000
MAX_DEPTH = 32
MAX_BRACKETS = 200  # ruamel.yaml takes minutes for some thousands; brackets in quotes are counted too
# What strconv.ParseBool takes for true after yaml.v2 has read it; Milvus takes everything else for false.
_TRUE = frozenset({"true", "t", "1", "yes", "on", "y"})
TIED = "its anchors or aliases tie the keys that must be set to others"
_ESCAPING = (ValueError, RecursionError, TypeError, AttributeError, LookupError)
_NESTED_KEY = re.compile(r"^( {1,16})[^\s#-]", re.MULTILINE)

Mapping = MutableMapping[Any, Any]


@dataclass(frozen=True, slots=True)
class KeyChange:
    """One dotted key of `user.yaml` that changes. None: not set."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Merged:
    """The new text, equal to the old one if nothing changes."""

    text: str
    changes: tuple[KeyChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that is no mapping, and where it is."""

    container: Mapping
    key: Any

    @property
    def value(self) -> Any:
        """Return the value as ruamel.yaml reads it."""
        return self.container[self.key]

    @property
    def text(self) -> str:
        """Return the value as Milvus compares it; "" for null."""
        return "" if self.value is None else str(self.value).strip()


@lru_cache(maxsize=8)  # one execution asks for the same text several times, and parsing takes long
def merge(text: str) -> Merged:
    """Return `user.yaml` with server TLS on and REST off the gRPC port.

    REST that the user has switched off, or given a port, stays as it is. Keys, comments, order and
    indentation stay; text that needs no change comes back as it is, so that merging again changes nothing.
    Raises `Permanent`: USER_YAML_INVALID, MUTUAL_TLS, REST_SHARES_PORT.
    """
    document = parsed(text)
    changes = tuple(_changes(leaves_of(document)))
    if not changes:
        return Merged(text)
    merged = edited(text, lambda document: put(document, changes))
    if not differ_only(document, parsed(merged), changes):
        raise invalid(TIED)
    return Merged(merged, changes)


def _changes(leaves: dict[str, Leaf]) -> Iterator[KeyChange]:
    mode = leaves.get(flattened(TLS_MODE))
    if mode and mode.text == MUTUAL_TLS:
        raise Permanent(Reason.MUTUAL_TLS, f"user.yaml sets {TLS_MODE} to 2")
    if mode is None or mode.text != str(SERVER_TLS):
        yield KeyChange(TLS_MODE, mode and mode.value, SERVER_TLS)
    enabled, port = leaves.get(flattened(HTTP_ENABLED)), leaves.get(flattened(HTTP_PORT))
    if enabled and enabled.text and enabled.text.lower() not in _TRUE:
        return
    chosen = port.text if port and port.text else str(REST_PORT)
    grpc = leaves.get(flattened(GRPC_PORT))
    if chosen in {DEFAULT_GRPC_PORT, grpc.text if grpc else DEFAULT_GRPC_PORT}:
        raise Permanent(Reason.REST_SHARES_PORT, f"{HTTP_PORT} would be the gRPC port {chosen}")
    if port is None or not port.text:
        yield KeyChange(HTTP_PORT, None, REST_PORT)


def parsed(text: str) -> Mapping:
    """Return the text as mappings; {} for a text without content. Raises `Permanent(USER_YAML_INVALID)`."""
    if len(text) > MAX_CHARACTERS:
        raise invalid(f"it has more than {MAX_CHARACTERS} characters")
    opened = accumulate((c in "[{") - (c in "]}") for c in text)
    if max(opened, default=0) > MAX_BRACKETS:
        raise invalid(f"it has more than {MAX_BRACKETS} open brackets")
    try:
        bounded_yaml.check(text, LIMITS)
        document = _round_trip().load(text)
    except bounded_yaml.OutOfBounds as error:
        raise invalid(f"{error}") from None
    except (MarkedYAMLError, yaml.MarkedYAMLError) as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise invalid(f"it is not a single valid YAML document{where}") from None
    except (YAMLError, yaml.YAMLError, *_ESCAPING):
        # ruamel.yaml lets errors of its own escape for some malformed scalars and tags
        raise invalid("it is not a single valid YAML document") from None
    if document is None:
        return CommentedMap()
    if not isinstance(document, MutableMapping):
        raise invalid("its top level is not a mapping")
    for path in PARENTS:
        _parent(document, path)
    return document


def _round_trip() -> YAML:
    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = MAX_CHARACTERS  # never fold the user's lines
    return round_trip


def _parent(document: Mapping, path: str, *, create: bool = False) -> Mapping | None:
    """Return the mapping at a dotted path, or None; made if asked for.

    Raises `Permanent(USER_YAML_INVALID)` if something else is there.
    """
    inside = document
    for name in path.split("."):
        key = next((k for k in inside if flattened(k) == flattened(name)), name)
        if inside.get(key) is None:
            if not create:
                return None
            inside[key] = CommentedMap()
        inside = inside[key]
        if not isinstance(inside, MutableMapping):
            raise invalid(f"its {path} is not a mapping")
    return inside


def flattened(key: object) -> str:
    """Return the key as Milvus compares it (see the module)."""
    return "".join(character for character in str(key).lower() if character not in "./_")


def leaves_of(document: Mapping) -> dict[str, Leaf]:
    """Return every value by its flattened key, as Milvus sees them.

    Raises `Permanent(USER_YAML_INVALID)` for what is too large, too deep, or says a key of ours twice.
    """
    found: dict[str, Leaf] = {}
    ours = {flattened(path) for path in (TLS_MODE, HTTP_PORT, HTTP_ENABLED, GRPC_PORT)}
    for count, (flat, leaf) in enumerate(_walk(document, "", 0)):
        if count >= MAX_KEYS:
            raise invalid(f"it has more than {MAX_KEYS} keys")
        if flat in found and flat in ours:
            raise invalid("it sets the same key twice, in two spellings")
        found[flat] = leaf
    return found


def _walk(inside: Mapping, prefix: str, depth: int) -> Iterator[tuple[str, Leaf]]:
    if depth > MAX_DEPTH:
        raise invalid(f"it is nested more than {MAX_DEPTH} levels deep")
    for key, value in inside.items():
        path = prefix + flattened(key)
        if isinstance(value, MutableMapping):
            yield from _walk(value, path, depth + 1)
        else:
            yield path, Leaf(inside, key)


def edited(text: str, edit: Callable[[Mapping], None]) -> str:
    """The text after `edit` has changed its mappings in place; comments, order and indentation stay."""
    round_trip = _round_trip()
    try:
        document, indent, dash = load_yaml_guess_indent(text, yaml=round_trip)
    except IndexError:  # ruamel.yaml stumbles over an empty item right below its key
        document, indent, dash = round_trip.load(text), None, None
    if document is None:
        # Nothing but comments, which ruamel.yaml would drop together with the empty document.
        document = CommentedMap()
        kept = text if not text or text.endswith("\n") else f"{text}\n"
    else:
        kept = ""
        sequence = indent or 2
        offset = min(dash or 0, sequence - 2)
        round_trip.indent(mapping=_mapping_indent(text), sequence=sequence, offset=offset)
    edit(document)
    out = StringIO()
    round_trip.dump(document, out)
    return kept + out.getvalue()


def _mapping_indent(text: str) -> int:
    """Return the spaces before the first nested key; ruamel.yaml guesses those of sequences only."""
    nested = _NESTED_KEY.search(text)
    return len(nested[1]) if nested else 2


def put(document: Mapping, changes: tuple[KeyChange, ...]) -> None:
    """Set the keys, each in the spelling that is there."""
    leaves = leaves_of(document)
    for change in changes:
        leaf = leaves.get(flattened(change.path))
        path, _, name = change.path.rpartition(".")
        container, key = (leaf.container, leaf.key) if leaf else (_parent(document, path, create=True), name)
        if container is not None:
            container[key] = change.after


def differ_only(before: Mapping, after: Mapping, changes: tuple[KeyChange, ...]) -> bool:
    """Return whether nothing but our keys changed.

    Not so if an anchor shares the mapping that was written into.
    """
    ours = {flattened(change.path): change.after for change in changes}
    wanted = {flat: value for flat, value in _values(before).items() if flat not in ours}
    return _values(after) == wanted | {flat: value for flat, value in ours.items() if value is not None}


def _values(document: Mapping) -> dict[str, Any]:
    """Return all values by flattened key, but not that a parent has none.

    A parent that was there without a value gets one.
    """
    values = {flat: leaf.value for flat, leaf in leaves_of(document).items()}
    parents = {flattened(path) for path in PARENTS}
    return {flat: value for flat, value in values.items() if flat not in parents or value is not None}


def invalid(what: str) -> Permanent:
    """Return the refusal, for `raise`. It must not quote the text, which may hold credentials."""
    return Permanent(Reason.USER_YAML_INVALID, f"extraConfigFiles.user.yaml: {what}")
