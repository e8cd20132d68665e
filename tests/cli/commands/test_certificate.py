"""`milvus-l7 certificate`: the PEM, or why there is none."""

from __future__ import annotations

from milvus_l7.domain.setup.desired import CertificateSpec, CertificateType
from tests.builders import new_setup
from tests.cli.setups import SETUP, operator_of, verified
from tests.fakes.finished_setup import FACTS, PEM


def test_certificate_is_the_pem_and_nothing_else() -> None:
    answer = operator_of(verified(), facts=FACTS).run("certificate", "my-release")
    assert (answer.code, answer.out, answer.err) == (0, PEM, "")


def test_clients_of_a_google_managed_certificate_need_none() -> None:
    spec = CertificateSpec(type=CertificateType.GOOGLE_MANAGED)
    answer = operator_of(new_setup(certificate=spec)).run("certificate", "my-release")
    assert (answer.code, answer.out) == (1, "")
    assert "need no file" in answer.err


def test_setup_without_a_certificate_says_so() -> None:
    answer = operator_of(SETUP).run("certificate", "my-release")
    assert (answer.code, answer.out) == (1, "")
    assert "has no certificate" in answer.err
