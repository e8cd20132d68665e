"""What a stage is to the engine: something that works on a setup at a moment, and says what it found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.setup.outcome import Outcome

StageWork = Callable[[Setup, datetime], Outcome]
