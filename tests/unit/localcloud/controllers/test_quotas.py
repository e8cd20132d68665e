"""Quotas of the emulated project: what is made counts, what is there stays."""

from __future__ import annotations

import pytest

from localcloud.controllers.ingress.quotas import QuotaExceeded, Quotas
from milvus_l7.domain.frontend import ingress_warnings
from milvus_l7.domain.reasons import Reason


@pytest.mark.parametrize(
    ("held", "wanted"),
    [([], ["a", "b"]), (["a"], ["b"]), (["a", "b"], ["a"]), (["a", "b", "c"], ["c"]), (["a", "a"], ["b"])],
)
def test_what_fits_or_is_there_is_granted(held: list[str], wanted: list[str]) -> None:
    Quotas(backend_services=2).check(held, wanted)


@pytest.mark.parametrize(("held", "wanted"), [([], ["a", "b", "c"]), (["a", "b"], ["c"])])
def test_one_more_than_the_quota_is_refused_in_words_that_are_understood(
    held: list[str], wanted: list[str]
) -> None:
    with pytest.raises(QuotaExceeded) as refused:
        Quotas(backend_services=2).check(held, wanted)
    found = ingress_warnings.classified("Sync", str(refused.value))
    assert found.reason is Reason.QUOTA_EXCEEDED
    assert "BACKEND_SERVICES" in found.message
