"""Helm 4's own Go SDK (package `helm-python-sdk`): its connection to a cluster, and what its errors mean.

Helm is told the cluster explicitly; no kubeconfig of the machine is read.
"""

from __future__ import annotations

import ctypes
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, L7Error, Permanent, Transient, Unanswered

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
_FAILED = re.compile(r"execution error at \((?P<where>[^():]{1,200}:\d+:\d+)\)")


class Seen(Protocol):
    """What became of Helm's requests."""

    refusal: Transient | Permanent | None
    denied: list[str]
    lost: list[L7Error]
    has_written: bool
    in_flight: int  # writes whose answer has not come


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
    """Where Helm reaches which namespace of a cluster: through a gateway, which has the right to."""

    url: str
    namespace: str

    @contextmanager
    def connected(self) -> Iterator[Config]:
        """Give Helm's configuration for the block."""
        config = sdk().Config(
            kubeconfig_content=_kubeconfig(self.url),
            namespace=self.namespace,
            storage_driver="secret",
            burst_limit=BURST,
            qps=BURST,
        )
        with config as helm:
            yield helm


def _kubeconfig(url: str) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    return json.dumps(content)


@contextmanager
def translated(name: str, seen: Seen) -> Iterator[None]:
    """Raise what Helm's errors mean, within the block; `seen` is what became of its requests.

    Once something has been written, all is Transient: what was begun is taken back before it is judged again.
    """
    try:
        yield
    except sdk().HelmError as error:
        meaning = _meaning(name, error, seen)
        if seen.in_flight:
            meaning = Unanswered(Reason.HELM_FAILED, f"release {name}: {words(error)}")
        if seen.has_written and isinstance(meaning, Permanent | Conflict):
            meaning = Transient(Reason.HELM_FAILED, f"release {name}: {meaning.message}")
        raise meaning from None


def _meaning(name: str, error: helm_python.HelmError, seen: Seen) -> L7Error:
    """What was refused, denied or lost on the way tells more than Helm's words, which are read at last."""
    denied = [Permanent(Reason.CLUSTER_ACCESS_DENIED, each) for each in seen.denied]
    unanswered = [each for each in seen.lost if isinstance(each, Unanswered)]
    told = [*unanswered, *filter(None, [seen.refusal]), *denied, *seen.lost]
    return told[0] if told else _words_meaning(name, error)


def _words_meaning(name: str, error: helm_python.HelmError) -> L7Error:
    helm, said = sdk(), words(error)
    stored_chart = (helm.HelmRenderError, helm.HelmValuesError, helm.HelmChartInvalidError)
    if isinstance(error, stored_chart) or _TEMPLATE_ERROR.search(said):
        return Permanent(Reason.UPGRADE_NOT_CONTAINED, f"release {name}: {_where(said)}")
    message = f"release {name}: {said}"
    if isinstance(error, helm.HelmKubeError):
        return Transient(Reason.CLUSTER_UNAVAILABLE, message)
    if "another operation" in said:
        return Transient(Reason.RELEASE_BUSY, message)
    return Transient(Reason.HELM_FAILED, message)


def _where(said: str) -> str:
    """Return a template's error without what the template itself made of it, which may be anything.

    The function `fail` says `execution error at (<template>:<line>:<column>): <what the template says>`.
    """
    found = _FAILED.search(said)
    return f"the chart's own check at {found[1]} failed" if found else said


def words(error: Exception) -> str:
    """Return what the error says, in one line of bounded length."""
    return " ".join(str(error).split())[:MESSAGE_LENGTH] or type(error).__name__
