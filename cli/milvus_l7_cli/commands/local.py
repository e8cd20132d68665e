"""Run the embedded cloud, in a process that replaces this one: `milvus-l7 local`.

It is in the repository only; a command that was installed from a wheel says so.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from milvus_l7_cli.errors import CliError

CHECKOUT = Path(__file__).parents[3]
OF_THE_REPOSITORY = ("localcloud", "demo")  # folders
OF_THE_REGISTRY = ("milvus", "envoy")  # packages

app = typer.Typer(no_args_is_help=True, help="Run the whole job on this machine, with Google Cloud emulated.")


class CertificateKind(StrEnum):
    """Issuer of the demo's certificate."""

    SELF_MANAGED = "self-managed"
    GOOGLE_MANAGED = "google-managed"


@app.command()
def up() -> None:
    """Run the embedded cloud, with a Milvus release in it, until Ctrl-C; print how to reach it."""
    _replace_process(["demo.up"])


@app.command()
def demo(
    certificate: Annotated[
        CertificateKind, typer.Option(help="Who issues the certificate.")
    ] = CertificateKind.SELF_MANAGED,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cloud running until Ctrl-C.")] = False,
    real_time: Annotated[bool, typer.Option("--real-time", help="Wait as long as on Google Cloud.")] = False,
) -> None:
    """Put a real Milvus behind a Layer-7 load balancer, on this machine."""
    _replace_process(demo_arguments(certificate, keep=keep, real_time=real_time))


def demo_arguments(certificate: CertificateKind, *, keep: bool, real_time: bool) -> list[str]:
    """Return module and options of the demo."""
    switches = {"--keep": keep, "--real-time": real_time}
    chosen = [name for name, is_wanted in switches.items() if is_wanted]
    return ["demo", "--certificate", str(certificate), *chosen]


def require_embedded_cloud(checkout: Path = CHECKOUT) -> None:
    """Raise `CliError` if the folder is no checkout, or a package that the embedded cloud runs is missing."""
    if not all((checkout / name).is_dir() for name in OF_THE_REPOSITORY):
        raise CliError(
            "The embedded cloud is not part of the installed command: it is in milvus-l7's repository.",
            "Clone that, and run `make demo` there.",
        )
    missing = [name for name in OF_THE_REGISTRY if find_spec(name) is None]
    if missing:
        raise CliError(f"The embedded cloud needs {', '.join(missing)}: run `make install` in {checkout}.")


def _replace_process(module_and_options: list[str]) -> NoReturn:
    """Become `python -m MODULE`, which then handles signals and cleans up itself."""
    require_embedded_cloud()
    os.chdir(CHECKOUT)  # where `-m` finds what is not installed
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", *module_and_options])  # noqa: S606
