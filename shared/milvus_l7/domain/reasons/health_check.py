"""Where Milvus answers health checks: what the load balancer asks, and what remedies name.

Milvus answers plain HTTP here, whatever its gRPC port does; with NEGs the port is the Pod's container port.
"""

from __future__ import annotations

PORT = 9091
PATH = "/healthz"
