"""Is the release Milvus, and would Milvus see what an upgrade changes?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.kubernetes.manifests import Manifest
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7.domain.text.untrusted import mapping, objects, text

CHART = "milvus"  # the name of zilliztech/milvus-helm's chart, in all of its versions
FILE = "user.yaml"
_WORKLOADS = frozenset({"Deployment", "StatefulSet"})


def refuse_other_chart(release: str, chart: str, subcharts: Sequence[str]) -> None:
    """Raise `Permanent(RELEASE_NOT_MILVUS)` if the release is of another chart."""
    if chart == CHART:
        return
    message = f"release {release} is of the chart {excerpt(chart, 60)!r}, not {CHART}"
    if CHART in subcharts:
        message += f"; {CHART} as a subchart of another chart is not supported"
    raise Permanent(Reason.RELEASE_NOT_MILVUS, message)


def lacks_file(rendered: Sequence[Manifest], fullname: str) -> str:
    """Return why Milvus would not see its `user.yaml` in what is rendered; "" if it would."""
    service = next((each for each in rendered if _is(each, kinds.SERVICE.kind, fullname)), None)
    if service is None:
        return f"the chart renders no Service {fullname}"
    if not any(_mounts(each, fullname) for each in _serving(rendered, service)):
        return f"no Pod that serves at Service {fullname} mounts {FILE} of ConfigMap {fullname}"
    return ""


def _is(manifest: Manifest, kind: str, name: str) -> bool:
    return manifest.get("kind") == kind and mapping(manifest, "metadata").get("name") == name


def _serving(rendered: Sequence[Manifest], service: Manifest) -> Iterator[Manifest]:
    """Yield the Pod templates that the Service selects."""
    selector = mapping(service, "spec", "selector")
    for each in rendered:
        template = mapping(each, "spec", "template")
        labels = mapping(template, "metadata", "labels")
        if each.get("kind") in _WORKLOADS and selector and selector.items() <= labels.items():
            yield template


def _mounts(template: Manifest, config_map: str) -> bool:
    """Return whether a container sees the file: by its own path, or with the whole ConfigMap."""
    volumes = {
        text(volume.get("name")): mapping(volume, "configMap")
        for volume in objects(mapping(template, "spec").get("volumes"))
        if mapping(volume, "configMap").get("name") == config_map
    }
    for container in objects(mapping(template, "spec").get("containers")):
        for mount in objects(container.get("volumeMounts")):
            source = volumes.get(text(mount.get("name")))
            if source is None:
                continue
            items = objects(source.get("items"))
            names = {text(item.get("path")) for item in items if item.get("key") == FILE} if items else {FILE}
            sub = text(mount.get("subPath"))
            if (sub in names if sub else bool(names)) and text(mount.get("mountPath")):
                return True
    return False
