"""The topology is the packaged one, or the checkout's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from milvus_l7 import topology_file
from milvus_l7.domain.setup.event import ACCEPTED


def changed(trigger: str) -> str:
    """The topology, as JSON, with another topic of requests."""
    document = yaml.safe_load(topology_file.SOURCE.read_text(encoding="utf-8"))
    document["functions"][ACCEPTED]["trigger"] = trigger
    return json.dumps(document)


def test_packaged_topology_is_read_before_the_source(tmp_path: Path) -> None:
    packaged = tmp_path / "topology.json"
    packaged.write_text(changed("packaged"), encoding="utf-8")
    assert topology_file.read(packaged).functions[ACCEPTED].trigger == "packaged"


def test_checkout_reads_the_source(tmp_path: Path) -> None:
    source = tmp_path / "topology.yaml"
    source.write_text(changed("source"), encoding="utf-8")
    assert topology_file.read(tmp_path / "absent.json", source).functions[ACCEPTED].trigger == "source"
    assert topology_file.read().functions[ACCEPTED].trigger == "l7-setup-requested"


def test_neither_is_an_error_that_names_the_source(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"topology\.yaml"):
        topology_file.read(tmp_path / "topology.json", tmp_path / "topology.yaml")
