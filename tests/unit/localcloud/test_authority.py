"""The embedded cloud's certificate authority, judged by a plain client's verification."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from localcloud.authority import Authority, Issued, trust

DOMAINS = ("milvus.example.org", "other.example.org")


def handshake(issued: Issued, roots: Path, name: str, folder: Path) -> None:
    """One TLS handshake of a client with default settings, over a pair of sockets."""
    pair = folder / "pair.pem"
    pair.write_text(issued.key_pem + issued.chain_pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair)
    client = ssl.create_default_context(cafile=str(roots))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    near, far = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(far, server_side=True):
                pass
        except (ssl.SSLError, OSError):
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with near, client.wrap_socket(near, server_hostname=name):
            pass
    finally:
        thread.join()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_strict_client_trusts_a_certificate_for_each_of_its_domains_and_for_no_other(
    authority: Authority, tmp_path: Path
) -> None:
    roots = tmp_path / "roots.pem"
    authority.write_roots(roots)
    issued = authority.issue(DOMAINS)
    for domain in DOMAINS:
        handshake(issued, roots, domain, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(issued, roots, "third.example.org", tmp_path)


def test_roots_of_another_cloud_do_not_trust_it(authority: Authority, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    Authority().write_roots(roots)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority.issue(DOMAINS), roots, DOMAINS[0], tmp_path)


def test_roots_hold_the_public_ones_too(authority: Authority, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    authority.write_roots(roots)
    assert roots.read_text().count("BEGIN CERTIFICATE") > 50
    assert set(trust(roots).values()) == {str(roots)}


def test_nothing_that_is_printed_shows_a_key(authority: Authority) -> None:
    assert "PRIVATE" not in repr(authority.issue(DOMAINS))
