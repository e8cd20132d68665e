"""Store what is about to be taken over from somebody, as it was found, before the first write to it."""

from __future__ import annotations

from dataclasses import replace

from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.facts import Adopted
from milvus_l7.ports import WriteAhead


def noted(setup: Setup, found: Adopted | None, ahead: WriteAhead) -> Setup:
    """Return the setup with the record of the object, which is stored; the same one if there is none."""
    if found is None:
        return setup
    facts = setup.facts.with_adopted(found)
    ahead.record(facts)
    return replace(setup, facts=facts)
