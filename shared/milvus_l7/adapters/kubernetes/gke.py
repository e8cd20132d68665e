"""Where a cluster's API server is, from the GKE API."""

from __future__ import annotations

import base64
import binascii
import os
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient
from milvus_l7.ports import ClusterAccess

if TYPE_CHECKING:
    from google.cloud.container_v1 import ClusterManagerClient

# `host:port` of an emulator, spoken to without TLS: the form of Google's own emulator variables.
EMULATOR_HOST = "CONTAINER_EMULATOR_HOST"
KEPT_S = 600.0
TRY_S = 10.0
TOTAL_S = 20.0


class GkeClusters:
    """Implements `Clusters`; an answer is kept for ten minutes, as endpoints hardly ever change.

    `monotonic` gives seconds. The client is made at the first call, never before a fork.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._kept: dict[str, tuple[float, ClusterAccess]] = {}

    @cached_property
    def _client(self) -> ClusterManagerClient:
        from google.cloud.container_v1 import ClusterManagerClient

        emulator = os.environ.get(EMULATOR_HOST)
        if not emulator:
            return ClusterManagerClient()
        import grpc
        from google.cloud.container_v1.services.cluster_manager.transports import ClusterManagerGrpcTransport

        # `api_endpoint` alone would still speak TLS.
        return ClusterManagerClient(
            transport=ClusterManagerGrpcTransport(channel=grpc.insecure_channel(emulator))
        )

    def locate(self, cluster: str) -> ClusterAccess:
        """Return where the cluster `projects/P/locations/L/clusters/C` is. Raises as the port says."""
        kept = self._kept.get(cluster)
        if kept is not None and self._monotonic() - kept[0] < KEPT_S:
            return kept[1]
        access = _access(cluster, self._get(cluster))
        self._kept[cluster] = (self._monotonic(), access)
        return access

    def _get(self, cluster: str) -> Any:
        from google.api_core import exceptions, retry, timeout
        from google.auth.exceptions import GoogleAuthError

        passing = retry.if_exception_type(exceptions.DeadlineExceeded, exceptions.ServiceUnavailable)
        try:
            return self._client.get_cluster(
                name=cluster,
                retry=retry.Retry(passing, initial=0.2, maximum=2.0, timeout=TOTAL_S),
                timeout=timeout.ConstantTimeout(TRY_S),  # type: ignore[no-untyped-call]
            )
        except exceptions.NotFound:
            raise Permanent(Reason.CLUSTER_NOT_FOUND, f"the GKE API knows no cluster {cluster}") from None
        except (exceptions.PermissionDenied, exceptions.Unauthenticated) as error:
            message = f"the function's identity may not read {cluster}: {error.message!s:.200}"
            raise Permanent(Reason.CLUSTER_ACCESS_DENIED, message) from error
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            message = f"the GKE API did not describe {cluster}: {type(error).__name__}"
            raise Transient(Reason.CLUSTER_UNAVAILABLE, message) from error


def _access(path: str, cluster: Any) -> ClusterAccess:
    """Return the DNS endpoint where it is open to us, else the IP address.

    The former is reachable from everywhere, and authorised by IAM. Raises `Transient(CLUSTER_UNAVAILABLE)` if
    the cluster has neither yet.
    """
    dns = cluster.control_plane_endpoints_config.dns_endpoint_config
    if dns.endpoint and dns.allow_external_traffic:
        return ClusterAccess(f"https://{dns.endpoint}", None)
    try:
        ca_pem = base64.b64decode(cluster.master_auth.cluster_ca_certificate, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        ca_pem = ""
    if not cluster.endpoint or not ca_pem:
        # A cluster that is being created has neither.
        raise Transient(
            Reason.CLUSTER_UNAVAILABLE, f"{path} has no endpoint yet (state {cluster.status.name})"
        )
    return ClusterAccess(f"https://{cluster.endpoint}", ca_pem)
