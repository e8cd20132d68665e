"""The program around the commands: errors become sentences and exit codes, never tracebacks.

Complaint            its own lines and code
StateUnavailable     Firestore does not answer: 1
GoogleAuthError      no usable credentials: 1
usage errors         64 instead of click's 2, which here means "waits or runs"
Ctrl-C               130, quietly
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from cli.client.backend import PROJECT
from cli.errors import Complaint
from cli.exit_codes import ExitCode
from shared.domain.checklist import excerpt
from shared.domain.errors import StateUnavailable

CLICK_USAGE_ERROR = 2
FIRESTORE = "Firestore"  # begins what `shared.adapters.firestore` says when that does not answer


class Program(TyperGroup):
    """The group of all commands."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Parse the command line's beginning."""
        with _told():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with _told(ctx):
            return super().invoke(ctx)


@contextmanager
def _told(context: Any = None) -> Iterator[None]:
    try:
        yield
    except typer.TyperException as error:
        if getattr(error, "exit_code", None) == CLICK_USAGE_ERROR:
            error.exit_code = ExitCode.WRONG_INPUT
        raise
    except typer.Abort:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except Complaint as complaint:
        raise _end(complaint) from None
    except StateUnavailable as error:
        raise _end(_about_state(context, error)) from None
    except Exception as error:
        if not _is_about_credentials(error):
            raise
        raise _end(_unreachable(context, f"{type(error).__name__}: {error}")) from None


def _end(complaint: Complaint) -> typer.Exit:
    from cli.views import terminal

    console = terminal.err()
    for line in complaint.lines:
        terminal.say(console, line)
    return typer.Exit(complaint.code)


def _about_state(context: Any, error: StateUnavailable) -> Complaint:
    """Firestore did not answer, unless it is a document that cannot be read."""
    if str(error).startswith(FIRESTORE):
        return _unreachable(context, str(error))
    return Complaint(
        f"Cannot read the state ({excerpt(error, 300)}). Use the milvus-l7 of the release that is deployed."
    )


def _unreachable(context: Any, said: str) -> Complaint:
    project = context.meta.get(PROJECT) if context is not None else None
    return Complaint(
        f"Cannot reach Firestore in project {project} ({excerpt(said, 300)}). "
        "Check GOOGLE_CLOUD_PROJECT or --project, and `gcloud auth application-default login`."
    )


def _is_about_credentials(error: Exception) -> bool:
    """Whether google-auth raised it. It need not be imported to know: then it raised nothing."""
    module = sys.modules.get("google.auth.exceptions")
    return module is not None and isinstance(error, module.GoogleAuthError)
