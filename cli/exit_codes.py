"""What a command's exit status says. Stable: scripts match on it."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from cli import freshness
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.drift_report import Verdict


class ExitCode(IntEnum):
    """The exit status of `milvus-l7`, with its meaning."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        """Attach the meaning to the number."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    DONE = 0, "verified, taken away, or simply done"
    ERROR = 1, "nothing was done: the message says why, and what to do"
    UNFINISHED = 2, "the setup waits or runs"
    FAILED = 3, "the set-up has failed, or the plan says that it would"
    NO_ANSWER = 4, "no answer in time"
    CHANGES = 5, "the plan has changes (only with --exit-code)"
    DRIFTED = 6, "verified, but drifted since"
    UNKNOWN = 7, "verified, but nobody knows whether it has drifted since"
    WRONG_INPUT = 64, "wrong input: a command line, request or name that is not valid"
    INTERRUPTED = 130, "interrupted by Ctrl-C"


_VERDICTS = {
    Verdict.HEALTHY: ExitCode.DONE,
    Verdict.DRIFTED: ExitCode.DRIFTED,
    Verdict.UNKNOWN: ExitCode.UNKNOWN,
}


def of_verdict(verdict: Verdict) -> ExitCode:
    """What a drift check's verdict exits with."""
    return _VERDICTS[verdict]


def of_setup(setup: Setup, now: datetime) -> ExitCode:
    """What a setup exits with. Drift that was seen stays drift; that all was well is believed for a while."""
    if setup.status is Status.FAILED or _was_undone(setup):
        return ExitCode.FAILED
    if setup.status is Status.TORN_DOWN:
        return ExitCode.DONE
    if setup.status is not Status.VERIFIED:
        return ExitCode.UNFINISHED
    if setup.drift is not None and setup.drift.verdict is not Verdict.HEALTHY:
        return of_verdict(setup.drift.verdict)
    return ExitCode.UNKNOWN if freshness.is_stale(setup, now) else ExitCode.DONE


def _was_undone(setup: Setup) -> bool:
    """Whether the release was restored because its set-up had failed."""
    return (
        setup.status is Status.TORN_DOWN and setup.teardown is not None and setup.teardown.cause is not None
    )
