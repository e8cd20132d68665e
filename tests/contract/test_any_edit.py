"""Any field of any object of a release, changed past Helm: kept and given back, or refused unwritten."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from milvus_l7.domain.kubernetes.difference import own
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.chain import Stage
from tests.contract import live_release, rich_chart
from tests.contract.kube_server import Json, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.test_plans import planned, written
from tests.contract.whole_chain import Chain

pytestmark = pytest.mark.timeout(600)

PLAIN: Json = {"service": {"type": "LoadBalancer"}}
IDENTITY = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"))


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich_chart.written(tmp_path_factory.mktemp("rich"))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all texts and numbers in an object, but those that say which one it is."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from leaves(inner, (*path, key))
    if isinstance(value, str | int) and not isinstance(value, bool) and path not in IDENTITY:
        yield path


def edited(live: Json, path: tuple[Any, ...], how: str) -> Json:
    """The object with one leaf changed, or taken out."""
    changed = copy.deepcopy(live)
    inside = changed
    for step in path[:-1]:
        inside = inside[step]
    if how == "removed":
        del inside[path[-1]]
    else:
        old = inside[path[-1]]
        inside[path[-1]] = old + 1 if isinstance(old, int) else f"{old}x"
    return changed


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(data=st.data(), helm=st.sampled_from([3, 4]))
def test_any_edit_is_kept_and_given_back_or_refused_unwritten(
    server: Any, chart: Path, data: st.DataObject, helm: int
) -> None:
    chain = Chain(fresh_space.__wrapped__(server))
    live_release.install(chain, PLAIN, helm, chart)
    there = chain.snapshot()
    for _ in range(data.draw(st.integers(1, 3), "edits")):
        kind, name = data.draw(st.sampled_from(sorted(there)), "object")
        row = live_release.BY_KIND[kind]
        live = chain.space.get(row.plural, name, row.api_version).body
        path = data.draw(st.sampled_from(sorted(leaves(own(live)), key=str)), "field")
        body = edited(live, path, data.draw(st.sampled_from(["changed", "removed"]), "how"))
        answer = chain.space.put(row.plural, body, row.api_version, fieldManager="kubectl")
        assume(answer.code == 200)
    before, versions, plan = chain.snapshot(), chain.versions(), chain.plan()
    if plan.fault is not None:
        with pytest.raises(Permanent):
            chain.run(Stage.PREPARE_TLS)
        assert chain.versions() == versions
        return
    chain.run(Stage.PREPARE_TLS)
    assert written(before, chain.snapshot()) == planned(plan.steps[0].changes)
    chain.tear_down()
    assert chain.snapshot() == before
