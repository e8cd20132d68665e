"""Turn errors into one sentence and an exit code, never a traceback.

CliError            its own lines and code
StateUnavailable     Firestore does not answer: 1
GoogleAuthError      no usable credentials: 1
usage errors         64 instead of click's 2, which means "waits or runs" here
Ctrl-C               130, quietly
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from milvus_l7.domain.reasons.errors import StateUnavailable
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli.client.backend import PROJECT
from milvus_l7_cli.errors import CliError
from milvus_l7_cli.exit_codes import ExitCode

CLICK_USAGE_ERROR = 2
FIRESTORE = "Firestore"  # prefix of the error of `adapters.setup.firestore` when Firestore does not answer


class Program(TyperGroup):
    """Group of all commands."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Parse the options before the command."""
        with _errors_as_exit_codes():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _errors_as_exit_codes(ctx):
            return super().invoke(ctx)


@contextmanager
def _errors_as_exit_codes(context: Any = None) -> Iterator[None]:
    try:
        yield
    except typer.TyperException as error:
        if getattr(error, "exit_code", None) == CLICK_USAGE_ERROR:
            error.exit_code = ExitCode.WRONG_INPUT
        raise
    except typer.Abort:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except CliError as error:
        raise _end(error) from None
    except StateUnavailable as error:
        raise _end(_about_state(context, error)) from None
    except Exception as error:
        if not _is_about_credentials(error):
            raise
        raise _end(_unreachable(context, f"{type(error).__name__}: {error}")) from None


def _end(error: CliError) -> typer.Exit:
    from milvus_l7_cli.views import terminal

    console = terminal.err()
    for line in error.lines:
        terminal.say(console, line)
    return typer.Exit(error.code)


def _about_state(context: Any, error: StateUnavailable) -> CliError:
    """Tell a Firestore that does not answer from a document that this release cannot read."""
    if str(error).startswith(FIRESTORE):
        return _unreachable(context, str(error))
    return CliError(
        f"Cannot read the state ({excerpt(error, 300)}). "
        "Use the milvus-l7 command line of the deployed release."
    )


def _unreachable(context: Any, said: str) -> CliError:
    project = context.meta.get(PROJECT) if context is not None else None
    return CliError(
        f"Cannot reach Firestore in project {project} ({excerpt(said, 300)}). "
        "Check GOOGLE_CLOUD_PROJECT or --project, and `gcloud auth application-default login`."
    )


def _is_about_credentials(error: Exception) -> bool:
    """Return whether google-auth raised the error. While it is not imported, it cannot have."""
    module = sys.modules.get("google.auth.exceptions")
    return module is not None and isinstance(error, module.GoogleAuthError)
