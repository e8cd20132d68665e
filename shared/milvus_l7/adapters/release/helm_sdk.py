"""Helm 4's own Go SDK (package `helm-python-sdk`): its connection to a cluster, and what its errors mean.

Helm is told the cluster explicitly; no kubeconfig of the machine is read.
"""

from __future__ import annotations

import ctypes
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient, Unanswered
from milvus_l7.ports import ClusterAccess

if TYPE_CHECKING:
    import helm_python
    from helm_python import Config

# Requests in a row, and a second. Helm reads the API's description first, which client-go's default of five
# requests a second stretches to a second and more.
BURST = 100
MESSAGE_LENGTH = 300
# How Go's template engine begins (golang/go `text/template`, exec.go and parse.go), and
# Helm about what a template made; it has no class for them.
_TEMPLATE_ERROR = re.compile(r'executing "|execution error at|parse error (?:at|on)|template:')
# How client-go words the status codes 401 and 403.
_DENIED = re.compile(r"is forbidden|Unauthorized|asked for the client to provide credentials")


@cache
def sdk() -> Any:
    """The package `helm_python`, loaded so that Helm writes as the field manager `helm`.

    Helm takes the program's name for its field manager (helm/helm `pkg/kube`, getManagedFieldsManager). A
    release that the helm command installed would conflict with any other name, and a later `helm upgrade`
    with ours. Go reads the name when the library is loaded and keeps pointing at it, so it is overwritten
    in place, before.
    """
    name = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "program_invocation_name").value
    if name and len(ctypes.string_at(name)) >= len("helm"):
        ctypes.memmove(name, b"helm\0", len("helm") + 1)
    import helm_python

    return helm_python


@dataclass(frozen=True, slots=True)
class Session:
    """Whom Helm is to be in which namespace of which cluster."""

    access: ClusterAccess
    token: str
    namespace: str

    @contextmanager
    def connected(self) -> Iterator[Config]:
        """Give Helm's configuration for the block."""
        config = sdk().Config(
            kubeconfig_content=_kubeconfig(self.access),
            kube_token=self.token,
            namespace=self.namespace,
            storage_driver="secret",
            burst_limit=BURST,
            qps=BURST,
        )
        with config as helm:
            yield helm


def _kubeconfig(access: ClusterAccess) -> str:
    """Where the cluster is. The token is not in it: Helm writes this to a temporary file."""
    cluster = {"server": access.server}
    if access.ca_pem:
        cluster["certificate-authority-data"] = b64encode(access.ca_pem.encode()).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    return json.dumps(content)


@contextmanager
def translated(name: str, *, is_write: bool) -> Iterator[None]:
    """Raise what Helm's errors about the release mean, within the block."""
    try:
        yield
    except sdk().HelmError as error:
        _raise(name, error, Unanswered if is_write else Transient)


def _raise(name: str, error: helm_python.HelmError, silence: type[Transient]) -> NoReturn:
    """Helm's errors are told apart by class where they have one, else by Kubernetes' and Helm's words."""
    helm, said = sdk(), words(error)
    message = f"release {name}: {said}"
    stored_chart = (helm.HelmRenderError, helm.HelmValuesError, helm.HelmChartInvalidError)
    if isinstance(error, stored_chart) or _TEMPLATE_ERROR.search(said):
        raise Permanent(Reason.UPGRADE_NOT_CONTAINED, message) from None
    if _DENIED.search(said):
        raise Permanent(Reason.CLUSTER_ACCESS_DENIED, message) from None
    if isinstance(error, helm.HelmKubeError):
        raise silence(Reason.CLUSTER_UNAVAILABLE, message) from None
    if "another operation" in said:
        raise Transient(Reason.RELEASE_BUSY, message) from None
    if "Apply failed with" in said and "conflict" in said:
        raise Permanent(Reason.FIELD_CONFLICT, message) from None
    # Helm's word for a request that was not answered, too.
    raise silence(Reason.HELM_FAILED, message) from None


def words(error: Exception) -> str:
    """Return what the error says, in one line of bounded length."""
    return " ".join(str(error).split())[:MESSAGE_LENGTH] or type(error).__name__
