"""What Google and Kubernetes run in a GKE cluster, for the embedded one: one small module per controller."""

from localcloud.controllers.delays import Delays
from localcloud.controllers.ingress.quotas import Quotas
from localcloud.controllers.plane import ControlPlane, PublicServices

__all__ = ["ControlPlane", "Delays", "PublicServices", "Quotas"]
