"""Public DNS in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.errors import Transient
from shared.domain.reasons import Reason
from shared.ports import Resolved


@dataclass
class FakeResolver:
    """Knows the names it was given; with `is_down` it answers nothing."""

    known: Mapping[str, Resolved] = field(default_factory=dict)
    is_down: bool = False

    def resolve(self, domain: str) -> Resolved:
        if self.is_down:
            raise Transient(Reason.DNS_MISMATCH, f"{domain} could not be looked up")
        return self.known.get(domain, Resolved())
