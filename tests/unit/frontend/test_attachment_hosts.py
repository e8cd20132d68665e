"""Whatever Secrets are wanted one after the other, no host is dropped before its successor is verified."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.frontend import attachment, ingress_objects
from milvus_l7.domain.frontend.attachment import Seen, Wanted
from milvus_l7.domain.frontend.ingress_objects import Attachments
from milvus_l7.domain.setup.facts import ServiceFacts
from tests.builders import desired

NAME = "milvus"
HOSTS = {"a1": "a.io", "a2": "a.io", "b1": "b.io", "c1": "c.io"}  # what each Secret's certificate covers


@dataclass
class Cloud:
    """An Ingress, and a load balancer that is as the Ingress was at the last sync."""

    live: Attachments = field(default_factory=Attachments)
    balancer: Attachments = field(default_factory=Attachments)
    promised: set[str] = field(default_factory=set)  # hosts that clients may rely on

    def seen(self) -> Seen:
        made = dict(ingress_objects.ingress(desired(), ServiceFacts(NAME, "milvus", 19530), self.live))
        shown = {attachment.SERVED: ",".join(f"cr-{name}" for name in self.balancer.secrets)}
        return Seen(made | {"metadata": {"annotations": shown}})

    def serves(self) -> set[str]:
        covered = {HOSTS[name] for name in self.balancer.secrets}
        return covered & set(self.balancer.hosts)

    def sync(self) -> None:
        self.balancer = self.live
        assert self.promised <= self.serves()
        self.promised = self.serves()

    def retire(self, wanted: Wanted, *, is_looked_at: bool) -> None:
        host, secret = wanted.hosts[0], wanted.secret
        verified = is_looked_at and host in self.balancer.hosts and secret in self.balancer.secrets
        self.live = attachment.retirement(wanted, self.seen(), verified=verified).reduced
        if verified:
            self.promised &= {host}
            assert self.live == Attachments((host,), (), (secret or "",))


moves = st.one_of(
    st.tuples(st.just("want"), st.sampled_from(sorted(HOSTS))),
    st.tuples(st.just("sync"), st.none()),
    st.tuples(st.just("retire"), st.booleans()),
)


@given(st.lists(moves, max_size=25))
def test_every_host_is_served_until_the_wanted_one_is_verified(steps: list[tuple[str, Any]]) -> None:
    cloud, wanted = Cloud(), Wanted(NAME, ("a.io",), secret="a1")
    for move, detail in steps:
        if move == "want":
            wanted = Wanted(NAME, (HOSTS[detail],), secret=detail)
            cloud.live = attachment.attach(wanted, cloud.seen())
        elif move == "sync":
            cloud.sync()
        else:
            cloud.retire(wanted, is_looked_at=detail)
