"""An API server that fails at any write of an upgrade, or of its way back: all of the old or of the new."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from milvus_l7.adapters.release import release_view
from milvus_l7.adapters.release.gateway import Reply, Request, Upstream, opened
from milvus_l7.adapters.release.helm import HelmReleases
from milvus_l7.domain.kubernetes.difference import own
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient, Unanswered
from milvus_l7.ports import ClusterAccess, Release, ValuesChange
from tests.builders import new_setup
from tests.contract import live_release
from tests.contract.kube_server import Json, Space, fresh_space, server_under_test  # noqa: F401 (fixtures)
from tests.contract.whole_chain import NAME, Chain

CHANGE = ValuesChange(
    {
        "service": {"type": "ClusterIP"},
        "extraConfigFiles": {"user.yaml": "common: {security: {tlsMode: 1}}\n"},
    },
    "milvus-l7: TLS",
)
WRITES = 6  # of an upgrade: its record, ConfigMap, Service, Deployment, and two records


@dataclass
class Fault:
    """Fails one write, counted from 1: "refused" has no effect, "lost" has it and is not told."""

    at: int
    kind: str
    seen: list[str] = field(default_factory=list)

    def passed(self, upstream: Upstream, request: Request) -> Reply:
        if request.method == "GET" or "dryRun" in request.query:
            return upstream.send(request)
        self.seen.append(f"{request.method} {request.path}")
        if len(self.seen) != self.at:
            return upstream.send(request)
        if self.kind == "lost":
            upstream.send(request)
            return Reply(504, b'{"kind": "Status", "code": 504, "message": "timed out"}')
        return Reply(403, b'{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "not now"}')


@dataclass
class NoDryRuns:
    """A webhook that takes no dry runs (k8s.io/apiserver, NewDryRunUnsupportedErr)."""

    def passed(self, upstream: Upstream, request: Request) -> Reply:
        if request.method == "GET" or "dryRun" not in request.query:
            return upstream.send(request)
        message = 'admission webhook "w.example.com" does not support dry run'
        status = {
            "kind": "Status",
            "status": "Failure",
            "message": message,
            "reason": "BadRequest",
            "code": 400,
        }
        return Reply(400, json.dumps(status).encode())


@contextmanager
def failing(chain: Chain, fault: Fault | NoDryRuns) -> Iterator[HelmReleases]:
    """The releases of the namespace, by way of an API server that fails."""
    real = chain.releases("", chain.space.name)
    there = real.kube.access
    upstream = Upstream(there.server, there.ca_pem, real.kube.token())
    with opened(lambda request: fault.passed(upstream, request)) as url:
        yield replace(real, kube=replace(real.kube, access=ClusterAccess(url, None)))


@pytest.fixture
def chain(space: Space) -> Chain:
    found = Chain(space)
    live_release.install(found, {"service": {"type": "LoadBalancer"}})
    return found


def settled(chain: Chain, releases: HelmReleases) -> Release:
    """The release once it is usable, as executions find it, one after the other."""
    for _ in range(4):
        found = release_view.usable(releases, chain.setup.desired, datetime.now(UTC))
        if isinstance(found, Release):
            return found
    raise AssertionError(found)


def objects(chain: Chain) -> dict[Any, Json]:
    return {key: own(live) for key, live in chain.snapshot().items()}


def statuses(chain: Chain) -> list[str]:
    found = chain.space.get("secrets", labelSelector="owner=helm").body["items"]
    labels = [each["metadata"]["labels"] for each in found]
    return [each["status"] for each in sorted(labels, key=lambda each: int(each["version"]))]


@pytest.mark.parametrize("at", range(1, WRITES + 1))
@pytest.mark.parametrize("kind", ["refused", "lost"])
def test_upgrade_that_fails_at_any_write_is_taken_back(chain: Chain, at: int, kind: str) -> None:
    before, releases, fault = objects(chain), chain.releases("", chain.space.name), Fault(at, kind)
    first = releases.get(NAME)
    assert first is not None
    with failing(chain, fault) as faulty:
        try:
            faulty.upgrade(first, CHANGE)
        except Transient as error:
            assert isinstance(error, Unanswered) is (kind == "lost")
        else:
            assert at == WRITES - 1  # Helm goes on without having noted that the old revision is superseded
    found = settled(chain, releases)
    if found.values == first.values:
        assert objects(chain) == before
        assert releases.upgrade(found, CHANGE).status == "deployed"
    assert objects(chain) != before
    assert statuses(chain)[-1] == "deployed"


@pytest.mark.parametrize("at", range(1, WRITES + 1))
def test_way_back_that_fails_at_any_write_is_gone_again(chain: Chain, at: int) -> None:
    before, releases = objects(chain), chain.releases("", chain.space.name)
    first = releases.get(NAME)
    assert first is not None
    with failing(chain, Fault(WRITES - 2, "lost")) as faulty, pytest.raises(Transient):
        faulty.upgrade(first, CHANGE)
    fault = Fault(at, "refused" if at % 2 else "lost")
    with failing(chain, fault) as faulty:
        try:
            release_view.usable(faulty, chain.setup.desired, datetime.now(UTC))
        except (Transient, Permanent) as error:
            assert isinstance(error, Transient)
    found = settled(chain, releases)
    assert objects(chain) == before
    assert found.values == first.values
    assert statuses(chain)[-1] == "deployed"


def test_webhook_that_takes_no_dry_run_refuses_the_upgrade_by_its_name(chain: Chain) -> None:
    before, first = objects(chain), chain.releases("", chain.space.name).get(NAME)
    assert first is not None
    with failing(chain, NoDryRuns()) as faulty, pytest.raises(Permanent, match=r"w\.example\.com") as refused:
        faulty.upgrade(first, CHANGE)
    assert refused.value.reason is Reason.DRY_RUN_UNSUPPORTED
    assert (objects(chain), statuses(chain)) == (before, ["deployed"])


def test_release_is_as_it_was_when_nothing_fails(chain: Chain) -> None:
    fault = Fault(0, "")
    first = chain.releases("", chain.space.name).get(NAME)
    assert first is not None
    with failing(chain, fault) as faulty:
        assert faulty.upgrade(first, CHANGE).status == "deployed"
    assert len(fault.seen) == WRITES
    assert new_setup().desired.release == NAME
