"""What the Ingress has while one certificate takes the place of another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvus_l7.domain.certificates.managed_certificate import ManagedView
from milvus_l7.domain.frontend import attachment, ingress_objects
from milvus_l7.domain.frontend.attachment import Retirement, Seen, Wanted
from milvus_l7.domain.frontend.ingress_objects import Attachments
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from milvus_l7.domain.setup.facts import Facts, ManagedFacts, ServiceFacts
from tests.builders import desired, new_setup

NAME = "milvus"
SERVICE = ServiceFacts(NAME, "milvus", 19530)
ANNOTATION = "networking.gke.io/managed-certificates"
FOREIGN = "their-certificate"


def ingress(live: Attachments, **annotations: str) -> dict[str, Any]:
    """The live object that has just that."""
    made = dict(ingress_objects.ingress(desired(), SERVICE, live))
    return made | {"metadata": {"annotations": {**made["metadata"]["annotations"], **annotations}}}


def view(name: str, **changes: Any) -> ManagedView:
    return ManagedView(**{"name": name, "domains": ("a.io",), "status": "", "is_ours": True, **changes})


def managed(name: str, *hosts: str) -> Wanted:
    return Wanted(NAME, hosts or ("a.io",), managed=name)


def secret(name: str, *hosts: str) -> Wanted:
    return Wanted(NAME, hosts or ("a.io",), secret=name)


def seen(live: Attachments, *views: str | ManagedView, **annotations: str) -> Seen:
    found = [view(each) if isinstance(each, str) else each for each in views]
    return Seen(ingress(live, **annotations), found)


HOST = ("a.io",)
WITH_SECRET = Attachments(HOST, (), ("milvus-tls",))
ONE, TWO = "milvus-tls", "milvus-tls-2"
SECRET_SHOWN = {attachment.SERVED: "mcrt-1,k8s2-cr-1", attachment.PRE_SHARED: "mcrt-1"}


# Attaching


def test_a_fresh_ingress_has_what_is_wanted_and_nothing_else() -> None:
    assert attachment.attach(managed(ONE), Seen(None)) == Attachments(HOST, (ONE,))
    assert attachment.attach(secret("s"), Seen(None)) == Attachments(HOST, (), ("s",))


def test_the_secret_stays_beside_a_new_managed_certificate() -> None:
    found = attachment.attach(managed(ONE), seen(WITH_SECRET, ONE))
    assert found == Attachments(HOST, (ONE,), ("milvus-tls",))


def test_managed_certificates_stay_beside_a_new_one_which_comes_first() -> None:
    live = Attachments(HOST, (FOREIGN, ONE))
    assert attachment.attach(managed(TWO), seen(live, ONE, TWO)).managed == (TWO, FOREIGN, ONE)


def test_managed_certificates_stay_beside_a_new_secret() -> None:
    live = Attachments(HOST, (ONE, FOREIGN))
    assert attachment.attach(secret("s"), seen(live, ONE)) == Attachments(HOST, (ONE, FOREIGN), ("s",))


def test_a_secret_stays_behind_a_new_one() -> None:
    for wanted in (secret(TWO), secret(TWO, "new.io")):
        assert attachment.attach(wanted, seen(WITH_SECRET)).secrets == (TWO, ONE)


def test_a_secret_that_holds_the_controller_back_goes_unless_it_is_wanted() -> None:
    live = replace(seen(replace(WITH_SECRET, secrets=(ONE, "s"))), unusable={"s"})
    assert attachment.attach(secret(TWO), live).secrets == (TWO, ONE)
    assert attachment.attach(managed(ONE), live).secrets == (ONE,)
    assert attachment.attach(secret("s"), live).secrets == ("s", ONE)


def test_the_hosts_before_stay_behind_the_new_ones() -> None:
    live = Attachments(("old.io",), (ONE,))
    assert attachment.attach(managed(TWO, "a.io", "b.io"), seen(live, ONE, TWO)).hosts == (
        "a.io",
        "b.io",
        "old.io",
    )


def test_a_name_of_ours_without_an_object_blocks_all_others_and_goes() -> None:
    live = Attachments(HOST, (TWO, ONE))
    assert attachment.attach(managed(TWO), seen(live, TWO)).managed == (TWO,)
    assert attachment.attach(managed(TWO), seen(live, view(ONE, is_terminating=True), TWO)).managed == (TWO,)


def test_a_name_of_somebody_else_stays_even_without_an_object() -> None:
    live = Attachments(HOST, (FOREIGN, ONE))
    foreign_in_our_naming = view(ONE, is_ours=False)
    assert attachment.attach(managed(TWO), seen(live, foreign_in_our_naming, TWO)).managed == (
        TWO,
        FOREIGN,
        ONE,
    )


def test_a_tls_entry_without_a_secret_goes() -> None:
    live = ingress(Attachments(HOST, (), ("kept",)))
    live["spec"]["tls"] += [{"hosts": ["a.io"]}, {"secretName": ""}]
    assert attachment.attach(managed(ONE), Seen(live, [view(ONE)])).secrets == ("kept",)


def test_a_rule_to_another_service_is_not_taken_over() -> None:
    live = ingress(Attachments(("a.io", "theirs.io")))
    path = {"path": "/", "backend": {"service": {"name": "other"}}}
    live["spec"]["rules"][1] = {"host": "theirs.io", "http": {"paths": [path]}}
    assert attachment.attach(secret("s"), Seen(live)).hosts == HOST


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"metadata": {"annotations": {ANNOTATION: 5}}, "spec": {"tls": "x", "rules": [{"http": []}, 5]}},
        {"metadata": {"annotations": {ANNOTATION: " , ,"}}, "spec": {"tls": [None, {}], "rules": [{}]}},
        {"spec": {"rules": [{"host": "a.io", "http": {"paths": [{"backend": {"service": "x"}}]}}]}},
    ],
)
def test_an_odd_ingress_reads_as_an_empty_one(odd: dict[str, Any]) -> None:
    assert attachment.attached(odd, NAME) == Attachments()


def test_names_in_the_annotation_are_trimmed() -> None:
    live = ingress(Attachments(HOST), **{ANNOTATION: f" {FOREIGN} ,{ONE}, "})
    assert attachment.attached(live, NAME).managed == (FOREIGN, ONE)


# Retiring


def test_nothing_is_retired_for_a_managed_certificate_before_all_is_verified() -> None:
    live = Attachments(HOST, (TWO, ONE), ("s",))
    found = attachment.retirement(managed(TWO), seen(live, ONE, TWO, **SECRET_SHOWN), verified=False)
    assert found == Retirement(live)


def test_a_verified_managed_certificate_retires_secret_others_and_hosts() -> None:
    live = Attachments(("a.io", "old.io"), (TWO, FOREIGN, ONE), ("s",))
    found = attachment.retirement(managed(TWO), seen(live, ONE, TWO), verified=True)
    assert found == Retirement(Attachments(HOST, (TWO, FOREIGN)), (ONE,))


def test_a_foreign_one_that_is_named_as_ours_are_stays_attached() -> None:
    live = Attachments(HOST, (TWO, ONE))
    found = attachment.retirement(managed(TWO), seen(live, view(ONE, is_ours=False), TWO), verified=True)
    assert found == Retirement(live)


def test_what_is_not_attached_retires_nothing() -> None:
    for wanted in (managed(TWO), secret("other"), secret("s", "new.io")):
        live = Attachments(HOST, (ONE,), ("s",))
        found = attachment.retirement(wanted, seen(live, ONE, TWO, **SECRET_SHOWN), verified=True)
        assert found == Retirement(live)


def test_a_secret_retires_managed_certificates_when_the_load_balancer_has_it_too() -> None:
    live = Attachments(("a.io", "old.io"), (ONE, FOREIGN), ("s",))
    found = attachment.retirement(secret("s"), seen(live, ONE, **SECRET_SHOWN), verified=False)
    assert found == Retirement(Attachments(("a.io", "old.io"), (FOREIGN,), ("s",)), (ONE,))


@pytest.mark.parametrize("served", ["", "mcrt-1", "mcrt-1, mcrt-1"])
def test_a_secret_retires_nothing_while_the_load_balancer_has_only_managed_ones(served: str) -> None:
    live = Attachments(HOST, (ONE,), ("s",))
    shown = {attachment.SERVED: served, attachment.PRE_SHARED: "mcrt-1"}
    found = attachment.retirement(secret("s"), seen(live, ONE, **shown), verified=False)
    assert found == Retirement(live)


def test_a_secret_that_is_seen_served_retires_the_others_whatever_the_controller_last_reported() -> None:
    live = Attachments(HOST, (ONE,), ("s", TWO))
    found = attachment.retirement(secret("s"), seen(live, ONE), verified=True)
    assert found == Retirement(Attachments(HOST, (), ("s",)), (ONE,))


@pytest.mark.parametrize(
    ("served", "kept"), [("k8s2-cr-1", ("s", TWO)), ("k8s2-cr-1,k8s2-cr-2", ("s",))], ids=["one", "both"]
)
def test_a_secret_for_the_same_hosts_that_may_hide_the_wanted_one_goes_when_both_are_there(
    served: str, kept: tuple[str, ...]
) -> None:
    live = Attachments(HOST, (), ("s", TWO))
    found = attachment.retirement(secret("s"), seen(live, **{attachment.SERVED: served}), verified=False)
    assert found == Retirement(Attachments(HOST, (), kept))


def test_a_secret_that_serves_another_host_stays_until_all_is_verified() -> None:
    live = Attachments(("a.io", "old.io"), (), ("s", TWO))
    both = seen(live, **{attachment.SERVED: "k8s2-cr-1,k8s2-cr-2"})
    assert attachment.retirement(secret("s"), both, verified=False) == Retirement(live)
    assert attachment.retirement(secret("s"), both, verified=True) == Retirement(
        Attachments(HOST, (), ("s",))
    )


@pytest.mark.parametrize("wanted", [secret("s"), managed(ONE)], ids=["secret", "managed"])
def test_a_secret_that_holds_the_controller_back_is_taken_off_before_all_is_verified(wanted: Wanted) -> None:
    live = Attachments(("a.io", "old.io"), (ONE,), ("s", TWO))
    stuck = replace(seen(live, ONE), unusable={TWO})
    found = attachment.retirement(wanted, stuck, verified=False)
    assert found == Retirement(replace(live, secrets=("s",)))


def test_hosts_wait_for_the_whole_verification() -> None:
    live = Attachments(("a.io", "old.io"), (), ("s",))
    for verified, hosts in ((False, ("a.io", "old.io")), (True, HOST)):
        found = attachment.retirement(secret("s"), seen(live, **SECRET_SHOWN), verified=verified)
        assert found.reduced == replace(live, hosts=hosts)


def test_one_that_was_deleted_but_is_still_named_is_taken_off() -> None:
    live = Attachments(HOST, (TWO, ONE))
    found = attachment.retirement(managed(TWO), seen(live, TWO), verified=True)
    assert found.reduced.managed == (TWO,)


def test_one_that_was_never_attached_is_deleted_too() -> None:
    found = attachment.retirement(managed(ONE), seen(Attachments(HOST, (ONE,)), ONE, TWO), verified=True)
    assert (found.reduced, found.certificates) == (Attachments(HOST, (ONE,)), (TWO,))


def test_what_is_already_going_is_not_deleted_again() -> None:
    live = Attachments(HOST, (ONE,))
    found = attachment.retirement(
        managed(ONE), seen(live, ONE, view(TWO, is_terminating=True)), verified=True
    )
    assert found.certificates == ()


def test_those_of_other_services_are_never_deleted() -> None:
    views = (view(ONE), view("other-tls"), view(TWO, is_ours=False), view("milvus-certificate"))
    found = attachment.retirement(managed(ONE), seen(Attachments(HOST, (ONE,)), *views), verified=True)
    assert found.certificates == ()


# What is wanted


def test_what_is_wanted_follows_the_certificates_type() -> None:
    facts = Facts(service=SERVICE, managed=ManagedFacts(TWO, ("my-release.milvus.io", "b.io")))
    spec = CertificateSpec(CertificateType.GOOGLE_MANAGED, domains=("b.io",))
    setup = replace(new_setup(certificate=spec), facts=facts)
    assert attachment.wanted(setup) == Wanted(NAME, ("my-release.milvus.io", "b.io"), managed=TWO)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (CertificateType.GOOGLE_MANAGED, Reason.MANAGED_CERTIFICATE_GONE),
        (CertificateType.SELF_MANAGED, Reason.SECRET_NOT_FOUND),
    ],
)
def test_without_a_certificate_nothing_can_be_wanted(kind: CertificateType, reason: Reason) -> None:
    setup = replace(new_setup(certificate=CertificateSpec(kind)), facts=Facts(service=SERVICE))
    with pytest.raises(Permanent) as refused:
        attachment.wanted(setup)
    assert refused.value.reason is reason


# Whatever happens


@dataclass
class Cloud:
    """An Ingress and ManagedCertificates whose controllers may or may not have acted."""

    live: Attachments
    views: dict[str, ManagedView] = field(default_factory=dict)
    serving: set[str] = field(default_factory=set)  # names of what has served since it was attached
    synced: bool = False  # whether the load balancer has what the Ingress names

    def seen(self) -> Seen:
        managed = [f"gce-{name}" for name in self.live.managed]
        served = [*managed, *(f"gce-{name}" for name in self.live.secrets)] if self.synced else managed
        shown = {attachment.SERVED: ",".join(served), attachment.PRE_SHARED: ",".join(managed)}
        return Seen(ingress(self.live, **shown), list(self.views.values()))

    def apply(self, now: Attachments) -> None:
        self.synced = self.synced and now == self.live
        self.live = now
        names = {*now.managed, *(f"secret {name}" for name in now.secrets)}
        self.serving &= names

    def sync(self) -> None:
        """The controllers catch up: Secrets serve, and ManagedCertificates that are Active."""
        self.synced = True
        active = {name for name in self.live.managed if self.status(name) == "Active"}
        self.serving |= active | {f"secret {name}" for name in self.live.secrets}

    def status(self, name: str) -> str:
        return self.views[name].status if name in self.views else "Active" if name == FOREIGN else ""


STATUSES = ["", "Provisioning", "Active", "ProvisioningFailedPermanently", "RenewalFailed"]
moves = st.one_of(
    st.tuples(st.just("want"), st.sampled_from(["s", "milvus-tls", ONE, TWO, "milvus-tls-3"])),
    st.tuples(st.just("status"), st.tuples(st.integers(0, 3), st.sampled_from(STATUSES))),
    st.tuples(st.just("sync"), st.none()),
    st.tuples(st.just("retire"), st.booleans()),
)


def wanted_of(kind: bool, name: str) -> Wanted:
    return managed(name) if kind else secret(name)


@given(st.lists(st.tuples(st.booleans(), moves), max_size=25), st.booleans())
def test_what_serves_stays_until_what_is_wanted_serves(
    steps: list[tuple[bool, tuple[str, Any]]], has_foreign: bool
) -> None:
    cloud = Cloud(live=Attachments(HOST, (FOREIGN,) if has_foreign else ()))
    wanted = secret("s")
    for kind, (move, detail) in steps:
        before = set(cloud.serving) - {FOREIGN}
        if move == "want":
            wanted = wanted_of(kind, detail)
            if wanted.managed:
                cloud.views.setdefault(detail, view(detail))
            cloud.apply(attachment.attach(wanted, cloud.seen()))
            assert attachment.attach(wanted, cloud.seen()) == cloud.live  # deciding twice is stable
        elif move == "status" and cloud.views:
            name = sorted(cloud.views)[detail[0] % len(cloud.views)]
            cloud.views[name] = replace(cloud.views[name], status=detail[1])
        elif move == "sync":
            cloud.sync()
        elif move == "retire":
            goal = wanted.managed or f"secret {wanted.secret}"
            verified = detail and goal in cloud.serving
            found = attachment.retirement(wanted, cloud.seen(), verified=verified)
            for name in found.certificates:
                del cloud.views[name]
            cloud.apply(found.reduced)
            again = attachment.retirement(wanted, cloud.seen(), verified=verified)
            assert (again.reduced, again.certificates) == (cloud.live, ())
            assert not before or cloud.serving - {FOREIGN}
        if move == "want":
            assert before <= cloud.serving  # nothing is taken away for a certificate that is yet to serve
        assert (FOREIGN in cloud.live.managed) is has_foreign
        assert all(name == FOREIGN or name in cloud.views for name in cloud.live.managed)
