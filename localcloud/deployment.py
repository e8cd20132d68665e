"""What is deployed into the embedded cloud, as its owner describes it: the cloud itself knows no function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Deployment:
    """Functions with their topics, subscriptions and schedules, and how each function is packaged and set.

    Of `topology` these keys are read:

        environment    variables of every function
        functions      by name: `trigger` (topic), `also_triggered_by` (topics) and `announces` (topic), which
                       both may be absent, `identity` (account id)
        notices        topics that no function is triggered by
        subscriptions  `ack_deadline_s`, `minimum_backoff_s`, `maximum_backoff_s`, `dead_letter_topic`,
                       `max_delivery_attempts`
        schedules      by name: `topic`, `body`
    """

    topology: Mapping[str, Any]
    bundle: Callable[[str, Path], Path]  # (function, target) -> folder beneath the target, with its `main.py`
    settings: Callable[[str], Mapping[str, str]]  # DNS server (host:port) -> more variables of every function
