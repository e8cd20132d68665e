"""Define the errors that end a command."""

from __future__ import annotations

from milvus_l7_cli.exit_codes import ExitCode


class CliError(Exception):
    """A command cannot go on. `lines` go to standard error: what was wrong, where, and what to do."""

    def __init__(self, *lines: str, code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(*lines)
        self.lines = lines
        self.code = code


def wrong_input(*lines: str) -> CliError:
    """Return the error for a command line, request or name that is not valid."""
    return CliError(*lines, code=ExitCode.WRONG_INPUT)


def paused(setup_id: str, consequence: str) -> CliError:
    """Return the error for a command that can do nothing for a paused setup."""
    return CliError(
        f"{setup_id} is paused, so {consequence}. "
        'Publish its request without "paused": milvus-l7 request -f FILE'
    )
