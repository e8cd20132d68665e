"""What the warnings of GKE's Ingress controllers mean.

Source of the texts: kubernetes/ingress-gce `pkg/controller`, `pkg/controller/errors`, `pkg/loadbalancers`,
and what its controller said over a fake Compute Engine; GoogleCloudPlatform/gke-managed-certs
`pkg/clients/event`; wordings of several releases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.text.excerpt import SHOWN_WORDS, excerpt, printable_line

# Wraps any error of the frontend, also when the load balancer is first made: the rest is the cause.
_MISLEADING = re.compile(r"^.*loadbalancer \S+ does not exist:\s*", re.DOTALL)
# Between the faults of one translation (kubernetes/ingress-gce `pkg/utils`, JoinErrs).
_BETWEEN = "; "
_BEFORE_THEM = "Translation failed: invalid ingress spec: "

# The first that fits counts. What heals by itself comes first, for Google calls some rate limits quotas; then
# quotas, whose errors are wrapped in the words of what could not be made.
_CAUSES: tuple[tuple[Reason, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        (
            Reason.INGRESS_SYNC_RETRYING,
            r"networkEndpointGroups\b.{0,200}\bnot found|rateLimitExceeded|resourceNotReady"
            r"|googleapi: Error (429|5\d\d)\b|context deadline exceeded|the object has been modified",
        ),
        (Reason.QUOTA_EXCEEDED, r"quota_?exceeded|\bquota\b.{0,80}\bexceeded|exceeded quota"),
        (Reason.MANAGED_CERTIFICATE_MISSING, r"^ManagedCertificate \S+ missing"),
        (
            Reason.BACKEND_CONFIG_INVALID,
            r"error getting BackendConfig|BackendConfig \S+ is not valid|BackendConfig annotation is invalid"
            r"|no BackendConfig's found in annotation|no BackendConfig for service port"
            r'|Protocol "[^"]*" is not valid|error ensuring health check: googleapi: Error 400',
        ),
        (
            Reason.BACKEND_NOT_HTTP2,
            r'could not parse "[^"]*app-protocols" annotation|invalid port application protocol',
        ),
        (Reason.NEG_MISSING, r'is type "ClusterIP", expected|NEG annotation is invalid'),
        (Reason.SERVICE_PORT_MISSING, r"could not find (service|port)\b"),
        (
            Reason.STATIC_IP_UNUSABLE,
            r"doesn't translate to an existing static IP|IP_IN_USE_BY_ANOTHER_RESOURCE"
            r"|both global-static-ip and regional-static-ip",
        ),
        (
            Reason.NO_FRONT_END,
            r"both HTTP and HTTPS are disabled|check your usage of the 'kubernetes\.io/ingress\.allow-http'",
        ),
        (Reason.PRE_SHARED_CERTIFICATE_MISSING, r"sslCertificates/\S+ was not found"),
        (
            Reason.TLS_ENTRY_WITHOUT_SECRET,
            r'secret "[^"]*" does not (exist|specify)|secrets "[^"]*" not found'
            r"|Could not find (any )?TLS certificate|Cert creation failures",
        ),
    )
)
_MISSING = re.compile(r"^ManagedCertificate (?P<namespace>[^\s:]+):(?P<name>\S+) missing")
_UNUSABLE = re.compile(r'\bsecrets? "(?P<name>[^"]+)" (?:does not (?:exist|specify)|not found|Error\b)')

_LONGEST_REASON = 40
_LONGEST_AGE = 20
_MOST_SHOWN = 4  # faults


@dataclass(frozen=True, slots=True)
class _Fault:
    reason: Reason | None
    words: str


def classified(event_reason: str, message: str, age: str = "") -> Condition:
    """Return the cause behind a Warning about an Ingress; of several, the first that somebody must mend.

    Its message has the controller's own words, in one bounded line, with how long ago it said them; each
    further fault is shown by its reason too.
    """
    faults = _faults(_line(message))
    mendable = [fault for fault in faults if fault.reason is not Reason.INGRESS_SYNC_RETRYING]
    first = (mendable or faults)[0]
    others = [fault for fault in faults if fault is not first]
    shown = printable_line(event_reason)[:_LONGEST_REASON] or "Warning"
    when = f" ({age[:_LONGEST_AGE]})" if age else ""
    return Condition(_told(first), f"{shown}{when}: {_joined(first, others)}")


def missing_certificate(message: str) -> str | None:
    """Return the ManagedCertificate that a MissingCertificate warning is about; None for other texts."""
    found = _MISSING.match(printable_line(message))
    return found["name"] if found else None


def unusable_secret(message: str) -> str | None:
    """Return the TLS Secret that a warning names, because it is gone or lacks an entry; else None.

    What Compute Engine refuses of a Secret is told without the Secret's name.
    """
    found = _UNUSABLE.search(printable_line(message))
    return found["name"] if found else None


def words(message: str) -> str:
    """Return the controller's own words in one bounded line, without what it wraps them in."""
    return _line(message)[:SHOWN_WORDS]


def _line(message: str) -> str:
    return printable_line(_MISLEADING.sub("", message))


def _told(fault: _Fault) -> Reason:
    return fault.reason or Reason.INGRESS_SYNC_FAILING


def _faults(line: str) -> Sequence[_Fault]:
    """Return the faults that one line tells, each once; there is always one."""
    return tuple({fault.words: fault for fault in _split(line)}.values())


def _split(line: str) -> Iterator[_Fault]:
    """Yield what is between the separators; a part that says no cause belongs to the one before."""
    pending: _Fault | None = None
    for part in line.split(_BETWEEN):
        cause = next((reason for reason, pattern in _CAUSES if pattern.search(part)), None)
        if pending is None:
            pending = _Fault(cause, part)
        elif cause is None or pending.reason is None:
            pending = _Fault(pending.reason or cause, f"{pending.words}{_BETWEEN}{part}")
        else:
            yield pending
            pending = _Fault(cause, part)
    yield pending or _Fault(None, line)


def _joined(first: _Fault, others: Sequence[_Fault]) -> str:
    """Return all faults in one bounded line."""
    if not others:
        return first.words[:SHOWN_WORDS]
    told = others[: _MOST_SHOWN - 1]
    labels = [f" | {_told(fault)}: " for fault in told]
    more = f" | {len(others) - len(told)} more" if len(others) > len(told) else ""
    room = SHOWN_WORDS - sum(map(len, labels)) - len(more)
    share = max(room // (len(told) + 1), 1)
    parts = [label + excerpt(fault.words, share) for label, fault in zip(labels, told, strict=True)]
    return excerpt(first.words.removeprefix(_BEFORE_THEM), share) + "".join(parts) + more
