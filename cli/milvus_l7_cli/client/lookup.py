"""Find the setup that a user names by its id, or by the last parts of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import typer

from milvus_l7.domain.request.registration import is_tombstone
from milvus_l7.domain.setup.desired import SetupId
from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.text.excerpt import excerpt
from milvus_l7_cli.client.backend import Backend, connect
from milvus_l7_cli.errors import wrong_input

PAGE = 200
PARTS = 5  # of an id: project, location, cluster, namespace, release
SHOWN = 10
COMPLETION_TIMEOUT_S = 3.0  # for which the shell may be held up


def all_setups(backend: Backend) -> Iterator[Setup]:
    """Yield all setups in the order of their ids. A page that is not full need not be the last one.

    What only remembers the tear-down of an unknown setup is none.
    """
    after: SetupId | None = None
    while page := backend.setups.page(after, PAGE):
        yield from (setup for setup in page if not is_tombstone(setup))
        after = page[-1].setup_id


def find(backend: Backend, name: str) -> Setup:
    """Return the setup of that id, or the only one whose last parts are `name`. Raises `CliError`."""
    exact = backend.setups.load(SetupId(name)) if name.count(".") >= PARTS - 1 else None
    if exact is not None and not is_tombstone(exact.setup):
        return exact.setup
    matching = [setup for setup in all_setups(backend) if name in short_names(setup)]
    if len(matching) == 1:
        return matching[0]
    if not matching:
        raise wrong_input(
            f"There is no setup {excerpt(name)} in project {backend.project}; "
            "`milvus-l7 status` lists the setups."
        )
    ids = [setup.setup_id for setup in matching]
    more = [f"  and {len(ids) - SHOWN} more"] if len(ids) > SHOWN else []
    raise wrong_input(
        f"{excerpt(name)} is ambiguous; give more of the id:",
        *(f"  {each}" for each in ids[:SHOWN]),
        *more,
    )


def completions(context: typer.Context, incomplete: str) -> list[str]:
    """Return completions of the argument SETUP: ids, or short names. An error or a time-out gives none."""

    def ids() -> list[str]:
        backend = connect(context, context.params.get("project"))
        return [name for setup in all_setups(backend) for name in (setup.setup_id, *short_names(setup))]

    known = _before_timeout(ids)
    whole = [each for each in known if each.count(".") >= PARTS - 1 and each.startswith(incomplete)]
    return whole or [each for each in dict.fromkeys(known) if each.startswith(incomplete)]


def short_names(setup: Setup) -> list[str]:
    """Return the short names of the setup, the shortest last. A release's name may itself have dots."""
    release, namespace = setup.desired.release, setup.desired.namespace
    _, _, _, location, _, cluster = setup.desired.cluster.split("/")
    parts = (location, cluster, namespace, release)
    return [".".join(parts[start:]) for start in range(len(parts))]


def _before_timeout(ids: Callable[[], list[str]]) -> list[str]:
    """Return the ids, or none if they cannot be read or take too long."""
    found: list[str] = []

    def read() -> None:
        with suppress(Exception):  # nothing but completions may reach the shell
            found.extend(ids())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(COMPLETION_TIMEOUT_S)
    return list(found)
