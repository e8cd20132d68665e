"""What the warnings of GKE's Ingress controllers mean.

Source of the texts: kubernetes/ingress-gce `pkg/controller/errors`, `pkg/controller/translator`,
`pkg/loadbalancers`, GoogleCloudPlatform/gke-managed-certs `pkg/clients/event`; wordings of several releases.
"""

from __future__ import annotations

import re

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.condition import Condition
from milvus_l7.domain.text.excerpt import SHOWN_WORDS, printable_line

# Wraps any error of the frontend, also when the load balancer is first made: the rest is the cause.
_MISLEADING = re.compile(r"^.*loadbalancer \S+ does not exist:\s*", re.DOTALL)

# The first that fits counts. Quota comes first: its error is wrapped in the words of what could not be made.
_CAUSES: tuple[tuple[Reason, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        (Reason.QUOTA_EXCEEDED, r"quota_?exceeded|\bquota\b.{0,80}\bexceeded|exceeded quota"),
        (Reason.MANAGED_CERTIFICATE_MISSING, r"^ManagedCertificate \S+ missing"),
        (
            Reason.BACKEND_CONFIG_INVALID,
            r"error getting BackendConfig|BackendConfig \S+ is not valid|BackendConfig annotation is invalid"
            r"|no BackendConfig's found in annotation|no BackendConfig for service port",
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
        (
            Reason.TLS_ENTRY_WITHOUT_SECRET,
            r'secret "[^"]*" does not (exist|specify)|secrets "[^"]*" not found'
            r"|Could not find TLS certificate|Cert creation failures",
        ),
    )
)
_MISSING = re.compile(r"^ManagedCertificate (?P<namespace>[^\s:]+):(?P<name>\S+) missing")
_UNUSABLE = re.compile(r'\bsecrets? "(?P<name>[^"]+)" (?:does not (?:exist|specify)|not found|Error\b)')


def classified(event_reason: str, message: str) -> Condition:
    """Return the cause behind a Warning about an Ingress.

    Its message has the controller's own words, in one bounded line.
    """
    line = words(message)
    cause = next((reason for reason, pattern in _CAUSES if pattern.search(line)), None)
    shown = f"{printable_line(event_reason)[:40] or 'Warning'}: {line}"
    return Condition(cause or Reason.INGRESS_SYNC_FAILING, shown)


def missing_certificate(message: str) -> str | None:
    """Return the ManagedCertificate that a MissingCertificate warning is about; None for other texts."""
    found = _MISSING.match(printable_line(message))
    return found["name"] if found else None


def unusable_secret(message: str) -> str | None:
    """Return the TLS Secret that a warning is about, because it is gone or holds no pair; else None."""
    found = _UNUSABLE.search(printable_line(message))
    return found["name"] if found else None


def words(message: str) -> str:
    """Return the controller's own words in one bounded line, without what it wraps them in."""
    return printable_line(_MISLEADING.sub("", message))[:SHOWN_WORDS]
