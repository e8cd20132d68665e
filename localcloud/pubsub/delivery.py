"""How messages are delivered: production's retry policy, and how much worse than usual a test wants it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

# Without a retry policy Pub/Sub redelivers as soon as possible, at a rate that adapts to failures. A fixed
# pause stands for that: without it a missing endpoint would be called in a busy loop.
_ASAP_S = 0.1
# What RetryPolicy says of its unset fields (google/pubsub/v1/pubsub.proto).
_DEFAULT_MINIMUM_S = 10.0
_DEFAULT_MAXIMUM_S = 600.0
# A shuffled message is held back for up to that long, so that later ones overtake it.
_SHUFFLE_S = 0.25


@dataclass(frozen=True, slots=True)
class Delivery:
    """The weather: what Pub/Sub is allowed to do, and rarely does.

    `copies`: how often each message is delivered, whatever is acknowledged. `shuffle`: a seeded source of
    random delays, and so of order. `backoff_scale`: a factor on every pause before a redelivery.
    """

    copies: int = 1
    shuffle: random.Random | None = None
    backoff_scale: float = 1.0

    def first_delay_s(self) -> float:
        """Return how long a new message is held back."""
        return self.shuffle.uniform(0, _SHUFFLE_S) if self.shuffle else 0.0

    def retry_delay_s(self, subscription: Any, attempts: int) -> float:
        """Return the pause before a message is delivered again after `attempts` failed deliveries."""
        if not subscription.HasField("retry_policy"):
            return _ASAP_S * self.backoff_scale
        policy = subscription.retry_policy
        minimum = (
            seconds(policy.minimum_backoff) if policy.HasField("minimum_backoff") else _DEFAULT_MINIMUM_S
        )
        maximum = (
            seconds(policy.maximum_backoff) if policy.HasField("maximum_backoff") else _DEFAULT_MAXIMUM_S
        )
        # The exponent is bounded only to keep the power finite; the maximum is reached long before.
        return float(min(maximum, minimum * 2.0 ** min(attempts - 1, 32)) * self.backoff_scale)


def seconds(duration: Any) -> float:
    """Return a protobuf Duration in seconds."""
    return float(duration.seconds) + float(duration.nanos) / 1e9
