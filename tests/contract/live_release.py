"""A release as people leave it: installed by Helm 3 or 4, then changed past Helm."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import yaml

from localcloud.kube.resources import RESOURCES, Resource
from tests.contract.kube_server import Json, Space
from tests.contract.whole_chain import CHART, NAME, Chain

BY_KIND = {row.kind: row for row in RESOURCES}
KUBECTL = "kubectl"
# As kubectl and Helm ask for it. By default a Job stays until its Pods are orphaned, which a controller does.
BACKGROUND: Json = {"propagationPolicy": "Background"}


def install(chain: Chain, values: Json, helm: int = 4, chart: Path = CHART) -> None:
    """Install the release as that version of Helm does."""
    with chain.helm_config() as config:
        config.install(chart, NAME, values)
    if helm == 3:
        _as_helm_3(chain.space)
    chain.roll_out()


def _as_helm_3(space: Space) -> None:
    """Helm 3 creates and patches as a plain client, and stores no apply method."""
    for secret in space.get("secrets", labelSelector="owner=helm").body["items"]:
        content = json.loads(gzip.decompress(b64decode(b64decode(secret["data"]["release"]))))
        content.pop("apply_method", None)
        packed = b64encode(b64encode(gzip.compress(json.dumps(content).encode()))).decode()
        name = secret["metadata"]["name"]
        assert space.patch(f"secrets/{name}", {"data": {"release": packed}}).code == 200
        for manifest in manifests(content["manifest"]):
            _made_anew(space, manifest)


def manifests(manifest: str) -> Iterator[Json]:
    """The objects of a rendered manifest."""
    yield from filter(None, yaml.safe_load_all(manifest))


def _made_anew(space: Space, manifest: Json) -> None:
    row = BY_KIND[manifest["kind"]]
    live = space.get(row.plural, manifest["metadata"]["name"], row.api_version).body
    space.delete(row.plural, manifest["metadata"]["name"], row.api_version, BACKGROUND)
    metadata = {key: live["metadata"].get(key, {}) for key in ("labels", "annotations")}
    body = {**manifest, "metadata": {**manifest["metadata"], **metadata}}
    created = space.create(row.plural, body, group=row.api_version, fieldManager="helm")
    assert created.code == 201, created.body


def edit(space: Space, kind: str, name: str, body: Json) -> None:
    """What somebody does with kubectl."""
    row: Resource = BY_KIND[kind]
    changed = space.patch(
        f"{row.plural}/{name}", body, "strategic-merge", row.api_version, fieldManager=KUBECTL
    )
    assert changed.code == 200, changed.body


def remove(space: Space, kind: str, name: str) -> None:
    """What somebody, or a TTL, deletes."""
    row = BY_KIND[kind]
    assert space.delete(row.plural, name, row.api_version, BACKGROUND).code == 200
