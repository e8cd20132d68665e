"""What Google and Kubernetes run in a GKE cluster, for the embedded one: one small module per controller."""

from localcloud.controllers.delays import Delays
from localcloud.controllers.ingress.quotas import Quotas
from localcloud.controllers.plane import ControlPlane, PublicServices
from localcloud.controllers.quirks import BAD_DAY, Quirks

__all__ = ["BAD_DAY", "ControlPlane", "Delays", "PublicServices", "Quirks", "Quotas"]
