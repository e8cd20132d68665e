"""Define the exit codes. They are stable: scripts match on them."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.drift_report import Verdict
from milvus_l7_cli import freshness


class ExitCode(IntEnum):
    """The exit status of `milvus-l7`, with its meaning."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        """Attach the meaning to the number."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    DONE = 0, "verified, torn down, or done"
    ERROR = 1, "nothing was done: the message says why, and what to do"
    UNFINISHED = 2, "the setup waits or runs"
    FAILED = 3, "the set-up has failed, or the plan says that it would"
    NO_ANSWER = 4, "no answer in time"
    CHANGES = 5, "the plan has changes (only with --exit-code)"
    DRIFTED = 6, "verified, but drifted since"
    UNKNOWN = 7, "verified, but it is not known whether it has drifted since"
    WRONG_INPUT = 64, "wrong input: a command line, request or name that is not valid"
    INTERRUPTED = 130, "interrupted by Ctrl-C"


_VERDICTS = {
    Verdict.HEALTHY: ExitCode.DONE,
    Verdict.DRIFTED: ExitCode.DRIFTED,
    Verdict.UNKNOWN: ExitCode.UNKNOWN,
}


def of_verdict(verdict: Verdict) -> ExitCode:
    """Return the exit code of a drift check's verdict."""
    return _VERDICTS[verdict]


def of_setup(setup: Setup, now: datetime) -> ExitCode:
    """Return the exit code of a setup. A drifted verdict never goes stale; a healthy one does."""
    if setup.status is Status.FAILED or was_restored(setup):
        return ExitCode.FAILED
    if setup.status is Status.TORN_DOWN:
        return ExitCode.DONE
    if setup.status is not Status.VERIFIED:
        return ExitCode.UNFINISHED
    if setup.drift is not None and setup.drift.verdict is not Verdict.HEALTHY:
        return of_verdict(setup.drift.verdict)
    return ExitCode.UNKNOWN if freshness.is_stale(setup, now) else ExitCode.DONE


def was_restored(setup: Setup) -> bool:
    """Return whether the release was restored because its set-up had failed."""
    return (
        setup.status is Status.TORN_DOWN and setup.teardown is not None and setup.teardown.cause is not None
    )
