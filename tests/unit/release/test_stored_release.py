"""Release Secrets as Helm writes them, and the charts rebuilt from them."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from base64 import b64encode
from typing import Any

import pytest

from milvus_l7.adapters.release import stored_release
from milvus_l7.adapters.release.stored_release import StoredRelease
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent

Json = dict[str, Any]


def secret(content: bytes, version: str = "4", packed: bool = True) -> Json:
    body = gzip.compress(content) if packed else content
    labels = {"owner": "helm", "name": "r", "version": version, "status": "deployed"}
    encoded = b64encode(b64encode(body)).decode()
    return {
        "metadata": {"name": f"sh.helm.release.v1.r.v{version}", "labels": labels},
        "data": {"release": encoded},
    }


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


CHART: Json = {
    "metadata": {"name": "milvus", "version": "1.0.0", "dependencies": [{"name": "etcd"}, {"name": "minio"}]},
    "templates": [{"name": "templates/a.yaml", "data": encoded("a: {{ .Values.a }}")}],
    "values": {"a": "ü \U0001f600"},
    "schema": encoded('{"type": "object"}'),
    "files": [{"name": "README.md", "data": encoded("hi")}],
    "lock": {"digest": "d"},
}
MANIFEST = """---
# Source: milvus/charts/etcd/templates/a.yaml
kind: ConfigMap
data:
  alert: '{{ $labels.pod }} {{{'
---
# Source: milvus/charts/etcd/charts/common/templates/b.yaml
kind: Secret
---
# Source: milvus/charts/etcd/templates/a.yaml
kind: Service
---
# Source: milvus/templates/a.yaml
kind: Deployment
"""
HOOK = {"path": "milvus/charts/minio/templates/hook.yaml", "manifest": "kind: Job\n"}


def files(**content: Any) -> dict[str, str]:
    release = StoredRelease(
        1, "deployed", {}, {"chart": CHART, "manifest": MANIFEST, "hooks": [HOOK], **content}
    )
    with tarfile.open(fileobj=io.BytesIO(stored_release.archive(release))) as tar:
        found = {entry.name: tar.extractfile(entry) for entry in tar.getmembers()}
        return {name: file.read().decode() for name, file in found.items() if file}


@pytest.mark.parametrize("packed", [True, False])
def test_secret_is_decoded(packed: bool) -> None:
    found = stored_release.decoded(
        secret(json.dumps({"chart": CHART, "manifest": "m"}).encode(), packed=packed)
    )
    assert (found.revision, found.status, found.manifest) == (4, "deployed", "m")
    assert found.chart == CHART


@pytest.mark.parametrize(
    "broken",
    [
        {"data": {"release": "***"}},
        {"data": {"release": encoded("not base64 ***")}},
        {"data": None},
        {},
        secret(b"s3cr3t no json"),
        secret(b"[]"),
        secret(b"\x1f\x8bs3cr3t", packed=False),
    ],
)
def test_what_helm_did_not_write_is_refused_without_quoting_it(broken: Json) -> None:
    with pytest.raises(Permanent) as caught:
        stored_release.decoded(broken)
    assert caught.value.reason is Reason.RELEASE_UNREADABLE
    assert "s3cr3t" not in caught.value.message


def test_release_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(Permanent):
        stored_release.decoded(secret(b"{}" + b" " * stored_release.LIMITS.size_bytes))


@pytest.mark.parametrize(("version", "number"), [("12", 12), ("", 0), ("x", 0), ("-1", 0), ("9" * 19, 0)])
def test_revision_is_read_from_the_label(version: str, number: int) -> None:
    assert stored_release.revision(secret(b"{}", version)) == number


def test_archive_holds_the_parent_as_it_was_stored() -> None:
    found = files()
    assert found["milvus/templates/a.yaml"] == "a: {{ .Values.a }}"
    assert json.loads(found["milvus/Chart.yaml"]) == CHART["metadata"]
    assert found["milvus/values.yaml"] == '{"a": "ü \U0001f600"}'
    assert found["milvus/values.schema.json"] == '{"type": "object"}'
    assert found["milvus/README.md"] == "hi"
    assert json.loads(found["milvus/Chart.lock"]) == {"digest": "d"}


def test_subcharts_are_frozen_under_their_own_paths() -> None:
    found = files()
    etcd = found["milvus/charts/etcd/templates/a.yaml"]
    assert etcd.count("---\n") == 2
    assert "kind: ConfigMap" in etcd
    assert "kind: Service" in etcd
    assert "kind: Secret" in found["milvus/charts/etcd/charts/common/templates/b.yaml"]
    assert json.loads(found["milvus/charts/etcd/charts/common/Chart.yaml"])["name"] == "common"


def test_braces_of_rendered_text_are_not_evaluated_again() -> None:
    assert """'{{ "{{" }} $labels.pod }} {{ "{{" }}{'""" in files()["milvus/charts/etcd/templates/a.yaml"]


def test_hooks_of_subcharts_are_frozen_too() -> None:
    assert "kind: Job" in files()["milvus/charts/minio/templates/hook.yaml"]


def test_dependency_that_rendered_nothing_is_there_as_an_empty_chart() -> None:
    assert json.loads(files(manifest="", hooks=None)["milvus/charts/minio/Chart.yaml"])["name"] == "minio"


def test_old_style_requirements_name_the_subcharts_as_rendered() -> None:
    old = {"name": "requirements.yaml", "data": encoded("dependencies: [{name: silo, alias: minio}]")}
    found = files(chart={**CHART, "files": [old]})
    assert json.loads(found["milvus/requirements.yaml"]) == {
        "dependencies": CHART["metadata"]["dependencies"]
    }


def test_rendered_manifest_that_is_not_yaml_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="not YAML"):
        stored_release.rendered("a: {")
    assert stored_release.rendered("---\na: 1\n---\n---\n3\n") == [{"a": 1}]


@pytest.mark.parametrize(
    ("manifest", "limit"),
    [
        (
            "\n".join(["l0: &l0 {}", *(f"l{n}: &l{n} [*l{n - 1}, *l{n - 1}]" for n in range(1, 40))]),
            "100000 values",
        ),
        ("a: " + "[" * 100_000, "64 levels"),
        ("a: " + "1:" * 300_000 + "1", "400 digits"),
        ("a: x\n---\n" * 60_000, "100000 values"),
        ("x" * 9_000_000, "8388608 characters"),
    ],
)
def test_rendered_manifest_beyond_a_limit_is_refused_with_the_limit(manifest: str, limit: str) -> None:
    with pytest.raises(ValueError, match=limit):
        stored_release.rendered(manifest)


@pytest.mark.parametrize(
    "scalar", ["2001-99-99", "!!timestamp x", "!!int x", "1:" * 190 + "1.5", "!!float ''"]
)
def test_rendered_manifest_with_a_broken_scalar_is_a_value_error(scalar: str) -> None:
    try:
        stored_release.rendered(f"a: {scalar}")
    except ValueError as error:
        assert "not YAML" in str(error)
