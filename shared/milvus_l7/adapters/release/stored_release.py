"""The release that Helm keeps in a Secret, and the chart rebuilt from it.

Helm 4 (helm/helm `pkg/storage/driver`) stores base64(gzip(JSON)) in `data.release` of a Secret that is
labelled owner=helm, name, version and status. The stored chart has its own templates, its own and its
subcharts' default values, and the dependencies' names, but **no subchart's templates**. The rebuilt chart
therefore gets every subchart as it was rendered for that revision: literal text, under the same template
path. Helm stores none of that again, so the stored chart stays the original however often it is rebuilt.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.text import bounded_json, bounded_yaml
from milvus_l7.domain.text.bounded_json import Limits, OutOfBounds
from milvus_l7.domain.text.untrusted import mapping, objects, text

# A Secret holds at most one MiB, packed, and Helm packs ten to one at best. Whoever writes one by hand can
# pack a thousand to one, and each byte of it can take fifty once it is read.
LIMITS = Limits(size_bytes=16 * 1024 * 1024, depth=64, items=400_000)
MANIFEST_LIMITS = bounded_yaml.Limits(characters=8 * 1024 * 1024, depth=64, nodes=100_000)
MAX_ARCHIVE_BYTES = 32 * 1024 * 1024
MOST_DIGITS = 15  # of a revision
MAX_SUBCHART_DEPTH = 8  # subcharts inside each other
# On the Secret of a revision: "<this revision>.<the revision it was built on>". Helm hands labels on to the
# next revision, whoever makes it, which is why the label says what it belongs to. Helm stores a description
# only with a finished revision, so it cannot mark an interrupted one.
UPGRADE_LABEL = "milvus-l7/upgrade"
_GZIP = 16 + zlib.MAX_WBITS
_DOCUMENT = re.compile(r"^---\n# Source: (?P<path>\S+)\n", re.MULTILINE)
# Nothing else on the way into a Go template is special: only the left delimiter begins an action.
_ACTION, _LITERAL = "{{", '{{ "{{" }}'


@dataclass(frozen=True, slots=True)
class StoredRelease:
    """One revision of a release."""

    revision: int
    status: str
    labels: Mapping[str, str]
    content: Mapping[str, Any]

    @property
    def chart(self) -> Mapping[str, Any]:
        """Return the stored chart: metadata, templates, values, files, schema, lock."""
        return mapping(self.content, "chart")

    @property
    def upgraded_from(self) -> int | None:
        """Return the revision that an upgrade of ours built this one on; None if it is not ours."""
        return _built_on(self.revision, self.labels.get(UPGRADE_LABEL, ""))

    @property
    def manifest(self) -> str:
        """Return what was rendered, without hooks."""
        return text(self.content.get("manifest"))


def revision(secret: Manifest) -> int:
    """Return the revision that a release Secret is of; 0 if it does not say, or none that Helm gives."""
    version = text(mapping(secret, "metadata", "labels").get("version"))
    return int(version) if version.isdecimal() and len(version) <= MOST_DIGITS else 0


def upgraded_from(secret: Manifest) -> int | None:
    """Return the revision that an upgrade of ours built this one on, without unpacking it; None: not ours."""
    return _built_on(revision(secret), text(mapping(secret, "metadata", "labels").get(UPGRADE_LABEL)))


def _built_on(number: int, label: str) -> int | None:
    own, _, built_on = label.partition(".")
    return int(built_on) if own == str(number) and built_on.isdecimal() else None


def status(secret: Manifest) -> str:
    """Return the status by a release Secret's label, without unpacking it."""
    return text(mapping(secret, "metadata", "labels").get("status"))


def decoded(secret: Manifest) -> StoredRelease:
    """The revision in a release Secret; `Permanent(RELEASE_UNREADABLE)` if Helm did not write it there."""
    name = text(mapping(secret, "metadata").get("name"))
    try:
        content = bounded_json.loads(_unpacked(text(mapping(secret, "data").get("release"))), LIMITS)
    except OutOfBounds as error:
        raise Permanent(Reason.RELEASE_UNREADABLE, f"Secret {name} cannot be read: {error}") from None
    except (ValueError, zlib.error):
        content = None
    if not isinstance(content, dict):
        raise Permanent(Reason.RELEASE_UNREADABLE, f"Secret {name} does not hold a Helm release")
    own, other = text(mapping(secret, "metadata").get("namespace")), text(content.get("namespace"))
    if own and other and own != other:
        message = f"Secret {name} holds a release of namespace {other[:63]}"
        raise Permanent(Reason.RELEASE_UNREADABLE, message)
    labels = {k: text(v) for k, v in mapping(secret, "metadata", "labels").items()}
    return StoredRelease(revision(secret), status(secret), labels, content)


def _unpacked(encoded: str) -> bytes:
    packed = b64decode(b64decode(encoded))
    if not packed.startswith(b"\x1f\x8b"):
        return packed
    stream = zlib.decompressobj(_GZIP)
    content = stream.decompress(packed, LIMITS.size_bytes)
    if stream.unconsumed_tail:
        raise OutOfBounds(f"it unpacks to more than {LIMITS.size_bytes} bytes")
    return content


def dependencies(release: StoredRelease) -> Sequence[str]:
    """Return the names of the chart's subcharts, by what the chart says of itself."""
    return [text(each.get("name")) for each in _dependencies(release.chart)]


def archive(release: StoredRelease) -> bytes:
    """A chart archive (.tgz) that renders this revision again, with the subcharts as they were rendered.

    Raises `ValueError` if the chart is broken, or larger or deeper than any that we know.
    """
    name = text(mapping(release.chart, "metadata").get("name"))
    files = {**_subcharts(release, name), **_parent(release.chart)}
    if sum(map(len, files.values())) > MAX_ARCHIVE_BYTES:
        raise ValueError(f"it has more than {MAX_ARCHIVE_BYTES} bytes")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _parent(chart: Mapping[str, Any]) -> dict[str, bytes]:
    stored = [*objects(chart.get("templates")), *objects(chart.get("files"))]
    files = {text(file.get("name")): b64decode(text(file.get("data"))) for file in stored}
    files["Chart.yaml"] = _json(chart.get("metadata"))
    files["values.yaml"] = _json(chart.get("values") or {})
    if chart.get("lock"):
        files["Chart.lock"] = _json(chart["lock"])
    if chart.get("schema"):
        files["values.schema.json"] = b64decode(text(chart["schema"]))
    if "requirements.yaml" in files:
        # Charts of apiVersion v1 keep dependencies there, disabled ones included, under names before aliases.
        files["requirements.yaml"] = _json({"dependencies": _dependencies(chart)})
    return files


def _dependencies(chart: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the subcharts that were enabled, under the names that they were rendered as."""
    return objects(mapping(chart, "metadata").get("dependencies"))


def _json(value: Any) -> bytes:
    """Return JSON, which YAML includes; not in ASCII, because YAML knows no surrogate pairs."""
    return json.dumps(value, ensure_ascii=False).encode()


def _subcharts(release: StoredRelease, parent: str) -> dict[str, bytes]:
    """Frozen subcharts. Helm wants a chart for each dependency, even if it rendered nothing."""
    templates: dict[str, list[str]] = {}
    for path, document in _documents(release):
        inside = path.removeprefix(f"{parent}/")
        if inside.startswith("charts/"):
            literal = document.replace(_ACTION, _LITERAL)
            templates.setdefault(inside, []).append("---\n" + literal.rstrip("\n") + "\n")
    files = {path: "".join(documents).encode() for path, documents in templates.items()}
    folders = {f"charts/{text(d.get('name'))}" for d in _dependencies(release.chart)}
    folders |= {folder for path in templates for folder in _chart_folders(path)}
    for folder in folders:
        metadata = {"apiVersion": "v2", "name": folder.rpartition("/")[2], "version": "0.0.0"}
        files[f"{folder}/Chart.yaml"] = _json(metadata)
    return files


def _documents(release: StoredRelease) -> Iterator[tuple[str, str]]:
    """Yield every rendered document with the path of its template, hooks included."""
    parts = _DOCUMENT.split("\n" + release.manifest if release.manifest else "")
    yield from zip(parts[1::2], parts[2::2], strict=True)
    for hook in objects(release.content.get("hooks")):
        yield text(hook.get("path")), text(hook.get("manifest"))


def _chart_folders(path: str) -> Iterator[str]:
    """Yield the charts that a template lies in, the outermost first.

    `charts/a/charts/b/templates/x.yaml` lies in the charts `charts/a` and `charts/a/charts/b`.
    """
    parts = path.split("/")
    if len(parts) > 2 * MAX_SUBCHART_DEPTH + 8:
        raise ValueError(f"it has subcharts more than {MAX_SUBCHART_DEPTH} levels deep")
    for index in range(0, len(parts) - 1, 2):
        if parts[index] != "charts":
            return
        yield "/".join(parts[: index + 2])


def rendered(manifest: str) -> Sequence[Manifest]:
    """The objects in a rendered manifest; `ValueError` if it is not YAML, or larger than the limits."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        bounded_yaml.check(manifest, MANIFEST_LIMITS)
        found = list(yaml.load_all(manifest, loader))
    except bounded_yaml.OutOfBounds as error:
        raise ValueError(f"the rendered manifest cannot be read: {error}") from None
    except (yaml.YAMLError, ValueError, ArithmeticError, TypeError, AttributeError, LookupError):
        # PyYAML lets errors of its own escape for some malformed dates and numbers
        raise ValueError("the rendered manifest is not YAML") from None
    return [document for document in found if isinstance(document, dict)]
