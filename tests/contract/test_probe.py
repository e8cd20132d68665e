"""The look at a TLS end point from outside, against a stdlib TLS server; real Milvus is for the e2e tests."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from milvus_l7.adapters.verification.probe import EdgeProbe
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient
from milvus_l7.ports import Endpoint

DOMAIN = "my-release.milvus.io"
NOT_AFTER = datetime(2100, 1, 1, tzinfo=UTC)


def issued(names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """A self-signed certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(NOT_AFTER)
    )
    if names:
        listed = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(listed, critical=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), private


class TlsServer:
    """Shakes hands on a free port of loopback and hangs up; remembers the names it was asked for."""

    def __init__(self, folder: Path, names: tuple[str, ...] = (DOMAIN,)) -> None:
        self.pem, key = issued(names)
        (folder / "crt").write_bytes(self.pem)
        (folder / "key").write_bytes(key)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "crt", folder / "key")
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        self._context.sni_callback = lambda _, name, __: self.asked.append(name)
        self.asked: list[str | None] = []
        self.protocols: list[str | None] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> TlsServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(5)
                with self._context.wrap_socket(connection, server_side=True) as session:
                    self.protocols.append(session.selected_alpn_protocol())


@contextmanager
def silent_server() -> Iterator[int]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def endpoint(ca_pem: str | None = None) -> Endpoint:
    return Endpoint("127.0.0.1", DOMAIN, ca_pem)


def test_served_certificate_is_described_without_being_judged(tmp_path: Path) -> None:
    with TlsServer(tmp_path, ("other.example.org", "*.example.org")) as server:
        served = EdgeProbe(server.port).served_certificate(endpoint(server.pem.decode()))
    assert served.sha256 == hashlib.sha256(ssl.PEM_cert_to_DER_cert(server.pem.decode())).hexdigest()
    assert served.names == ("other.example.org", "*.example.org")
    assert not served.distrust
    assert len(server.asked) == 1


def test_certificate_that_the_systems_roots_vouch_for_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TlsServer(tmp_path) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "crt"))
        served = EdgeProbe(server.port).served_certificate(endpoint())
    assert not served.distrust
    assert served.names == (DOMAIN,)
    assert server.asked == [DOMAIN]


@pytest.mark.parametrize(
    ("names", "is_root", "words"), [((DOMAIN,), False, "self-signed"), (("other.org",), True, "mismatch")]
)
def test_certificate_that_is_not_trusted_is_described_with_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], *, is_root: bool, words: str
) -> None:
    with TlsServer(tmp_path, names) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "crt") if is_root else os.devnull)
        served = EdgeProbe(server.port).served_certificate(endpoint())
    assert served.names == names
    assert words in served.distrust
    assert served.distrust.isprintable()


def test_milvus_behind_a_managed_certificate_is_asked_with_grpcs_default_roots(tmp_path: Path) -> None:
    """In its own process, because gRPC reads its roots once."""
    script = (
        "import sys; from milvus_l7.adapters.verification import probe; "
        "from milvus_l7.ports import Endpoint; "
        "probe.MILVUS_S = 1.0; end = Endpoint('127.0.0.1', sys.argv[2]); "
        "probe.EdgeProbe(int(sys.argv[1])).milvus_version(end, deep=False)"
    )
    with TlsServer(tmp_path) as server:
        environment = {**os.environ, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tmp_path / "crt")}
        ended = subprocess.run(
            [sys.executable, "-c", script, str(server.port), DOMAIN],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert "MilvusUnreachable" in ended.stderr or "pymilvus" in ended.stderr
    assert "VERIFY_FAILED" not in ended.stderr  # trusted, but no Milvus
    assert server.protocols


def test_certificate_without_names_has_none(tmp_path: Path) -> None:
    with TlsServer(tmp_path, ()) as server:
        assert EdgeProbe(server.port).served_certificate(endpoint(server.pem.decode())).names == ()


def test_handshake_names_the_domain_and_offers_http2(tmp_path: Path) -> None:
    with TlsServer(tmp_path) as server:
        EdgeProbe(server.port).served_certificate(endpoint(server.pem.decode()))
    assert server.asked == [DOMAIN]
    assert server.protocols == ["h2"]


def test_nobody_listening_is_tls_not_served() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Transient, match=DOMAIN) as caught:
            EdgeProbe(closed.getsockname()[1]).served_certificate(endpoint())
    assert caught.value.reason is Reason.TLS_NOT_SERVED


def test_handshake_that_hangs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("milvus_l7.adapters.verification.probe.HANDSHAKE_S", 0.2)
    with silent_server() as port, pytest.raises(Transient) as caught:
        EdgeProbe(port).served_certificate(endpoint())
    assert caught.value.reason is Reason.TLS_NOT_SERVED


def test_server_that_is_no_milvus_is_unreachable_with_the_cause(tmp_path: Path) -> None:
    with TlsServer(tmp_path, ("other.example.org",)) as server, pytest.raises(Transient) as caught:
        EdgeProbe(server.port).milvus_version(endpoint(server.pem.decode()), deep=False)
    assert caught.value.reason is Reason.MILVUS_UNREACHABLE
    assert "Hostname Verification" in caught.value.message
    assert "\n" not in caught.value.message


def test_milvus_is_asked_for_by_the_domain_not_by_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("milvus_l7.adapters.verification.probe.MILVUS_S", 1.0)
    with TlsServer(tmp_path) as server, pytest.raises(Transient) as caught:
        EdgeProbe(server.port).milvus_version(endpoint(server.pem.decode()), deep=False)
    assert set(server.asked) == {DOMAIN}
    assert "Verification" not in caught.value.message  # trusted, but no Milvus


def test_certificate_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    stranger, _ = issued((DOMAIN,))
    with TlsServer(tmp_path) as server, pytest.raises(Transient, match="CERTIFICATE_VERIFY_FAILED"):
        EdgeProbe(server.port).milvus_version(endpoint(stranger.decode()), deep=False)


def test_milvus_that_hangs_is_given_up_and_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("milvus_l7.adapters.verification.probe.MILVUS_S", 1.0)
    pem, _ = issued((DOMAIN,))
    begun = time.monotonic()
    with silent_server() as port, pytest.raises(Transient) as caught:
        EdgeProbe(port).milvus_version(endpoint(pem.decode()), deep=True)
    assert caught.value.reason is Reason.MILVUS_UNREACHABLE
    assert time.monotonic() - begun < 10
    assert not list(tmp_path.iterdir())
