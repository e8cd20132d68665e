"""Request a drift check after a repair, whose own verdict is of before."""

from __future__ import annotations

from contextlib import suppress

from milvus_l7.domain.setup.document import Setup
from milvus_l7_cli import freshness
from milvus_l7_cli.client.backend import Backend, check_topic
from milvus_l7_cli.errors import CliError


class Recheck:
    """Requests one drift check after each run that leaves a setup with an older report."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._requested: set[tuple[int, int]] = set()

    def request(self, setup: Setup) -> None:
        """Request the check if a repair of the setup has ended and none was requested since.

        Without permission to publish there nothing happens: the scheduled check comes anyway, if later.
        """
        run = (setup.generation, setup.run)
        if not freshness.is_repaired_unchecked(setup) or run in self._requested:
            return
        self._requested.add(run)
        with suppress(CliError):
            self._backend.publish(check_topic(), {"setup_id": setup.setup_id})
