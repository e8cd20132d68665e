"""Write the requirements files from pyproject.toml, where alone every dependency stands with its version.

    python -m infra.requirements             # write those that differ, and name them
    python -m infra.requirements --check     # fail if one differs

`functions/NAME/requirements.txt` holds what the extra of that name comes to, the root's `requirements.txt`
what all of these come to.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
HEADER = (
    "# Generated from pyproject.toml by `make requirements`: change it there.\n"
    "# Transitive versions are fixed in constraints.txt.\n"
)
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[(?P<extras>[\w,-]+)\])?(==(?P<version>[\w.]+))?")


class UnclearError(ValueError):
    """pyproject.toml does not say what a requirements file has to hold."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One entry of a list of dependencies."""

    name: str
    extras: Sequence[str]
    version: str | None

    @property
    def key(self) -> str:
        """Return the name as package indexes compare it."""
        return re.sub(r"[-_.]+", "-", self.name).lower()


@dataclass(frozen=True, slots=True)
class Project:
    """The dependencies of a project."""

    name: str
    extras: Mapping[str, Sequence[Requirement]]
    pins: Mapping[str, str]  # by key: `name==version`

    def needs(self, extra: str) -> set[str]:
        """Return the pins that an extra comes to, those of the extras that it names included."""
        if extra not in self.extras:
            raise UnclearError(f"pyproject.toml has no extra {extra}: list what it needs")
        found: set[str] = set()
        for requirement in self.extras[extra]:
            if requirement.name == self.name:
                found = found.union(*(self.needs(inner) for inner in requirement.extras))
            elif requirement.key in self.pins:
                found.add(self.pins[requirement.key])
            else:
                raise UnclearError(f"pyproject.toml names {requirement.name} without a version")
        return found


def project(root: Path = ROOT) -> Project:
    """Return what the `pyproject.toml` in a folder says.

    Raises `UnclearError` for what is neither pinned nor a plain name, and for a name with two versions.
    """
    parsed: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    table = parsed["project"]
    extras = {
        name: [_parsed(line) for line in lines] for name, lines in table["optional-dependencies"].items()
    }
    others = [_parsed(line) for line in (*table["dependencies"], *parsed["build-system"]["requires"])]
    return Project(
        table["name"], extras, _pins([*others, *(each for row in extras.values() for each in row)])
    )


def _parsed(line: str) -> Requirement:
    match = REQUIREMENT.fullmatch(line)
    if match is None:
        raise UnclearError(f"pyproject.toml says {line!r}: write it as name==version")
    return Requirement(match["name"], (match["extras"] or "").split(","), match["version"])


def _pins(requirements: Sequence[Requirement]) -> dict[str, str]:
    pins: dict[str, str] = {}
    for requirement in requirements:
        if requirement.version is None:
            continue
        pin = f"{requirement.name}=={requirement.version}"
        if pins.setdefault(requirement.key, pin) != pin:
            raise UnclearError(f"pyproject.toml has two versions: {pins[requirement.key]} and {pin}")
    return pins


def files(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Return each requirements file with the text that it should have; raises what `project` does."""
    of = project(root)
    functions = sorted(path.parent for path in (root / "functions").glob("*/main.py"))
    needs = {folder: of.needs(folder.name.replace("_", "-")) for folder in functions}
    yield root / "requirements.txt", _text(set[str]().union(*needs.values()))
    for folder, pins in needs.items():
        yield folder / "requirements.txt", _text(pins)


def _text(pins: set[str]) -> str:
    return HEADER + "".join(f"{pin}\n" for pin in sorted(pins, key=str.lower))


def stale(root: Path = ROOT) -> dict[Path, str]:
    """Return the files that are not as they should be, with the text that they should have."""
    return {
        path: text
        for path, text in files(root)
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write the files that are stale, or only name them; the exit status: 1 if there is something to do."""
    try:
        found = stale(root)
    except UnclearError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    is_check = "--check" in arguments
    for path, text in found.items():
        if not is_check:
            path.write_text(text, encoding="utf-8")
        note = "is not what pyproject.toml says: run `make requirements`" if is_check else "written"
        sys.stdout.write(f"{path.relative_to(root)}: {note}\n")
    return 1 if is_check and found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
