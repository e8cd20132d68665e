"""Write `google.json`: what the google provider takes, for the resources that the Terraform here uses.

    python -m infra.offline.schema         # downloads the package below, from the Python package index

The package binds the provider to programming languages, and describes every argument of it as JSON. It lacks
two things: sets are told as lists, and an argument that the provider fills in counts as optional.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.offline.roots import FOLDERS

PACKAGE = "cdktn-provider-google==21.1.0"  # provider 8.7.0
SCHEMA = Path(__file__).parent / "google.json"

Block = dict[
    str, Any
]  # {"attributes": {name: {"type": ..., "required" | "optional" | "computed": true}}, "blocks"}

_OURS = "provider-google."  # not a type of the language binding itself
_RESOURCE = re.compile(r'^resource "(google_\w+)"', re.M)
_ARGUMENT = re.compile(r"#(\w+) \w+#\1\}")
_VALUES = re.compile(r"Possible values: (\[.*?\])")
_BOUND = re.compile(r"Represents a \{@link \S+ (\w+)\}")
_PRIMITIVES = {"string": "string", "number": "number", "boolean": "bool"}


def described(wheel: Path) -> Mapping[str, Any]:
    """Return the types of the package by their names."""
    with zipfile.ZipFile(wheel) as archive:
        inner = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(archive.read(inner))) as packed:
            file = packed.extractfile("package/.jsii")
            return dict(json.loads(file.read() if file else b"")["types"])


class Reader:
    """Reads the blocks of the provider out of the package's types."""

    def __init__(self, types: Mapping[str, Any]) -> None:
        self._types = types
        summaries = ((name, each.get("docs", {}).get("summary", "")) for name, each in types.items())
        bound = ((name, _BOUND.fullmatch(summary.removesuffix("."))) for name, summary in summaries)
        self._classes = {found[1]: name for name, found in bound if found and self._is_resource(name)}

    def _is_resource(self, name: str) -> bool:
        return bool(self._types[name].get("base") == "cdktn.TerraformResource")

    def resource(self, kind: str) -> Block:
        """Return the block of a resource; `KeyError` if the provider has none of that name."""
        name = self._classes[kind]
        block = self._block(f"{name}Config")
        for attribute, value in self._computed(name):
            block["attributes"].setdefault(attribute, value)
        block["attributes"]["id"] = {"type": "string", "optional": True, "computed": True}
        return block

    def provider(self) -> Block:
        """Return the block of the provider itself, without the addresses of its many services."""
        block = self._block("@cdktn/provider-google.provider.GoogleProviderConfig")
        attributes = block["attributes"].items()
        block["attributes"] = {name: each for name, each in attributes if not name.endswith("_endpoint")}
        return block

    def _block(self, name: str) -> Block:
        attributes: Block = {}
        blocks: Block = {}
        for argument in self._types[name].get("properties", []):
            docs = " ".join(argument.get("docs", {}).values())
            found = _ARGUMENT.search(docs)
            if not found:
                continue
            inner = self._inner(argument["type"])
            if inner:
                blocks[found[1]] = inner | {"min": int(not argument.get("optional"))}
            else:
                attributes[found[1]] = _attribute(argument, docs)
        return {"attributes": attributes, "blocks": blocks}

    def _inner(self, kind: Mapping[str, Any]) -> Block | None:
        """Return the block that an argument of this type is; None if it is none."""
        for choice in kind.get("union", {}).get("types", [kind]):
            element = choice.get("collection", {}).get("elementtype", {})
            if _OURS in choice.get("fqn", ""):
                return self._block(choice["fqn"]) | {"max": 1}
            if _OURS in element.get("fqn", ""):
                return self._block(element["fqn"]) | {"max": 0}
        return None

    def _computed(self, name: str) -> Iterator[tuple[str, Block]]:
        """Yield what only the provider sets, as far as it is text or a number."""
        for each in self._types[name]["properties"]:
            kind = each["type"].get("primitive")
            is_input = each["name"].endswith("Input") or each["name"] == "tfResourceType"
            if each.get("immutable") and kind in _PRIMITIVES and not is_input:
                yield _snake(each["name"]), {"type": _PRIMITIVES[kind], "computed": True}


def _attribute(argument: Mapping[str, Any], docs: str) -> Block:
    need = "optional" if argument.get("optional") else "required"
    values = _VALUES.search(docs)
    return {"type": _type(argument["type"]), need: True} | (
        {"values": json.loads(values[1])} if values else {}
    )


def _type(kind: Mapping[str, Any]) -> Any:
    """Return a type as Terraform writes it in JSON."""
    if "union" in kind:
        return _type(next(each for each in kind["union"]["types"] if each.get("fqn") != "cdktn.IResolvable"))
    if "collection" in kind:
        element = _type(kind["collection"]["elementtype"])
        return ["map" if kind["collection"]["kind"] == "map" else "list", element]
    return _PRIMITIVES[kind["primitive"]]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def used() -> set[str]:
    """Return the kinds of resources that the Terraform here declares."""
    texts = (path.read_text(encoding="utf-8") for folder in FOLDERS for path in folder.glob("*.tf"))
    return {kind for text in texts for kind in _RESOURCE.findall(text)}


def main() -> None:
    """Download the package, and write the schema of what is used."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        subprocess.run(command, check=True)
        reader = Reader(described(next(Path(folder).glob("*.whl"))))
    resources = {kind: reader.resource(kind) for kind in sorted(used())}
    schema = {"package": PACKAGE, "provider": reader.provider(), "resources": resources}
    SCHEMA.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
