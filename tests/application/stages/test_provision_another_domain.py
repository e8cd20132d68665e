"""provision_certificate after a change of the domain: the pair before serves on, and is found again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from milvus_l7.application.certificates.tls_secrets import SECRETS
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.desired import CertificateSpec
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import CertificateFacts
from tests.fakes.provisioning import DOMAIN, NAME, OURS, SECRET, World, adopting, pair, ready_setup, secret


@pytest.fixture
def world() -> World:
    return World()


def changed(domain: str, last: CertificateFacts | None) -> Setup:
    setup = ready_setup(domain=domain)
    return replace(setup, facts=replace(setup.facts, certificate=last))


def names(world: World) -> list[str]:
    return sorted(ref.name for ref in world.kube.stored)


def test_another_domain_gets_another_secret_and_the_first_is_left_alone(world: World) -> None:
    first = world.run()
    before = world.kube.stored[SECRET]
    second = world.run(changed("new.io", first))
    assert (second.secret, second.sha256) == (f"{NAME}-2", "sha-2")
    assert world.kube.stored[SECRET] == before
    assert world.run(changed("new.io", second)) == second
    assert world.kube.writes == 2


def test_the_way_back_to_an_earlier_domain_finds_its_pair_again(world: World) -> None:
    first = world.run()
    second = world.run(changed("new.io", first))
    third = world.run(changed("third.io", second))
    assert world.run(changed(DOMAIN, third)) == first
    assert world.run(changed("new.io", first)) == second
    assert names(world) == [NAME, f"{NAME}-2", f"{NAME}-3"]
    assert world.kube.writes == 3


def test_the_pair_in_use_is_kept_though_a_lower_number_is_free(world: World) -> None:
    second = world.run(changed("new.io", world.run()))
    del world.kube.stored[SECRET]
    assert world.run(changed("new.io", second)) == second


def test_an_expired_pair_of_another_domain_is_not_kept(world: World) -> None:
    short = CertificateSpec(validity_days=30)
    first = world.run(ready_setup(certificate=short))
    assert world.run(changed("new.io", first), after_days=30).secret == NAME


def test_a_foreign_secret_of_a_later_number_is_refused_and_left_alone(world: World) -> None:
    first = world.run()
    world.kube.put(secret(pair(5, domain="new.io"), f"{NAME}-2"), "kubectl")
    refused = world.refusal(changed("new.io", first))
    assert refused.reason is Reason.SECRET_NOT_OURS
    assert f"{NAME}-2" in refused.message


@pytest.mark.parametrize("adopted", ["theirs", f"{NAME}-7"])
def test_after_an_adopted_secret_one_of_ours_is_issued(world: World, adopted: str) -> None:
    world.kube.put(secret(pair(5), adopted), "kubectl")
    last = world.run(adopting(adopted))
    assert world.run(changed(DOMAIN, last)).secret == NAME


def test_a_secret_that_was_issued_for_another_release_is_not_taken_for_ours(world: World) -> None:
    other = "other-milvus-tls"
    world.kube.put(secret(pair(5), other, labels=OURS), "milvus-l7")
    last = world.run(adopting(other))
    assert world.run(changed(DOMAIN, last)).secret == NAME


def test_secrets_do_not_grow_without_end(world: World) -> None:
    last = None
    for number in range(1, SECRETS + 1):
        last = world.run(changed(f"n{number}.io", last))
    refused = world.refusal(changed("more.io", last))
    assert refused.reason is Reason.CERTIFICATE_INVALID
    assert f"{NAME}-{SECRETS}" in refused.message
    assert len(world.kube.stored) == SECRETS
    del world.kube.stored[replace(SECRET, name=f"{NAME}-3")]
    assert world.run(changed("more.io", last)).secret == f"{NAME}-3"
