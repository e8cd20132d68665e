"""Items of the verification checklist, and the ways to state one."""

from __future__ import annotations

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.facts import Check, CheckState
from milvus_l7.domain.text.excerpt import excerpt

ROLLOUT, CERTIFICATE, BACKENDS, DNS = "rollout", "certificate", "backends", "dns"
TLS, MILVUS = "tls", "milvus"

_LONGEST_MESSAGE = 600


def passed(name: str, message: str, *, required: bool = True) -> Check:
    """The item is as it should be."""
    return Check(name, CheckState.PASSED, excerpt(message, _LONGEST_MESSAGE), required=required)


def failed(name: str, reason: Reason, message: str, *, required: bool = True) -> Check:
    """The item was looked at, and is not as it should be."""
    return Check(name, CheckState.FAILED, excerpt(message, _LONGEST_MESSAGE), reason, required)


def pending(name: str, reason: Reason, message: str, *, required: bool = True) -> Check:
    """Nothing can be said of the item yet."""
    return Check(name, CheckState.PENDING, excerpt(message, _LONGEST_MESSAGE), reason, required)


def after(name: str, blocking: Check) -> Check:
    """The item was not looked at, because `blocking` comes first."""
    return pending(name, blocking.reason or Reason.INTERNAL_ERROR, f"waits for {blocking.name}")
