"""An in-memory Pub/Sub that speaks the real protocol, pushes as the real one does, and can be made worse."""

from localcloud.pubsub.delivery import Delivery
from localcloud.pubsub.emulator import PubSubEmulator

__all__ = ["Delivery", "PubSubEmulator"]
