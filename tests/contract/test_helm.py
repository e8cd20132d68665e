"""Helm releases through Helm's own SDK, against a Kubernetes API server: what our upgrades leave behind."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from milvus_l7.adapters.release.helm import HelmReleases
from milvus_l7.adapters.release.helm_sdk import sdk
from milvus_l7.adapters.release.limits import Limits
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import LeaseLost, Permanent, Transient, Unanswered
from milvus_l7.ports import ClusterAccess, Release, ValuesChange
from tests.contract.kube_server import USERS, Json, Space, fresh_space, managers, server_under_test, until  # noqa: F401 (fixtures)

CHART = Path(__file__).parents[2] / "localcloud" / "chart" / "milvus"
NAME = "my-release"
MILVUS = "my-release-milvus"
CHOSEN = {"service": {"type": "LoadBalancer"}, "extraConfigFiles": {"user.yaml": "log: {level: info}\n"}}
TLS = {
    "service": {"type": "ClusterIP"},
    "extraConfigFiles": {"user.yaml": "common: {security: {tlsMode: 1}}\n"},
}
OURS = ValuesChange(TLS, "milvus-l7: TLS")
TYPE = ValuesChange({"service": {"type": "ClusterIP"}}, "milvus-l7: type")


@dataclass(frozen=True)
class World:
    """A namespace, the adapter under test, and a user with Helm."""

    space: Space
    releases: HelmReleases

    @contextmanager
    def helm(self) -> Iterator[Any]:
        content = self.space.server.kubeconfig()
        with sdk().Config(kubeconfig_content=content, namespace=self.space.name, qps=100) as config:
            yield config

    def install(self, chart: Path = CHART, values: Json | None = None) -> Release:
        with self.helm() as helm:
            helm.install(chart, NAME, CHOSEN if values is None else values)
        return self.newest()

    def newest(self) -> Release:
        found = self.releases.get(NAME)
        assert found is not None
        return found

    def secrets(self) -> list[Json]:
        found = self.space.get("secrets", labelSelector=f"owner=helm,name={NAME}").body["items"]
        return sorted(found, key=lambda s: int(s["metadata"]["labels"]["version"]))

    def stored(self) -> list[Json]:
        """The revisions as Helm stored them, oldest first."""
        packed = [b64decode(b64decode(s["data"]["release"])) for s in self.secrets()]
        return [json.loads(gzip.decompress(p)) for p in packed]

    def leave_pending(self, status: str, **labels: str) -> None:
        """A revision that a killed client left behind; it was to have no values."""
        newest, content = self.secrets()[-1], self.stored()[-1]
        version = content["version"] + 1
        content |= {"version": version, "info": {**content["info"], "status": status}, "config": {}}
        body = b64encode(b64encode(gzip.compress(json.dumps(content).encode()))).decode()
        own = {**newest["metadata"]["labels"], "version": str(version), "status": status, **labels}
        metadata = {"name": f"sh.helm.release.v1.{NAME}.v{version}", "labels": own}
        left = {"type": "helm.sh/release.v1", "metadata": metadata, "data": {"release": body}}
        assert self.space.create("secrets", left).code == 201

    def data(self, name: str) -> Any:
        return self.space.get("configmaps", name).body.get("data")


@dataclass
class Tokens:
    """Gives `limit` good tokens, then bad ones."""

    good: str
    limit: int = 1000
    given: int = 0

    def __call__(self) -> str:
        self.given += 1
        return self.good if self.given <= self.limit else "nobody"


@pytest.fixture
def world(space: Space) -> World:
    return World(space, HelmReleases(space.server.objects, space.name))


def connected(world: World, **changed: Any) -> HelmReleases:
    """The releases, by another way into the cluster."""
    return replace(world.releases, kube=replace(world.releases.kube, **changed))


def test_missing_release_is_none_and_the_others_are_named(world: World) -> None:
    assert world.releases.get(NAME) is None
    assert world.releases.names() == []
    world.install()
    assert world.releases.get("another") is None
    assert world.releases.names() == [NAME]


def test_installed_release_is_read_with_values_and_defaults(world: World) -> None:
    found = world.install()
    assert (found.revision, found.status, found.chart_name) == (1, "deployed", "milvus")
    assert found.values == CHOSEN
    assert found.chart_values["service"]["type"] == "ClusterIP"
    assert found.upgraded_from is None
    assert found.updated_at.tzinfo is not None


def test_upgrade_changes_our_values_and_nothing_else(world: World) -> None:
    before = world.install(values={**CHOSEN, "labels": {"team": "search", "gone": None}})
    upgraded = world.releases.upgrade(before, OURS)
    assert (upgraded.revision, upgraded.status, upgraded.upgraded_from) == (2, "deployed", 1)
    assert upgraded.values == {**before.values, **TLS}
    service = world.space.get("services", MILVUS).body
    assert service["spec"]["type"] == "ClusterIP"
    assert "tlsMode" in world.data(MILVUS)["user.yaml"]
    old, new = world.stored()
    for part in ("metadata", "values", "files", "lock", "schema"):
        assert new["chart"][part] == old["chart"][part]
    assert [(t["name"], t["data"]) for t in new["chart"]["templates"]] == [
        (t["name"], t["data"]) for t in old["chart"]["templates"]
    ]
    assert new["info"]["description"] == "milvus-l7: TLS"


def test_objects_of_subcharts_outlive_any_number_of_upgrades(world: World) -> None:
    world.releases.upgrade(world.install(), OURS)
    version = world.space.get("configmaps", "my-release-etcd").body["metadata"]["resourceVersion"]
    world.releases.upgrade(world.newest(), ValuesChange({"service": {"type": "NodePort"}}, "again"))
    etcd = world.space.get("configmaps", "my-release-etcd").body
    assert etcd["metadata"]["resourceVersion"] == version
    manifest = world.stored()[-1]["manifest"]
    assert manifest.count("# Source: milvus/charts/etcd/") == 1


def test_user_can_upgrade_with_the_original_chart_afterwards(world: World) -> None:
    world.releases.upgrade(world.install(), OURS)
    with world.helm() as helm:
        helm.upgrade(CHART, NAME, {"etcd": {"replicaCount": 3}}, reuse_values=True)
    found = world.newest()
    assert (found.revision, found.status) == (3, "deployed")
    assert found.upgraded_from is None  # although Helm hands our label on
    assert world.data("my-release-etcd") == {"replicaCount": "3"}
    assert "tlsMode" in world.data(MILVUS)["user.yaml"]


def test_rendering_an_upgrade_writes_nothing_and_shows_before_and_after(world: World) -> None:
    found = world.install()
    live = world.data(MILVUS)
    versions = [s["metadata"]["resourceVersion"] for s in world.secrets()]
    rendering = world.releases.render_upgrade(found, OURS)
    assert own(rendering.before) == ("LoadBalancer", live["user.yaml"])
    kind, text = own(rendering.after)
    assert (kind, text.strip()) == ("ClusterIP", "common: {security: {tlsMode: 1}}")
    assert [s["metadata"]["resourceVersion"] for s in world.secrets()] == versions
    assert world.space.get("services", MILVUS).body["spec"]["type"] == "LoadBalancer"
    assert world.data(MILVUS) == live


def test_removals_give_back_the_first_values_and_what_was_rendered_from_them(world: World) -> None:
    first = world.install(values={"labels": {"team": "search"}})
    data = world.data(MILVUS)
    tls = world.releases.upgrade(first, OURS)
    assert world.data(MILVUS) != data
    back = ValuesChange({}, "back", (("service",), ("extraConfigFiles",)))
    assert own(world.releases.render_upgrade(tls, back).after) == ("ClusterIP", data["user.yaml"])
    assert world.releases.upgrade(tls, back).values == first.values
    assert world.data(MILVUS) == data
    assert world.stored()[2]["manifest"] == world.stored()[0]["manifest"]


def own(rendered: Sequence[Json]) -> tuple[str, str]:
    """The Service's type and the `user.yaml` of the release itself."""
    by_kind = {each["kind"]: each for each in rendered if each["metadata"]["name"] == MILVUS}
    return by_kind["Service"]["spec"]["type"], by_kind["ConfigMap"]["data"]["user.yaml"]


def test_earlier_revision_can_be_read(world: World) -> None:
    world.releases.upgrade(world.install(), OURS)
    earlier = world.releases.get(NAME, 1)
    assert earlier is not None
    assert (earlier.revision, earlier.values) == (1, CHOSEN)
    assert world.releases.get(NAME, 9) is None


def test_stale_view_of_the_release_upgrades_nothing(world: World) -> None:
    stale = world.install()
    world.releases.upgrade(stale, OURS)
    with pytest.raises(Transient) as caught:
        world.releases.upgrade(stale, OURS)
    assert caught.value.reason is Reason.RELEASE_BUSY
    assert world.newest().revision == 2


def test_release_left_pending_is_refused_then_recovered_then_upgraded(world: World) -> None:
    world.install()
    world.leave_pending("pending-upgrade")
    pending = world.newest()
    assert (pending.status, pending.upgraded_from, pending.values) == ("pending-upgrade", None, CHOSEN)
    with pytest.raises(Transient) as caught:
        world.releases.upgrade(pending, OURS)
    assert caught.value.reason is Reason.RELEASE_BUSY
    world.releases.recover(pending)
    assert (world.newest().revision, world.newest().status) == (3, "deployed")
    assert world.releases.upgrade(world.newest(), OURS).revision == 4
    assert world.data("my-release-etcd") == {"replicaCount": "1"}


def test_release_that_was_never_deployed_cannot_be_recovered(world: World) -> None:
    world.install()
    world.leave_pending("pending-install")
    world.space.delete("secrets", f"sh.helm.release.v1.{NAME}.v1")
    with pytest.raises(Permanent) as caught:
        world.releases.recover(world.newest())
    assert caught.value.reason is Reason.RELEASE_NOT_DEPLOYED


def test_unreadable_release_names_its_secret(world: World) -> None:
    world.install()
    world.space.patch(f"secrets/sh.helm.release.v1.{NAME}.v1", {"data": {"release": "AAAA"}})
    with pytest.raises(Permanent) as caught:
        world.newest()
    assert caught.value.reason is Reason.RELEASE_UNREADABLE
    assert NAME in caught.value.message


def test_wrong_token_is_a_refusal_by_the_cluster(world: World) -> None:
    found = world.install()
    stranger = connected(world, token=lambda: "nobody")
    with pytest.raises(Permanent) as caught:
        stranger.upgrade(found, OURS)
    assert caught.value.reason is Reason.CLUSTER_ACCESS_DENIED
    assert "nobody" not in caught.value.message


def test_token_that_helm_is_refused_with_is_a_refusal_by_the_cluster(world: World) -> None:
    found = world.install()
    tokens = Tokens(world.releases.kube.token())
    connected(world, token=tokens).names()
    # Reading the revisions takes that many; the next one is Helm's.
    tokens = Tokens(tokens.good, limit=tokens.given)
    with pytest.raises(Permanent) as caught:
        connected(world, token=tokens).recover(found)
    assert caught.value.reason is Reason.CLUSTER_ACCESS_DENIED


def test_cluster_that_does_not_answer_is_waited_for(world: World) -> None:
    nowhere = connected(world, access=ClusterAccess("https://127.0.0.1:9", None))
    with pytest.raises(Transient) as caught:
        nowhere.get(NAME)
    assert caught.value.reason is Reason.CLUSTER_UNAVAILABLE


# A chart in the old format, with all that a rebuilt one could lose -----------------------------------

HOOK = """apiVersion: v1
kind: ConfigMap
metadata: {name: hook, annotations: {helm.sh/hook: pre-upgrade}}
data: {from: "%s {{ .Release.IsUpgrade }}"}
"""
CONFIG = """apiVersion: v1
kind: ConfigMap
metadata: {name: %s}
data: %s
"""
OLD_STYLE: dict[str, str] = {
    "Chart.yaml": "apiVersion: v1\nname: milvus\nversion: 4.2.45\n",
    "requirements.yaml": (
        "dependencies:\n"
        "- {name: silo, alias: minio, version: 7.x.x, repository: '', condition: minio.enabled}\n"
        "- {name: kafka, version: 1.0.0, repository: 'https://example.invalid', condition: kafka.enabled}\n"
    ),
    "values.yaml": "service: {type: A}\nminio: {enabled: true}\nkafka: {enabled: false}\nbig: 104857600\n",
    "README.md": "hello",
    "templates/_helpers.tpl": '{{- define "name" -}}plain{{- end -}}',
    "templates/plain.yaml": CONFIG
    % (
        '{{ include "name" . }}',
        '{big: "{{ .Values.big }}", mine: "{{ .Values.mine }}", port: "{{ .Values.minio.port }}"}',
    ),
    "templates/hook.yaml": HOOK % "parent",
    "charts/silo/Chart.yaml": "apiVersion: v2\nname: silo\nversion: 7.0.2\n",
    "charts/silo/values.yaml": "port: 9000\n",
    "charts/silo/templates/_helpers.tpl": '{{- define "silo.name" -}}{{ .Release.Name }}-silo{{- end -}}',
    "charts/silo/templates/a.yaml": CONFIG
    % ('{{ include "silo.name" . }}', "{alert: '{{ `{{ $labels.pod }} }}{{{` }}', back: 'tick `'}"),
    "charts/silo/templates/hook.yaml": HOOK.replace("name: hook", "name: silo-hook") % "child",
    "charts/silo/charts/deep/Chart.yaml": "apiVersion: v2\nname: deep\nversion: 0.1.0\n",
    "charts/silo/charts/deep/templates/b.yaml": CONFIG % ("deep", "{at: '{{ .Release.Revision }}'}"),
    "charts/kafka/Chart.yaml": "apiVersion: v2\nname: kafka\nversion: 1.0.0\n",
    "charts/kafka/templates/k.yaml": CONFIG % ("kafka", "{}"),
}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def test_old_style_chart_with_aliases_hooks_and_nested_subcharts_is_rebuilt(
    world: World, tmp_path: Path
) -> None:
    found = world.install(written(tmp_path / "milvus", OLD_STYLE), {"mine": 104857600})
    live = {name: world.data(name) for name in ("plain", f"{NAME}-silo", "deep")}
    for revision in (2, 3):
        found = world.releases.upgrade(found, replace(OURS, values={"service": {"type": f"T{revision}"}}))
        assert found.revision == revision
    assert {name: world.data(name) for name in live} == live
    assert live[f"{NAME}-silo"]["alert"] == "{{ $labels.pod }} }}{{{"
    assert world.data("kafka") is None
    assert world.data("hook") == {"from": "parent true"}
    assert world.data("silo-hook") is not None
    first, _, last = world.stored()
    assert [d["name"] for d in last["chart"]["metadata"]["dependencies"]] == ["minio"]
    assert first["chart"]["values"] == last["chart"]["values"]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (CONFIG % ("plain", "{a: '{{ .Release.Revision }}'}"), "ConfigMap plain would change in data.a"),
        (CONFIG % ("plain{{ .Release.Revision }}", "{}"), "ConfigMap plain1 would be deleted"),
        (CONFIG % ("plain", "{a: '{{ .Values.service.type }}'}"), "ConfigMap plain would change in data.a"),
        (CONFIG % ('{{ include "silo.name" . }}-2', "{}"), "silo.name"),
    ],
)
def test_upgrade_that_would_change_more_is_refused_before_any_write(
    world: World, tmp_path: Path, template: str, words: str
) -> None:
    found = world.install(written(tmp_path / "milvus", {**OLD_STYLE, "templates/plain.yaml": template}), {})
    for attempt in (world.releases.render_upgrade, world.releases.upgrade):
        with pytest.raises(Permanent) as caught:
            attempt(found, OURS)
        assert caught.value.reason is Reason.UPGRADE_NOT_CONTAINED
        assert words in caught.value.message
    assert world.newest().revision == 1


# What only another process can show --------------------------------------------------------------------

UPGRADE = """
import json, sys
from milvus_l7.adapters.kubernetes.objects import KubernetesObjects
from milvus_l7.adapters.release.helm import HelmReleases
from milvus_l7.adapters.release.gateway import Upstream, opened
from milvus_l7.adapters.release.helm_sdk import Session
from milvus_l7.ports import ClusterAccess, ValuesChange
url, ca, token, namespace, chart, values, change = json.load(sys.stdin)
releases = HelmReleases(KubernetesObjects(ClusterAccess(url, ca), lambda: token), namespace)
if chart:
    with opened(Upstream(url, ca, token).send) as address:
        with Session(address, namespace).connected() as helm:
            helm.install(chart, "my-release", values)
releases.upgrade(releases.get("my-release"), ValuesChange(change, "milvus-l7: TLS"))
"""


def start_upgrade(world: World, chart: Path | None) -> subprocess.Popen[bytes]:
    api = world.space.server
    arguments = [
        api.url,
        api.ca_pem,
        api.tokens[USERS[0]],
        world.space.name,
        chart and str(chart),
        CHOSEN,
        TLS if chart else TYPE.values,
    ]
    process = subprocess.Popen(
        [sys.executable, "-B", "-c", UPGRADE], stdin=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(arguments).encode())
    process.stdin.close()
    return process


def test_helm_writes_under_the_name_that_the_helm_command_has(world: World) -> None:
    assert start_upgrade(world, CHART).wait(60) == 0
    service = world.space.get("services", MILVUS).body
    assert service["spec"]["type"] == "ClusterIP"
    assert {manager for manager, _, _ in managers(service)} == {"helm"}


def test_killed_upgrade_of_ours_is_known_as_ours_and_recovered(world: World, tmp_path: Path) -> None:
    endless = (
        "apiVersion: batch/v1\nkind: Job\n"
        "metadata: {name: endless, annotations: {helm.sh/hook: pre-upgrade}}\n"
        "spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}\n"
    )
    world.install(written(tmp_path / "milvus", {**OLD_STYLE, "templates/endless.yaml": endless}), {})
    process = start_upgrade(world, None)
    try:
        until(lambda: world.newest().status == "pending-upgrade", 30)
    finally:
        process.kill()
        process.wait()
    killed = world.newest()
    assert (killed.revision, killed.upgraded_from) == (2, 1)
    world.releases.recover(killed)
    assert (world.newest().revision, world.newest().status) == (3, "deployed")


# Charts that would never end ---------------------------------------------------------------------------

ON_UPGRADE = "{{ if .Release.IsUpgrade }}%s{{ end }}\n"
LOOPS = ON_UPGRADE % "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
GROWS = ON_UPGRADE % "{{ range untilStep 0 1000000000 1 }}{{ end }}"
ALIASES = ON_UPGRADE % "\n".join(
    ["apiVersion: v1", "kind: List", "a: &a [x, y]"]
    + [f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}]" for a, b in pairwise("abcdefghijklmnop")]
)
QUICK = Limits(time_s=12, memory_mib=200)


def expensive(world: World, folder: Path, template: str) -> Release:
    return world.install(written(folder / "milvus", {**OLD_STYLE, "templates/endless.yaml": template}), {})


@pytest.mark.parametrize(
    ("template", "limit"), [(LOOPS, "after 12 s"), (GROWS, "at 200 MiB")], ids=["time", "memory"]
)
def test_chart_that_renders_without_end_is_refused_with_the_limit(
    world: World, tmp_path: Path, template: str, limit: str
) -> None:
    found = expensive(world, tmp_path, template)
    with pytest.raises(Permanent) as caught:
        replace(world.releases, render_limits=QUICK).upgrade(found, OURS)
    assert caught.value.reason is Reason.CHART_TOO_EXPENSIVE
    assert limit in caught.value.message
    assert world.newest().revision == 1


def test_chart_whose_yaml_unfolds_without_end_is_refused(world: World, tmp_path: Path) -> None:
    found = expensive(world, tmp_path, ALIASES)
    with pytest.raises(Permanent, match="excessive aliasing") as caught:
        world.releases.upgrade(found, OURS)
    assert caught.value.reason is Reason.UPGRADE_NOT_CONTAINED


def helm_processes() -> Iterator[tuple[str, str]]:
    """The arguments and the environment of Helm's processes that this one has started."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"PPid:\t{os.getpid()}\n" in (folder / "status").read_text():
                arguments = (folder / "cmdline").read_text()
                if "helm_process" in arguments:
                    yield arguments, (folder / "environ").read_text()


def test_token_is_neither_in_the_arguments_nor_in_the_environment_of_helms_process(
    world: World, tmp_path: Path
) -> None:
    found = expensive(world, tmp_path, LOOPS)
    seen: list[tuple[str, str]] = []
    with ThreadPoolExecutor(1) as pool:
        rendering = pool.submit(replace(world.releases, render_limits=QUICK).render_upgrade, found, OURS)
        while not rendering.done():
            seen += [each for each in helm_processes() if each[1]]
            time.sleep(0.2)
        assert isinstance(rendering.exception(), Permanent)
    assert seen
    assert world.releases.kube.token() not in str(seen)
    assert list(helm_processes()) == []


HOOK_WITHOUT_END = (
    "apiVersion: batch/v1\nkind: Job\n"
    "metadata: {name: endless, annotations: {helm.sh/hook: pre-upgrade}}\n"
    "spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}\n"
)


def test_upgrade_that_is_killed_may_still_have_an_effect_and_is_recovered(
    world: World, tmp_path: Path
) -> None:
    found = expensive(world, tmp_path, HOOK_WITHOUT_END)
    with pytest.raises(Unanswered, match="its upgrade: killed after 12 s") as caught:
        replace(world.releases, write_limits=QUICK).upgrade(found, TYPE)
    assert caught.value.reason is Reason.HELM_FAILED
    assert (world.newest().status, world.newest().upgraded_from) == ("pending-upgrade", 1)
    world.releases.recover(world.newest())
    assert (world.newest().revision, world.newest().status) == (3, "deployed")


def test_what_is_raised_before_the_write_ends_the_call_unwritten(world: World) -> None:
    found = world.install()

    def refuse() -> None:
        raise LeaseLost

    for call in (
        lambda: world.releases.upgrade(found, OURS, refuse),
        lambda: world.releases.recover(found, refuse),
    ):
        with pytest.raises(LeaseLost):
            call()
    assert world.newest().revision == 1
