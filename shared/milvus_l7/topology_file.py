"""Read the topology that a bundle or a wheel carries; in a checkout, its source.

`infra/topology.yaml` is the single list. Whoever packages `milvus_l7` writes it into the package as
`topology.json`, which a cold start reads without a YAML parser.
"""

from __future__ import annotations

import json
from pathlib import Path

from milvus_l7.domain.setup.topology import Topology, topology

PACKAGED = Path(__file__).parent / "topology.json"
SOURCE = Path(__file__).parents[2] / "infra" / "topology.yaml"


def read(packaged: Path = PACKAGED, source: Path = SOURCE) -> Topology:
    """Return the packaged topology, or the source's if there is none; `OSError` if there is neither."""
    if packaged.exists():
        return topology(json.loads(packaged.read_text(encoding="utf-8")))
    import yaml

    return topology(yaml.safe_load(source.read_text(encoding="utf-8")))
