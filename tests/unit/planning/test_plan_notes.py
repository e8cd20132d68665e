"""Notes of a plan: what is adopted, and which values the user's next upgrade would undo."""

from __future__ import annotations

from milvus_l7.domain.kubernetes.change import Change
from milvus_l7.domain.planning.chain_plan import Step
from milvus_l7.domain.planning.plan_notes import notes
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.facts import Adopted

RELEASE = "Release default/my-release"


def step(*changes: Change) -> Step:
    return Step(Stage.PREPARE_TLS, changes)


def test_values_that_an_upgrade_without_them_takes_away_are_named_once() -> None:
    type_change = Change(RELEASE, "service.type", "LoadBalancer", "ClusterIP")
    status = Change(RELEASE, "status", "failed", "deployed")
    (note,) = notes([step(status, type_change), step(type_change)], (), "default")
    assert note.startswith("a helm upgrade with values of your own undoes service.type: ")


def test_plan_without_values_and_adoptions_has_no_notes() -> None:
    assert notes([step(Change("Service default/x", "spec.type", "a", "b"))], (), "default") == ()


def test_secret_is_told_to_be_used_as_it_is() -> None:
    secret, ingress = Adopted("Secret", "x-tls", "1"), Adopted("Ingress", "x", "2", "[]")
    assert notes([], [secret, ingress], "n") == (
        "adopts Ingress n/x: the way back gives it back as it was found",
        "adopts Secret n/x-tls: it is used as it is",
    )
