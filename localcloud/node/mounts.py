"""ConfigMaps and Secrets as files of a container: a snapshot taken when the container starts.

Kubernetes updates whole-volume mounts while the container runs, but never `subPath` ones, which is what
Milvus' `user.yaml` is; a snapshot is right for those, and all that is needed here.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

Object = dict[str, Any]
Fetch = Callable[[str, str], Object | None]  # collection ("configmaps" | "secrets"), name -> object


class MissingVolume(Exception):
    """A ConfigMap or Secret that the Pod needs is not there; the container waits in ContainerCreating."""


def mount_all(pod: Object, container: Object, root: Path, fetch: Fetch) -> None:
    """Write the container's mounted files below `root`. Overwrites. Raises `MissingVolume`."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    for mount in container.get("volumeMounts") or []:
        volume = volumes.get(mount["name"], {})
        files = _files(volume, fetch)
        target = _below(root, mount["mountPath"])
        if files is None:
            target.mkdir(parents=True, exist_ok=True)
        elif "subPath" in mount:
            _write(target, files.get(mount["subPath"]))
        else:
            for name, content in files.items():
                _write(_below(target, name), content)


def _files(volume: Object, fetch: Fetch) -> dict[str, bytes] | None:
    """Return names and contents of the volume's files; None for a kind that is simply an empty folder."""
    if "configMap" in volume:
        name = volume["configMap"]["name"]
        found = _fetched(volume, "configmaps", name, fetch)
        return {key: text.encode() for key, text in (found.get("data") or {}).items()}
    if "secret" in volume:
        name = volume["secret"]["secretName"]
        found = _fetched(volume, "secrets", name, fetch)
        return {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}
    return None


def _fetched(volume: Object, collection: str, name: str, fetch: Fetch) -> Object:
    found = fetch(collection, name)
    if found is None:
        raise MissingVolume(
            f'MountVolume.SetUp failed for volume "{volume["name"]}" : {collection} "{name}" not found'
        )
    return found


def _below(root: Path, path: str) -> Path:
    """Return `path` inside `root`; a Pod is untrusted input: a path that leads out of it is refused."""
    target = (root / path.lstrip("/")).resolve()
    if not target.is_relative_to(root.resolve()):
        raise MissingVolume(f"mount path {path!r} leads out of the container")
    return target


def _write(target: Path, content: bytes | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        # What the kubelet makes of a subPath that does not exist in the volume.
        target.mkdir(exist_ok=True)
        return
    target.touch(mode=0o600)
    target.write_bytes(content)
