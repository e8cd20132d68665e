"""What the rest of the cluster may know about a Pod's containers. Pure."""

from __future__ import annotations

import json
from typing import Any

Object = dict[str, Any]

NODE_NAME = "local-node"
HOST_PORTS = "localcloud.milvus-l7.dev/host-ports"  # {"19530": 21001, "9091": 21002}

# As the chart names them; any of these is the real server.
MILVUS_CONTAINERS = frozenset({"standalone", "proxy"})


def milvus_container(pod: Object) -> Object | None:
    """Return the container that is the real Milvus server, if the Pod has one."""
    found = (item for item in pod["spec"]["containers"] if item["name"] in MILVUS_CONTAINERS)
    return next(found, None)


def host_ports(pod: Object) -> dict[int, int]:
    """Return the node's record of host port by container port; empty while nothing runs."""
    text = (pod["metadata"].get("annotations") or {}).get(HOST_PORTS) or "{}"
    return {int(port): int(host_port) for port, host_port in json.loads(text).items()}
