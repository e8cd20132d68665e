"""A client's look at the load balancer: a TLS handshake, and Milvus through pymilvus."""

from __future__ import annotations

import hashlib
import logging
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient, Unanswered
from milvus_l7.domain.text import excerpt
from milvus_l7.ports import Endpoint, ServedCertificate

if TYPE_CHECKING:
    from pymilvus import MilvusClient

HANDSHAKE_S = 5.0
# For everything that pymilvus does in one look; it repeats failed calls until its time-out.
MILVUS_S = 20.0
# Kept for dropping the throw-away collection, also when the rest has used up its time.
DROP_S = 5.0
# A call that has no time left is given this much, so that it can fail properly; there are five of them.
LEAST_S = 0.5
# Milvus takes a call's time-out from its client, and may finish what it has begun.
SERVER_S = 10.0
DEEP_MAY_TAKE_S = MILVUS_S + 5 * LEAST_S + DROP_S + SERVER_S

COLLECTION_PREFIX = "milvus_l7_probe_"
_DIMENSION = 4
_ID = 1
_LONGEST_CHAIN = 10


class EdgeProbe:
    """Implements `EndpointProbe` against `https_port` of the load balancer's address."""

    def __init__(self, https_port: int = 443) -> None:
        self._https_port = https_port

    def served_certificate(self, endpoint: Endpoint) -> ServedCertificate:
        """Return the certificate shown for the domain.

        Without `ca_pem` it also says whether the system's roots vouch for it. Takes at most ten seconds.
        Raises `Transient(TLS_NOT_SERVED)`.
        """
        try:
            if endpoint.ca_pem is not None:
                return _described(self._handshake(endpoint, _unjudging()))
            return self._judged(endpoint)
        except (OSError, ValueError) as error:
            place = f"{endpoint.address}:{self._https_port}"
            message = f"no TLS handshake with {place} for {endpoint.domain}: {excerpt.excerpt(error)}"
            raise Transient(Reason.TLS_NOT_SERVED, message) from error

    def _judged(self, endpoint: Endpoint) -> ServedCertificate:
        try:
            # Honours SSL_CERT_FILE, as OpenSSL does.
            return _described(self._handshake(endpoint, ssl.create_default_context()))
        except ssl.SSLCertVerificationError as error:
            served = _described(self._handshake(endpoint, _unjudging()))
            return replace(served, distrust=excerpt.excerpt(error.verify_message or error))

    def _handshake(self, endpoint: Endpoint, context: ssl.SSLContext) -> bytes:
        context.set_alpn_protocols(["h2"])
        deadline = time.monotonic() + HANDSHAKE_S
        with socket.create_connection((endpoint.address, self._https_port), HANDSHAKE_S) as connection:
            connection.settimeout(max(0.1, deadline - time.monotonic()))
            with context.wrap_socket(connection, server_hostname=endpoint.domain) as session:
                return session.getpeercert(binary_form=True) or b""

    def milvus_version(self, endpoint: Endpoint, *, deep: bool) -> str:
        """Return the server version, trusting `endpoint.ca_pem` or else the system's roots.

        Takes about 20 s at most. Raises `Transient(MILVUS_UNREACHABLE)` for whatever goes wrong, and
        `Unanswered` if it cannot be told that the throw-away collection is gone.
        """
        budget = _Budget(time.monotonic() + MILVUS_S)
        try:
            with _trusted(endpoint.ca_pem) as arguments, self._client(endpoint, arguments, budget) as client:
                version = str(client.get_server_version(timeout=budget.left_s()))
                if deep:
                    _round_trip(client, budget)
                return version
        except _NotDroppedError as error:
            why = excerpt.excerpt(_cause(error.__cause__ or error), 300)
            message = f"pymilvus: {why}; the collection {error} may be left"
            raise Unanswered(Reason.MILVUS_UNREACHABLE, message) from error
        except Exception as error:
            message = f"pymilvus: {excerpt.excerpt(_cause(error), 300)}"
            raise Transient(Reason.MILVUS_UNREACHABLE, message) from error

    def plaintext_version(self, address: str, port: int) -> str:
        """Return the server version, asked for without TLS.

        Takes 20 s at most. Raises `Transient(PLAINTEXT_UNREACHABLE)`.
        """
        budget = _Budget(time.monotonic() + MILVUS_S)
        try:
            with _connected(f"http://{_host(address)}:{port}", {}, budget) as client:
                return str(client.get_server_version(timeout=budget.left_s()))
        except Exception as error:
            message = f"pymilvus at {address}:{port}: {excerpt.excerpt(_cause(error), 300)}"
            raise Transient(Reason.PLAINTEXT_UNREACHABLE, message) from error

    def _client(
        self, endpoint: Endpoint, trust: dict[str, str], budget: _Budget
    ) -> AbstractContextManager[MilvusClient]:
        uri = f"https://{_host(endpoint.address)}:{self._https_port}"
        return _connected(uri, {"server_name": endpoint.domain, **trust}, budget)


@contextmanager
def _connected(uri: str, options: dict[str, str], budget: _Budget) -> Iterator[MilvusClient]:
    # pymilvus logs every failed call with its traceback; what matters of it goes into the error.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    from pymilvus import MilvusClient

    # pymilvus shares channels by address alone: another domain or certificate would be ignored.
    client = MilvusClient(uri=uri, timeout=budget.left_s(), dedicated=True, **options)
    try:
        yield client
    finally:
        client.close()


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _unjudging() -> ssl.SSLContext:
    """Return a context that accepts any certificate, for looking only.

    Nothing is sent or trusted; the caller compares the certificate with one it knows.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True)
class _Budget:
    """Time that is left until a moment of the monotonic clock."""

    deadline: float

    def left_s(self) -> float:
        """Seconds left, but never so few that a call could not even fail properly."""
        return max(LEAST_S, self.deadline - time.monotonic())


@contextmanager
def _trusted(ca_pem: str | None) -> Iterator[dict[str, str]]:
    """Yield the client's arguments that make it trust only `ca_pem`, for the block.

    None: gRPC's default roots, which are those of GRPC_DEFAULT_SSL_ROOTS_FILE_PATH or its own bundle.
    """
    if ca_pem is None:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="milvus-l7-trust-") as folder:
        path = Path(folder) / "server.pem"
        path.write_text(ca_pem, encoding="ascii")
        yield {"server_pem_path": str(path)}


class _NotDroppedError(Exception):
    """The throw-away collection of that name may still be there, or still be made."""


def _round_trip(client: MilvusClient, budget: _Budget) -> None:
    """Create, fill, search and drop a throw-away collection; dropped also when something fails."""
    name = f"{COLLECTION_PREFIX}{uuid4().hex[:12]}"
    try:
        found = _found(client, name, budget)
    except BaseException as error:
        _drop(client, name, error)
        raise
    _drop(client, name)
    if found != [_ID]:
        raise ValueError("the throw-away collection does not return the vector that was inserted")


def _drop(client: MilvusClient, name: str, cause: BaseException | None = None) -> None:
    try:
        client.drop_collection(name, timeout=DROP_S)
    except Exception as error:  # noqa: BLE001 - pymilvus has no root of its errors
        raise _NotDroppedError(name) from (cause or error)


def _found(client: MilvusClient, name: str, budget: _Budget) -> list[int]:
    vector = [0.1] * _DIMENSION
    client.create_collection(name, dimension=_DIMENSION, consistency_level="Strong", timeout=budget.left_s())
    client.insert(name, [{"id": _ID, "vector": vector}], timeout=budget.left_s())
    (hits,) = client.search(name, [vector], limit=1, timeout=budget.left_s())
    return [hit["id"] for hit in hits]


def _described(der: bytes) -> ServedCertificate:
    from cryptography import x509

    leaf = x509.load_der_x509_certificate(der)
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(extension.value.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = ()
    return ServedCertificate(hashlib.sha256(der).hexdigest(), names)


def _cause(error: BaseException) -> str:
    """Return gRPC's own words where there are any: pymilvus' say only that the server did not answer."""
    seen = error
    for _ in range(_LONGEST_CHAIN):  # pymilvus raises errors `from` themselves: the chain is a ring
        details = getattr(seen, "details", None)
        if callable(details):
            return str(details())
        if seen.__cause__ is None:
            break
        seen = seen.__cause__
    return str(error) or type(error).__name__
