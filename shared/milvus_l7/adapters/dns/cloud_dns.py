"""Managed zones of Cloud DNS, over its REST API v1 with google-auth's session (docs/adr/0007).

    GET  managedZones/Z                  -> dnsName
    GET  managedZones/Z/rrsets?name=N    -> rrsets, nextPageToken
    POST managedZones/Z/changes          {additions, deletions}: atomic

status                                          error
403 for a rate or quota, 408, 409, 412, 429, 5xx  Transient(DNS_ZONE_UNAVAILABLE)
404 of a change (a deletion that is gone)       Transient(DNS_ZONE_UNAVAILABLE)
everything else                                 Permanent(DNS_ZONE_REFUSED)

A change that is answered with 408, 5xx or what cannot be read, or not at all after it was sent, may still be
made: `Unanswered`.
409 and 412 mean that the records changed after they were read; the next look reads them again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from milvus_l7.domain.dns.records import ChangeSet, RecordSet
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient, Unanswered
from milvus_l7.domain.text import bounded_json
from milvus_l7.domain.text.bounded_json import Limits
from milvus_l7.domain.text.excerpt import SHOWN_WORDS

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession

# `host:port` of an emulator, spoken to without TLS and credentials: the form of Google's own variables.
EMULATOR_HOST = "CLOUD_DNS_EMULATOR_HOST"
SCOPE = "https://www.googleapis.com/auth/ndev.clouddns.readwrite"
TRY_S = 10.0  # to connect, and between two reads
TOTAL_S = 20.0  # a new access token included
# The API takes no limit from its callers, and documents none; a change takes well below a second.
SERVER_S = 30.0
WRITE_MAY_TAKE_S = TOTAL_S + SERVER_S
LIMITS = Limits(size_bytes=4 * 1024 * 1024, depth=16, items=100_000)
MOST_PAGES = 20  # of the records at one name, which has a few

_PASSING = frozenset({408, 409, 412, 429})
_LIMITS = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"})


class CloudDnsZones:
    """Implements `DnsZones`; a zone is named `projects/P/managedZones/Z`.

    The session is made at the first call, with Application Default Credentials.
    """

    @cached_property
    def _session(self) -> AuthorizedSession:
        from google import auth
        from google.auth.credentials import AnonymousCredentials
        from google.auth.transport.requests import AuthorizedSession

        if os.environ.get(EMULATOR_HOST):
            return AuthorizedSession(AnonymousCredentials())  # type: ignore[no-untyped-call]
        credentials, _ = auth.default(scopes=[SCOPE])
        return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]

    def suffix(self, zone: str) -> str:
        """Return the domain that the zone is for, with a final dot. Raises as the port says."""
        return str(self._call("GET", zone).get("dnsName", ""))

    def records(self, zone: str, name: str) -> Sequence[RecordSet]:
        """Return all record sets at exactly that name. Raises as the port says."""
        found: list[RecordSet] = []
        query = {"name": name}
        for _ in range(MOST_PAGES):
            body = self._call("GET", f"{zone}/rrsets", params=query)
            found += [_record_set(each) for each in body.get("rrsets", ())]
            if not body.get("nextPageToken"):
                return found
            query = {"name": name, "pageToken": body["nextPageToken"]}
        message = f"Cloud DNS has more than {MOST_PAGES} pages of records at {name} in {zone}"
        raise Transient(Reason.DNS_ZONE_UNAVAILABLE, message)

    def change(self, zone: str, change: ChangeSet) -> None:
        """Make the change, all or nothing. Raises as the port says; a second call is refused."""
        additions, deletions = (
            [_json(each) for each in part] for part in (change.additions, change.deletions)
        )
        self._call("POST", f"{zone}/changes", json={"additions": additions, "deletions": deletions})

    def _call(self, method: str, path: str, **content: Any) -> Mapping[str, Any]:
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        emulator = os.environ.get(EMULATOR_HOST)
        root = f"http://{emulator}" if emulator else "https://dns.googleapis.com"
        try:
            response = self._session.request(  # type: ignore[no-untyped-call]
                method,
                f"{root}/dns/v1/{path}",
                timeout=TRY_S,
                max_allowed_time=TOTAL_S,
                allow_redirects=False,
                stream=True,
                **content,
            )
            body = bounded_json.loads(_content(response), LIMITS)
        except bounded_json.OutOfBounds as error:
            message = f"Cloud DNS' answer for {path}: {error}"
            raise (Unanswered if method == "POST" else Transient)(
                Reason.DNS_ZONE_UNAVAILABLE, message
            ) from None
        except (GoogleAuthError, RequestException, ValueError) as error:
            # The error's text may quote an identity provider's answer, so only its kind is told.
            message = f"Cloud DNS did not answer for {path}: {type(error).__name__}"
            is_lost = method == "POST" and _was_sent(error)
            raise (Unanswered if is_lost else Transient)(Reason.DNS_ZONE_UNAVAILABLE, message) from error
        if response.status_code == 200 and isinstance(body, dict):
            return body
        raise _error(method, path, response.status_code, body)


def _content(response: Any) -> bytes:
    """Return the body, or a little more of it than is looked at."""
    content = b""
    for part in response.iter_content(64 * 1024):
        content += part
        if len(content) > LIMITS.size_bytes:
            response.close()
            break
    return content


def _error(method: str, path: str, status: int, body: object) -> Permanent | Transient:
    error = body.get("error") if isinstance(body, dict) else None
    details = error if isinstance(error, dict) else {}
    reasons = {each.get("reason") for each in details.get("errors") or () if isinstance(each, dict)}
    words = f"Cloud DNS answered {status} for {path}: {details.get('message', '')!s:.{SHOWN_WORDS}}"
    if method == "POST" and (status == 408 or status >= 500 or 200 <= status < 300):
        return Unanswered(Reason.DNS_ZONE_UNAVAILABLE, words)
    passes = status in _PASSING or status >= 500 or status < 400
    if passes or (status == 403 and reasons & _LIMITS) or (status == 404 and method == "POST"):
        return Transient(Reason.DNS_ZONE_UNAVAILABLE, words)
    return Permanent(Reason.DNS_ZONE_REFUSED, words)


def _was_sent(error: Exception) -> bool:
    """Whether the request may have reached the API: not without a token, and not without a connection."""
    from requests import RequestException
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    reason = getattr(error.args[0], "reason", None) if error.args else None
    has_connected = not isinstance(reason, NewConnectionError | ConnectTimeoutError)
    # A `ValueError` is an answer that cannot be read.
    return isinstance(error, RequestException | ValueError) and has_connected


def _record_set(found: Mapping[str, Any]) -> RecordSet:
    return RecordSet(found["name"], found["type"], int(found.get("ttl", 0)), tuple(found.get("rrdatas", ())))


def _json(record: RecordSet) -> dict[str, Any]:
    return {"name": record.name, "type": record.type, "ttl": record.ttl_s, "rrdatas": list(record.values)}
