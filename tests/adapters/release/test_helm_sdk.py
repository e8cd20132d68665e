"""What Helm's errors mean."""

from __future__ import annotations

import pytest

from milvus_l7.adapters.release.helm_sdk import sdk, translated
from milvus_l7.domain.reasons.errors import Transient, Unanswered

LOST = "upgrade failed: http2: client connection lost"


def test_write_that_failed_for_a_reason_not_known_may_still_take_effect() -> None:
    with pytest.raises(Unanswered), translated("my-release", is_write=True):
        raise sdk().HelmReleaseError(LOST)


def test_rendering_that_failed_takes_no_effect() -> None:
    with pytest.raises(Transient) as caught, translated("my-release", is_write=False):
        raise sdk().HelmReleaseError(LOST)
    assert not isinstance(caught.value, Unanswered)


def test_write_that_another_one_is_in_the_way_of_has_not_begun() -> None:
    with pytest.raises(Transient) as caught, translated("my-release", is_write=True):
        raise sdk().HelmReleaseError("another operation (install/upgrade/rollback) is in progress")
    assert not isinstance(caught.value, Unanswered)
