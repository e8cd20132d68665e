"""What the Kubernetes API answered: the object, or which of our errors it means.

status                         error
409 with field conflicts       Permanent(FIELD_CONFLICT)
a webhook without dry runs     Permanent(DRY_RUN_UNSUPPORTED)
409                            Conflict(CLUSTER_UNAVAILABLE)
401, 403                       Permanent(CLUSTER_ACCESS_DENIED)
410, 429                       Transient(CLUSTER_UNAVAILABLE)
408, 5xx                       Transient(CLUSTER_UNAVAILABLE), of a write Unanswered
2xx that is not an object      Transient(CLUSTER_UNAVAILABLE), of a write Unanswered
everything else                Permanent(REFUSED_BY_CLUSTER)

A time-out at the API server (504), or between it and etcd (500), or at a proxy on the way (502, 503) leaves
the write going on: k8s.io/apiserver `pkg/endpoints/handlers/finisher`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from milvus_l7.domain.kubernetes.difference import CONFIDENTIAL
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Conflict, L7Error, Permanent, Transient, Unanswered
from milvus_l7.domain.text.excerpt import SHOWN_WORDS, excerpt

_NOT_NOW = frozenset({410, 429})
# k8s.io/apiserver `pkg/admission/plugin/webhook/errors`, NewDryRunUnsupportedErr
_NO_DRY_RUN = "does not support dry run"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: an object, a list or a `Status`; `body` is {} if it was no JSON object."""

    status: int
    body: Mapping[str, Any]
    size_bytes: int = 0  # about what it takes in memory

    @property
    def is_success(self) -> bool:
        """Return whether the request was done, and what it returned can be read."""
        return 200 <= self.status < 300 and "kind" in self.body

    @property
    def details(self) -> Mapping[str, Any]:
        """Return the `Status` details, {} if there are none."""
        return self.body.get("details") or {}

    @property
    def says_exists(self) -> bool:
        """Return whether a create was refused because the name is taken."""
        return self.status == 409 and self.body.get("reason") == "AlreadyExists"

    @property
    def conflicts(self) -> list[str]:
        """Return the fields that a server-side apply may not change, each with its manager."""
        causes = self.details.get("causes") or []
        clashes = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
        return [f"{cause.get('field')}: {cause.get('message')}" for cause in clashes]

    @property
    def is_inconclusive(self) -> bool:
        """Whether the answer does not tell what became of the request."""
        return self.status == 408 or self.status >= 500 or 200 <= self.status < 300

    def says_missing(self, name: str) -> bool:
        """Return whether exactly this object is missing; a missing kind or route is another 404."""
        return self.status == 404 and self.details.get("name") == name


def content(answer: Answer, kind: str, *, is_write: bool = False) -> Mapping[str, Any]:
    """Return the object or list in the answer; raises what the answer means otherwise (see the module)."""
    if answer.is_success:
        return answer.body
    raise failure(answer, kind, Unanswered if is_write else Transient)


def failure(answer: Answer, kind: str, inconclusive: type[Transient] = Transient) -> L7Error:
    """Return the error that the answer means (see the module), for `raise`."""
    said = words(answer, kind)
    if answer.conflicts:
        return Permanent(Reason.FIELD_CONFLICT, f"{kind}: {'; '.join(answer.conflicts)}"[:SHOWN_WORDS])
    if answer.status == 409:
        return Conflict(Reason.CLUSTER_UNAVAILABLE, said)
    if answer.is_inconclusive:
        return inconclusive(Reason.CLUSTER_UNAVAILABLE, said)
    if answer.status in _NOT_NOW:
        return Transient(Reason.CLUSTER_UNAVAILABLE, said)
    return Permanent(_refusal(answer), said)


def _refusal(answer: Answer) -> Reason:
    if answer.status in (401, 403):
        return Reason.CLUSTER_ACCESS_DENIED
    if _NO_DRY_RUN in str(answer.body.get("message")):
        return Reason.DRY_RUN_UNSUPPORTED
    return Reason.REFUSED_BY_CLUSTER


def words(answer: Answer, kind: str) -> str:
    """Return the API server's own words; of what may be a credential only the kind of error, and the fields.

    The words may quote values of a Secret or ConfigMap, unless they are about rights or the way to a webhook.
    """
    message = str(answer.body.get("message") or "")
    # Such a message names the identity and what it may not do, or a webhook; no values.
    is_harmless = " is forbidden: User " in message or _NO_DRY_RUN in message
    said = message if kind not in CONFIDENTIAL or is_harmless else _without_values(answer)
    if not answer.body and answer.status == 404:
        said = "the cluster serves no such kind"
    told = f"the Kubernetes API answered {answer.status} for a {kind}: {said or 'no explanation'}"
    return told[:SHOWN_WORDS]


def _without_values(answer: Answer) -> str:
    fields = [excerpt(cause.get("field") or "", 80) for cause in answer.details.get("causes") or []]
    reason = str(answer.body.get("reason") or "")
    return f"{reason} ({', '.join(fields)})" if any(fields) else reason
