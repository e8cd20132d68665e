"""Finding the setup that a user names: by its id, or by the end of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import typer

from cli.client.backend import Backend, connect
from cli.errors import wrong_input
from shared.domain.checklist import excerpt
from shared.domain.setup import Setup, SetupId

PAGE = 200
PARTS = 5  # of an id: project, location, cluster, namespace, release
SHOWN = 10
PATIENCE_S = 3.0  # of a person who has pressed the tabulator key


def every(backend: Backend) -> Iterator[Setup]:
    """All setups in the order of their ids. A page that is not full need not be the last one."""
    after: SetupId | None = None
    while page := backend.setups.page(after, PAGE):
        yield from page
        after = page[-1].setup_id


def find(backend: Backend, name: str) -> Setup:
    """The setup of that id, or the only one whose last parts are `name`; `Complaint` if there is none."""
    exact = backend.setups.load(SetupId(name)) if name.count(".") >= PARTS - 1 else None
    if exact is not None:
        return exact.setup
    matching = [setup for setup in every(backend) if name in ends(setup)]
    if len(matching) == 1:
        return matching[0]
    if not matching:
        raise wrong_input(
            f"There is no setup {excerpt(name)} in project {backend.project}; "
            "`milvus-l7 status` lists those that there are."
        )
    ids = [setup.setup_id for setup in matching]
    more = [f"  and {len(ids) - SHOWN} more"] if len(ids) > SHOWN else []
    raise wrong_input(
        f"{excerpt(name)} can mean several setups; give more of the id:",
        *(f"  {each}" for each in ids[:SHOWN]),
        *more,
    )


def completions(context: typer.Context, incomplete: str) -> list[str]:
    """What the argument SETUP may become: ids, or ends of ids. Nothing on any error, and soon."""

    def ids() -> list[str]:
        backend = connect(context, context.params.get("project"))
        return [name for setup in every(backend) for name in (setup.setup_id, *ends(setup))]

    known = _soon(ids)
    whole = [each for each in known if each.count(".") >= PARTS - 1 and each.startswith(incomplete)]
    return whole or [each for each in dict.fromkeys(known) if each.startswith(incomplete)]


def ends(setup: Setup) -> list[str]:
    """What a user may call the setup, the shortest last. A release's name may itself have dots."""
    release, namespace = setup.desired.release, setup.desired.namespace
    _, _, _, location, _, cluster = setup.desired.cluster.split("/")
    parts = (location, cluster, namespace, release)
    return [".".join(parts[start:]) for start in range(len(parts))]


def _soon(ids: Callable[[], list[str]]) -> list[str]:
    """The ids, or none if they cannot be had or take too long."""
    found: list[str] = []

    def look() -> None:
        with suppress(Exception):  # a shell that completes must see nothing else
            found.extend(ids())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return list(found)
