"""Watches: the same on the emulator and on a real kube-apiserver."""

from __future__ import annotations

from itertools import islice

from tests.contract.kube_server import Json, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)


def config(name: str, **labels: str) -> Json:
    return {"metadata": {"name": name, "labels": labels}}


def seen(events: list[Json]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


def revision(space: Space) -> str:
    return str(space.get("configmaps").body["metadata"]["resourceVersion"])


def test_watch_without_a_version_begins_with_what_is_there(space: Space) -> None:
    space.create("configmaps", config("a"))
    with space.server.watch(space.path("configmaps")) as events:
        first = next(events)
        space.create("configmaps", config("b"))
        assert seen([first, next(events)]) == [("ADDED", "a"), ("ADDED", "b")]


def test_watch_from_a_version_tells_what_happened_since(space: Space) -> None:
    space.create("configmaps", config("a"))
    since = revision(space)
    space.patch("configmaps/a", {"data": {"k": "1"}})
    space.create("configmaps", config("b"))
    space.delete("configmaps", "a")
    with space.server.watch(space.path("configmaps"), resourceVersion=since) as events:
        found = list(islice(events, 3))
    assert seen(found) == [("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]
    assert found[0]["object"]["kind"] == "ConfigMap"


def test_watch_hears_only_its_namespace_and_names(space: Space) -> None:
    since = revision(space)
    other = Space(space.server, "default")
    other.create("configmaps", config(f"other-{space.name}"))
    space.create("configmaps", config("a"))
    space.create("configmaps", config("b"))
    query = {"resourceVersion": since, "fieldSelector": "metadata.name=b"}
    with space.server.watch(space.path("configmaps"), **query) as events:
        assert seen([next(events)]) == [("ADDED", "b")]
    other.delete("configmaps", f"other-{space.name}")


def test_object_that_leaves_the_selector_is_deleted_for_the_watch(space: Space) -> None:
    since = revision(space)
    space.create("configmaps", config("a", app="x"))
    space.patch("configmaps/a", {"metadata": {"labels": {"app": "y"}}})
    space.patch("configmaps/a", {"metadata": {"labels": {"app": "x"}}})
    query = {"resourceVersion": since, "labelSelector": "app=x"}
    with space.server.watch(space.path("configmaps"), **query) as events:
        assert seen(list(islice(events, 3))) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]


def test_watch_ends_at_its_time_limit(space: Space) -> None:
    with space.server.watch(
        space.path("configmaps"), resourceVersion=revision(space), timeoutSeconds="1"
    ) as events:
        assert list(events) == []
