"""A small authoritative DNS zone over UDP: what the world's resolvers would answer."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

TTL_S = 1
MAX_CNAMES = 8


class Zone:
    """Answers for the names that `set_records` was given, and NXDOMAIN for all others."""

    def __init__(self) -> None:
        self._records: dict[dns.name.Name, dict[str, tuple[str, ...]]] = {}
        self._lock = threading.Lock()
        self._server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="dns-zone", daemon=True)

    @property
    def address(self) -> str:
        """Return `host:port` of the server."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def __enter__(self) -> Zone:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def set_records(self, domain: str, records: Mapping[str, Sequence[str]]) -> None:
        """Replace all records of a name: `{"A": ["192.0.2.1"]}`; an empty mapping removes the name."""
        with self._lock:
            name = dns.name.from_text(domain.lower())
            self._records[name] = {kind.upper(): tuple(values) for kind, values in records.items()}
            if not records:
                del self._records[name]

    def lookup(self, domain: str, kind: str) -> tuple[str, ...]:
        """Return the values of a name's records of a type ("A"), CNAMEs followed; empty if there are none."""
        response = dns.message.make_response(dns.message.make_query(domain, kind))
        with self._lock:
            self._resolve(dns.name.from_text(domain), kind.upper(), response)
        wanted = dns.rdatatype.from_text(kind)
        return tuple(
            record.to_text() for rrset in response.answer if rrset.rdtype == wanted for record in rrset
        )

    def answer(self, wire: bytes) -> bytes | None:
        """Return the response to a query in wire format; None for what is no query."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        with self._lock:
            for question in query.question:
                self._resolve(question.name, dns.rdatatype.to_text(question.rdtype), response)
        return response.to_wire()

    def _resolve(self, name: dns.name.Name, kind: str, response: dns.message.Message) -> None:
        for _ in range(MAX_CNAMES):
            records = self._records.get(dns.name.from_text(name.to_text().lower()))
            if records is None:
                # A name above others exists, though it has no records of its own (RFC 8020).
                if not any(other.is_subdomain(name) for other in self._records):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                return
            found = kind if kind in records else "CNAME"
            if found not in records:
                return
            rrset = dns.rrset.from_text(name, TTL_S, dns.rdataclass.IN, found, *records[found])
            response.answer.append(rrset)
            if found == kind:
                return
            name = dns.name.from_text(records[found][0])

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        zone = self

        class Handler(socketserver.BaseRequestHandler):
            """One query."""

            def handle(self) -> None:
                """Answer it, or stay silent."""
                wire, connection = self.request
                answer = zone.answer(wire)
                if answer is not None:
                    connection.sendto(answer, self.client_address)

        return Handler
