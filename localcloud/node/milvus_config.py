"""What a Milvus container is configured with: the image's defaults, the user's `user.yaml`, and where it
runs.

Pure. Key names: milvus-io/milvus pkg/util/paramtable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

Settings = dict[str, Any]

MILVUS_PORT = 19530
METRICS_PORT = 9091
HOME = PurePosixPath("/milvus")  # the image's working directory

# etcd.rootPath + etcd.metaSubPath + "session"; the node owns the first two.
ETCD_ROOT = "by-dev"
SESSION_PREFIX = f"{ETCD_ROOT}/meta/session/"
SESSION_TTL_S = 10  # default 30: how long a start after a crash waits for the dead server's sessions

# internal/distributed/proxy/listener_manager.go; milvus-io/milvus issue 46312.
SHARED_PORT = "proxy server(http) and external grpc server share the same port, tls mode must be 0"

# Sections with a `port` of their own: in a Pod they have an address to themselves, here they share the
# machine.
SERVER_SECTIONS = ("rootCoord", "queryCoord", "queryNode", "indexCoord", "indexNode", "dataCoord", "dataNode")


class BadConfig(Exception):
    """Milvus would not start with this `user.yaml`. The text is the log line it would leave."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one container runs on this machine."""

    root: Path  # stands for the container's `/`
    volume: Path  # survives the container, as a persistent volume does
    ports: Mapping[int, int]  # container port -> host port
    server_ports: Mapping[
        str, int
    ]  # section -> host port, for SERVER_SECTIONS and "proxy" (its internal port)
    etcd_config: Path


def user_settings(text: str) -> Settings:
    """Parse `user.yaml`; empty text is no settings. Raises `BadConfig`."""
    try:
        settings = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise BadConfig(f"config: user.yaml is not YAML: {type(error).__name__}") from error
    if not isinstance(settings, dict):
        raise BadConfig("config: user.yaml is not a map")
    return settings


def default_settings(template: str) -> Settings:
    """Return the server's own settings from its template, every placeholder replaced by its default."""
    filled = re.sub(r"\{\{[^:}]*(?::([^}]*))?\}\}", lambda found: (found.group(1) or "").strip(), template)
    settings: Settings = yaml.safe_load(filled)
    return settings


def container_ports(user: Settings) -> tuple[int, ...]:
    """Return the ports the container listens on for others: gRPC, metrics, and REST if it has its own."""
    main = _number(_at(user, "proxy", "port"), MILVUS_PORT)
    rest = _number(_at(user, "proxy", "http", "port"), main)
    return tuple(dict.fromkeys((main, METRICS_PORT, rest)))


def refusal(user: Settings) -> str | None:
    """Return the log line with which a current Milvus refuses these settings, or None.

    The embedded server (2.3.5) would start and silently serve no REST. Users run newer images, which do not
    start, so neither do we.
    """
    mode = str(_at(user, "common", "security", "tlsMode") or "0")
    is_http_on = str(_at(user, "proxy", "http", "enabled")).lower() != "false"
    main = _number(_at(user, "proxy", "port"), MILVUS_PORT)
    shares = _number(_at(user, "proxy", "http", "port"), main) == main
    return SHARED_PORT if mode != "0" and is_http_on and shares else None


def effective_settings(defaults: Settings, user: Settings, place: Placement) -> Settings:
    """Return what the server starts with: `user` over `defaults`, then what this machine dictates."""
    settings = overlaid(overlaid(_image_settings(defaults), user), _local_settings(user, place))
    tls = settings.get("tls") or {}
    settings["tls"] = {key: local_path(str(value), place.root) for key, value in tls.items()}
    return settings


def overlaid(below: Settings, above: Settings) -> Settings:
    """Return `above` laid over `below`: maps are merged, the rest is replaced. Changes neither."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = overlaid(under, value) if isinstance(value, dict) and isinstance(under, dict) else value
    return merged


def local_path(path: str, root: Path) -> str:
    """Return where the container's `path` is here; relative ones start at its working directory."""
    return str(root / (HOME / path).relative_to("/"))


def etcd_settings(client_port: int, peer_port: int) -> Settings:
    """Return the embedded etcd's own file: without it, it takes 2379 and 2380 whatever Milvus is told."""
    client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    return {
        "name": "default",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
    }


def _image_settings(defaults: Settings) -> Settings:
    certificates = {"serverPemPath": "server.pem", "serverKeyPath": "server.key", "caPemPath": "ca.pem"}
    tls = {key: f"configs/cert/{name}" for key, name in certificates.items()}
    return overlaid(defaults, {"tls": tls})


def _local_settings(user: Settings, place: Placement) -> Settings:
    main, rest = container_ports(user)[0], container_ports(user)[-1]
    settings: Settings = {
        name: {"ip": "127.0.0.1", "port": place.server_ports[name]} for name in SERVER_SECTIONS
    }
    settings["proxy"] = {
        "ip": "127.0.0.1",
        "port": place.ports[main],
        "internalPort": place.server_ports["proxy"],
    }
    if rest not in (main, METRICS_PORT):
        settings["proxy"]["http"] = {"port": place.ports[rest]}
    settings["common"] = {"session": {"ttl": SESSION_TTL_S}}
    settings["etcd"] = {
        "rootPath": ETCD_ROOT,
        "metaSubPath": "meta",
        "config": {"path": str(place.etcd_config)},
        "data": {"dir": str(place.volume / "etcd")},
        "log": {"path": "stdout"},
        "use": {"embed": True},
    }
    settings["localStorage"] = {"path": str(place.volume / "storage")}
    settings["rocksmq"] = {"path": str(place.volume / "rocksmq")}
    settings["log"] = {"file": {"rootPath": ""}, "stdout": True}
    return settings


def _at(settings: Settings, *path: str) -> Any:
    value: Any = settings
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _number(value: Any, default: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return default
