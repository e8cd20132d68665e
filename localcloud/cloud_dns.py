"""Emulates a part of the Cloud DNS API v1: zones, record sets, changes.

Semantics: cloud.google.com/dns/docs/reference/v1. A change is atomic: what it deletes must be there exactly
as given (404, 412), what it adds must not be there (409), nor fall out of the zone or meet a CNAME (400).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from localcloud.gates import Call, Gates
from localcloud.http_server import Handler, HttpServer

RecordSets = dict[tuple[str, str], dict[str, Any]]  # by name and type
Publish = Callable[[str, Mapping[str, Sequence[str]]], None]

_PATH = re.compile(r"/dns/v1/(projects/[^/]+/managedZones/[^/]+)(?:/(rrsets|changes))?")


class Refused(Exception):
    """Ends a call with an error of the API."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "error": {
                "code": status,
                "message": message,
                "errors": [{"message": message, "domain": "global", "reason": reason}],
            }
        }


class CloudDnsEmulator(HttpServer):
    """Serves `zones`, full name -> DNS name (`example.org.`), at the `address` for CLOUD_DNS_EMULATOR_HOST.

    All records of a name that changed are handed to `publish` (for example `Zone.set_records`). `page_size`
    record sets are listed at a time.
    """

    def __init__(self, zones: Mapping[str, str], publish: Publish, gates: Gates | None = None) -> None:
        self._zones: dict[str, tuple[str, RecordSets]] = {
            name: (suffix, {}) for name, suffix in zones.items()
        }
        self._publish = publish
        self._gates = gates or Gates()
        self._lock = threading.Lock()
        self._changes = 0
        self.page_size = 100
        super().__init__(_Handler, "cloud-dns")

    @property
    def changes(self) -> int:
        """Return how many changes were made."""
        return self._changes

    def add(self, zone: str, record: Mapping[str, Any]) -> None:
        """Add a record set (`{"name", "type", "ttl", "rrdatas"}`), as somebody else would."""
        self._change(zone, {"additions": [record]})

    def answer(self, method: str, target: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request. Raises `Refused`."""
        parts = urlsplit(target)
        self._gates.pass_through(Call("dns", method, parts.path))
        match = _PATH.fullmatch(parts.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        match (method, match and match[2]):
            case ("GET", None) if match:
                return {"kind": "dns#managedZone", "dnsName": self._zone(match[1])[0]}
            case ("GET", "rrsets") if match:
                return self._list(match[1], query)
            case ("POST", "changes") if match:
                return self._change(match[1], body)
        raise Refused(404, "notFound", "Not Found")

    def _zone(self, name: str) -> tuple[str, RecordSets]:
        if name not in self._zones:
            short = name.rsplit("/", 1)[-1]
            message = f"The 'parameters.managedZone' resource named '{short}' does not exist."
            raise Refused(404, "notFound", message)
        return self._zones[name]

    def _list(self, zone: str, query: Mapping[str, str]) -> dict[str, Any]:
        if "type" in query and "name" not in query:
            raise Refused(400, "required", "Required parameter is missing: name")
        _, records = self._zone(zone)
        with self._lock:
            found = [
                record
                for (name, kind), record in sorted(records.items())
                if query.get("name", name) == name and query.get("type", kind) == kind
            ]
        start = int(query.get("pageToken", "0"))
        page = {"kind": "dns#resourceRecordSetsListResponse", "rrsets": found[start : start + self.page_size]}
        end = start + self.page_size
        return page | ({"nextPageToken": str(end)} if end < len(found) else {})

    def _change(self, zone: str, body: Mapping[str, Any]) -> dict[str, Any]:
        suffix, records = self._zone(zone)
        deletions, additions = (list(body.get(part) or ()) for part in ("deletions", "additions"))
        if not deletions and not additions:
            raise Refused(400, "required", "The 'entity.change' parameter is required but was missing.")
        with self._lock:
            left = dict(records)
            for number, record in enumerate(deletions):
                _delete(left, record, f"entity.change.deletions[{number}]")
            for number, record in enumerate(additions):
                _add(left, record, suffix, f"entity.change.additions[{number}]")
            records.clear()
            records.update(left)
            self._changes += 1
            for name in {record["name"] for record in (*deletions, *additions)}:
                values = {kind: record["rrdatas"] for (at, kind), record in left.items() if at == name}
                self._publish(name, values)
            number = self._changes
        return {"kind": "dns#change", "id": str(number), "status": "pending"}


def _delete(records: RecordSets, record: Mapping[str, Any], where: str) -> None:
    key = (record["name"], record["type"])
    if key not in records:
        message = f"The '{where}' resource named '{key[0]} ({key[1]})' does not exist."
        raise Refused(404, "notFound", message)
    if _content(records[key]) != _content(record):
        raise Refused(412, "conditionNotMet", f"Precondition not met for '{where}'")
    del records[key]


def _add(records: RecordSets, record: Mapping[str, Any], suffix: str, where: str) -> None:
    name, kind = record["name"], record["type"]
    if not f".{name}".endswith(f".{suffix}") or not record.get("rrdatas"):
        raise Refused(400, "invalid", f"Invalid value for '{where}.name': '{name}'")
    if (name, kind) in records:
        message = f"The resource '{where}' named '{name} ({kind})' already exists"
        raise Refused(409, "alreadyExists", message)
    others = {other for at, other in records if at == name}
    if others and "CNAME" in {kind, *others}:
        message = (
            f"The resource record set '{where}' is invalid because the DNS name '{name}' may have either one "
            "CNAME resource record set or resource record sets of other types, but not both."
        )
        raise Refused(400, "cnameResourceRecordSetConflict", message)
    records[name, kind] = {"kind": "dns#resourceRecordSet", **record}


def _content(record: Mapping[str, Any]) -> tuple[Any, list[str]]:
    return record.get("ttl"), sorted(record.get("rrdatas", ()))


class _Handler(Handler):
    emulator: CloudDnsEmulator
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Mapping[str, Any]) -> None:
        try:
            self._send(200, self.emulator.answer(self.command, self.path, body))
        except Refused as refused:
            self._send(refused.status, refused.body)

    def _send(self, status: int, body: Mapping[str, Any]) -> None:
        self.send(status, "application/json; charset=UTF-8", json.dumps(body).encode())
