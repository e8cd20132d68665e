"""Starts the real Milvus server as one container of a Pod."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from localcloud.addresses import free_port
from localcloud.guard import Guard
from localcloud.node import binaries, image_certificate, milvus_config

USER_YAML = "/milvus/configs/user.yaml"
ETCD_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Container:
    """A started container: its main process and where its ports are on this machine."""

    process: subprocess.Popen[bytes]
    ports: Mapping[int, int]  # container port -> host port
    etcd_port: int = 0  # of its embedded etcd; 0: it has none


@dataclass(frozen=True, slots=True)
class Folders:
    """The files of one container."""

    root: Path  # stands for the container's `/`; mounted files are already in it
    volume: Path  # survives the container; created if missing
    log: Path


class MilvusImage:
    """Stands for the container image: knows how to start a container from it."""

    def __init__(self, guard: Guard, cache: Path) -> None:
        self._guard = guard
        self._cache = cache

    def start(self, folders: Folders) -> Container:
        """Start Milvus with the mounted `user.yaml`, if any; returns as soon as the process exists.

        Settings that a real server does not start with give a process that logs the reason and exits with
        status 1.
        """
        try:
            user = milvus_config.user_settings(_mounted_text(folders.root))
        except milvus_config.BadConfig as error:
            return self._refuse(str(error), folders)
        refused = milvus_config.refusal(user)
        if refused:
            return self._refuse(refused, folders)
        ports = {port: free_port() for port in milvus_config.container_ports(user)}
        etcd_port = free_port()
        self._configure(user, ports, etcd_port, folders)
        return Container(self._run(ports, folders), ports, etcd_port)

    def stop(self, container: Container, grace_s: float) -> None:
        """End the container's processes; KILL after `grace_s` seconds. Safe to call twice."""
        if container.etcd_port and container.process.poll() is None:
            _forget_sessions(container.etcd_port)
        self._guard.stop(container.process, grace_s)

    def _refuse(self, line: str, folders: Folders) -> Container:
        command = ["/bin/sh", "-c", 'printf "%s\\n" "$1"; exit 1', "milvus", line]
        return Container(self._guard.spawn(command, log_path=folders.log), {})

    def _configure(
        self, user: milvus_config.Settings, ports: Mapping[int, int], etcd_port: int, folders: Folders
    ) -> None:
        home = _home(folders.root)
        sections = (*milvus_config.SERVER_SECTIONS, "proxy")
        place = milvus_config.Placement(
            root=folders.root,
            volume=folders.volume,
            ports=ports,
            server_ports={section: free_port() for section in sections},
            etcd_config=home / "configs" / "etcd.yaml",
        )
        folders.volume.mkdir(parents=True, exist_ok=True)
        image_certificate.write_image_certificate(home / "configs" / "cert")
        etcd = milvus_config.etcd_settings(etcd_port, free_port())
        settings = milvus_config.effective_settings(self._defaults, user, place)
        (home / "configs" / "glog.conf").write_text(binaries.logging_settings(), encoding="utf-8")
        place.etcd_config.write_text(yaml.safe_dump(etcd), encoding="utf-8")
        (home / "configs" / "milvus.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    def _run(self, ports: Mapping[int, int], folders: Folders) -> subprocess.Popen[bytes]:
        folder = binaries.milvus_binaries(self._cache)
        home = _home(folders.root)
        temporary = home / "tmp"
        temporary.mkdir(exist_ok=True)
        env = {
            **os.environ,
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(ports[milvus_config.METRICS_PORT]),
            "LD_LIBRARY_PATH": str(folder),
            "TMPDIR": str(temporary),  # it leaves a file there at each start
        }
        command: list[str | Path] = [folder / "milvus", "run", "standalone"]
        return self._guard.spawn(command, env=env, cwd=home, log_path=folders.log)

    @cached_property
    def _defaults(self) -> milvus_config.Settings:
        return milvus_config.default_settings(binaries.configuration_template())


def _home(root: Path) -> Path:
    return root / milvus_config.HOME.relative_to("/")


def _mounted_text(root: Path) -> str:
    path = root / USER_YAML.lstrip("/")
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _forget_sessions(etcd_port: int) -> None:
    """Remove the server's session keys from its etcd, as a clean shutdown does.

    This build aborts on TERM and leaves them; with them, the next start on the same volume waits for up to a
    minute until their leases have expired.
    """
    prefix = milvus_config.SESSION_PREFIX.encode()
    # etcd: a range that ends at the prefix with its last byte increased is everything below the prefix.
    end = prefix[:-1] + bytes([prefix[-1] + 1])
    body = {"key": base64.b64encode(prefix).decode(), "range_end": base64.b64encode(end).decode()}
    connection = http.client.HTTPConnection("127.0.0.1", etcd_port, timeout=ETCD_TIMEOUT_S)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("POST", "/v3/kv/deleterange", json.dumps(body))
        connection.getresponse().read()
