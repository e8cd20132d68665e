"""What a command tells instead of doing its work."""

from __future__ import annotations

from cli.exit_codes import ExitCode


class Complaint(Exception):
    """Ends a command. `lines` are for standard error: what was wrong, where, and what to do."""

    def __init__(self, *lines: str, code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(*lines)
        self.lines = lines
        self.code = code


def wrong_input(*lines: str) -> Complaint:
    """The user has asked for something that cannot be meant."""
    return Complaint(*lines, code=ExitCode.WRONG_INPUT)
