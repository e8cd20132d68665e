"""A request that a user has in a file: read, and checked by the rules of the function that will take it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cli.errors import Complaint, wrong_input
from shared.domain.checklist import excerpt
from shared.domain.rejection import Problem
from shared.domain.request import MAX_BODY_BYTES, Refused, Wish, parse

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Asked:
    """A valid request: its JSON body, and what it wishes."""

    body: dict[str, Any]
    wish: Wish


def read(source: str) -> Asked:
    """The valid request in a file, or for `-` on standard input; `Complaint` with every problem if it is not.

    Text that is JSON is taken as that; anything else is read as YAML.
    """
    content, name = _content(source), "Standard input" if source == STDIN else source
    body = _as_json(name, content) if len(content) <= MAX_BODY_BYTES else content
    wish = _wish(name, body)
    return Asked(json.loads(body), wish)


def checked(body: dict[str, Any]) -> Asked:
    """A body that we made ourselves, with what it wishes."""
    return Asked(body, parse(json.dumps(body).encode()))


def _content(source: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
    except OSError as error:
        raise wrong_input(f"Cannot read {source}: {error.strerror}.") from error


def _as_json(source: str, content: bytes) -> bytes:
    """The same request as JSON."""
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return _yaml_as_json(source, content)
    return content


def _yaml_as_json(source: str, content: bytes) -> bytes:
    """Dates and the like become the text that the user most likely meant."""
    try:
        document = yaml.safe_load(content)
        return json.dumps(document, default=str).encode() if document is not None else b""
    except yaml.YAMLError as error:
        problem = excerpt(str(error).replace('in "<byte string>", ', "at "), 300)
        raise wrong_input(f"{source} is neither JSON nor YAML: {problem}.") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise wrong_input(f"{source} holds what JSON cannot: {excerpt(error)}.") from error


def _wish(source: str, body: bytes) -> Wish:
    try:
        return parse(body)
    except Refused as refused:
        raise _refusal(source, refused) from refused


def _refusal(source: str, refused: Refused) -> Complaint:
    reason = refused.reason
    problems = [f"  {_line(problem)}" for problem in refused.problems]
    return wrong_input(f"{source} is no valid request. {reason.meaning} {reason.remedy}", *problems)


def _line(problem: Problem) -> str:
    """Field, value and rule."""
    value = f" is {problem.value}:" if problem.value else ""
    named = f"{problem.field}{value}" if value else problem.field
    return excerpt(f"{named} {problem.rule}".strip(), 400)
