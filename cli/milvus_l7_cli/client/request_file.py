"""Read a request from a file and validate it by the rules of the functions."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from milvus_l7.domain.request.rejection import Problem
from milvus_l7.domain.request.request import MAX_BODY_BYTES, Refused, SetupSpec, parse
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli.errors import CliError, wrong_input

STDIN = "-"


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A valid request: its JSON body, and what it parses to."""

    body: dict[str, Any]
    spec: SetupSpec


def read(source: str) -> CheckedRequest:
    """Return the request in a file, or with `-` on standard input; raise `CliError` with every problem.

    Text that is not JSON is read as YAML.
    """
    content, name = _content(source), "Standard input" if source == STDIN else source
    body = _as_json(name, content) if len(content) <= MAX_BODY_BYTES else content
    spec = _parsed(name, body)
    return CheckedRequest(json.loads(body), spec)


def checked(body: dict[str, Any]) -> CheckedRequest:
    """Return a generated body with what it parses to."""
    return CheckedRequest(body, parse(json.dumps(body).encode()))


def _content(source: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
    except OSError as error:
        raise wrong_input(f"Cannot read {source}: {error.strerror}.") from error


def _as_json(source: str, content: bytes) -> bytes:
    """Return the same request as JSON."""
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return _yaml_as_json(source, content)
    return content


def _yaml_as_json(source: str, content: bytes) -> bytes:
    """Return the YAML document as JSON; dates become text."""
    try:
        document = yaml.safe_load(content)
        return json.dumps(document, default=str).encode() if document is not None else b""
    except yaml.YAMLError as error:
        problem = excerpt(str(error).replace('in "<byte string>", ', "at "), 300)
        raise wrong_input(f"{source} is neither JSON nor YAML: {problem}.") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise wrong_input(f"{source} has a value that JSON does not: {excerpt(error)}.") from error


def _parsed(source: str, body: bytes) -> SetupSpec:
    try:
        return parse(body)
    except Refused as refused:
        raise _refusal(source, refused) from refused


def _refusal(source: str, refused: Refused) -> CliError:
    reason = refused.reason
    problems = [f"  {_line(problem)}" for problem in refused.problems]
    return wrong_input(f"{source} is not a valid request. {reason.meaning} {reason.remedy}", *problems)


def _line(problem: Problem) -> str:
    """Return field, value and rule as one line."""
    value = f" is {problem.value}:" if problem.value else ""
    named = f"{problem.field}{value}" if value else problem.field
    return excerpt(f"{named} {problem.rule}".strip(), 400)
