"""Key pairs: reading them from Secrets, judging them, and making them."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from milvus_l7.adapters.certificates.x509 import X509Certificates
from milvus_l7.domain.certificates import key_pair
from milvus_l7.domain.certificates.key_pair import CertificateView, KeyPair
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DOMAIN = "my-release.milvus.io"
VIEW = CertificateView("00", (DOMAIN,), NOW - timedelta(days=1), NOW + timedelta(days=1), True, "pem")


@cache
def issued(domain: str = DOMAIN, days: int = 99999) -> KeyPair:
    return X509Certificates().issue(domain, days, NOW)


def leaf(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate_pem.encode())


def secret(**changes: object) -> dict[str, object]:
    data = {"tls.crt": b64encode(b"crt").decode(), "tls.key": b64encode(b"key").decode()}
    return {"metadata": {"name": "s"}, "type": "kubernetes.io/tls", "data": data, **changes}


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(Permanent) as refused:
        call()
    assert refused.value.reason is Reason.CERTIFICATE_INVALID
    assert refused.value.__context__ is None or refused.value.__suppress_context__
    return refused.value.message


# Secrets


def test_a_pair_is_read_from_its_two_entries() -> None:
    pair = key_pair.pair_in(secret())
    assert (pair.certificate_pem, pair.key_pem) == ("crt", "key")


def test_a_pair_shows_nothing_when_printed() -> None:
    assert "the-key" not in repr(KeyPair("the-key", "crt"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": "Opaque"}, "is of type 'Opaque'"),
        ({"type": None}, "is of type None"),
        ({"data": None}, "has no tls.key"),
        ({"data": {"tls.key": "a2V5"}}, "has no tls.crt"),
        ({"data": {"tls.key": "", "tls.crt": "Y3J0"}}, "has no tls.key"),
        ({"data": {"tls.key": "!! secret !!", "tls.crt": "Y3J0"}}, "tls.key of Secret s is not base64"),
        ({"data": {"tls.key": "!a2V5!", "tls.crt": "Y3J0"}}, "tls.key of Secret s is not base64"),
        ({"data": {"tls.key": "/w==", "tls.crt": "Y3J0"}}, "tls.key of Secret s is not base64"),
        ({"data": {"tls.key": "A" * 90_000, "tls.crt": "Y3J0"}}, "larger than 64 KiB"),
    ],
)
def test_a_secret_that_holds_no_pair_is_refused(changes: dict[str, object], words: str) -> None:
    message = refusal(lambda: key_pair.pair_in(secret(**changes)))
    assert words in message
    assert "secret !!" not in message


# Judging


def test_a_fitting_pair_has_no_fault() -> None:
    assert key_pair.fault(VIEW, DOMAIN, NOW) is None


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (replace(VIEW, is_pair=False), "not the key"),
        (replace(VIEW, names=()), "has no DNS name"),
        (replace(VIEW, names=("other.io",)), "(other.io) do not cover my-release.milvus.io"),
        (replace(VIEW, not_before=NOW + timedelta(seconds=1)), "not valid before 2026-01-01T00:00:01"),
        (replace(VIEW, not_after=NOW), "expired at 2026-01-01"),
    ],
)
def test_every_fault_is_named(view: CertificateView, words: str) -> None:
    assert words in str(key_pair.fault(view, DOMAIN, NOW))


@pytest.mark.parametrize(
    ("name", "does"),
    [
        ("My-Release.Milvus.io", True),
        ("*.milvus.io", True),
        ("*.io", False),
        ("*.my-release.milvus.io", False),
        ("*", False),
        ("*.", False),
        ("my-*.milvus.io", False),
        ("milvus.io", False),
    ],
)
def test_a_wildcard_stands_for_one_label(name: str, does: bool) -> None:
    assert (key_pair.fault(replace(VIEW, names=("x.io", name)), DOMAIN, NOW) is None) is does


def test_a_certificate_with_many_names_is_told_shortly() -> None:
    names = tuple(f"{'n' * 100}{i}.io" for i in range(100))
    assert len(str(key_pair.fault(replace(VIEW, names=names), DOMAIN, NOW))) < 330


# Making


def test_an_issued_pair_is_fit_for_its_domain() -> None:
    view = X509Certificates().inspect(issued())
    assert key_pair.fault(view, DOMAIN, NOW) is None
    assert view.names == (DOMAIN,)
    assert view.sha256 == leaf(issued()).fingerprint(hashes.SHA256()).hex()
    assert (view.not_before, view.not_after) == (NOW - timedelta(hours=1), NOW + timedelta(days=99999))
    assert view.chain_pem == issued().certificate_pem


def test_an_issued_certificate_is_rsa_2048_for_servers_and_no_ca() -> None:
    extensions = leaf(issued()).extensions
    assert leaf(issued()).public_key().key_size == 2048
    assert leaf(issued()).subject.rfc4514_string() == f"CN={DOMAIN}"
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_domain_too_long_for_a_common_name_is_issued_too() -> None:
    domain = ".".join(["a" * 60] * 4) + ".io"
    pair = issued(domain, 1)
    assert key_pair.fault(X509Certificates().inspect(pair), domain, NOW) is None
    assert leaf(pair).subject.rfc4514_string() == "O=milvus-l7"


def test_every_pair_is_another_one() -> None:
    one, other = issued(), X509Certificates().issue(DOMAIN, 1, NOW)
    assert one.key_pem != other.key_pem
    assert leaf(one).serial_number != leaf(other).serial_number


def test_a_client_that_trusts_only_the_certificate_connects(tmp_path: Path) -> None:
    pair = X509Certificates().issue(DOMAIN, 30, datetime.now(UTC))
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (tmp_path / "pair.pem").write_text(pair.key_pem + pair.certificate_pem)
    server_side.load_cert_chain(tmp_path / "pair.pem")
    client_side = ssl.create_default_context(cadata=pair.certificate_pem)
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve_one, args=(listener, server_side))
        thread.start()
        with (
            socket.create_connection(listener.getsockname(), timeout=5) as plain,
            client_side.wrap_socket(plain, server_hostname=DOMAIN) as tls,
        ):
            assert tls.recv(2) == b"ok"
        thread.join()


def _serve_one(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    with context.wrap_socket(connection, server_side=True) as tls:
        tls.sendall(b"ok")


# Inspecting what others made


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()]
)
def test_other_kinds_of_keys_can_be_adopted(key: ec.EllipticCurvePrivateKey) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ignored.io")])
    alternatives = x509.SubjectAlternativeName([x509.DNSName("*.milvus.io"), x509.RFC822Name("a@milvus.io")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=9))
        .add_extension(alternatives, critical=False)
        .sign(key, hashes.SHA256() if isinstance(key, ec.EllipticCurvePrivateKey) else None)
    )
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    pair = KeyPair(pem.decode(), made.public_bytes(serialization.Encoding.PEM).decode())
    assert key_pair.fault(X509Certificates().inspect(pair), DOMAIN, NOW) is None


def test_a_common_name_alone_covers_nothing() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=9))
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    view = X509Certificates().inspect(KeyPair(issued().key_pem, pem))
    assert (view.names, view.is_pair) == ((), False)


def test_the_chain_keeps_certificates_and_drops_everything_else() -> None:
    mixed = "note\n" + issued().certificate_pem + issued().key_pem + issued().certificate_pem
    view = X509Certificates().inspect(KeyPair(issued().key_pem, mixed))
    assert view.chain_pem == issued().certificate_pem * 2


def test_garbage_is_refused_without_a_word_of_it() -> None:
    inspect = X509Certificates().inspect
    for garbage in ("", "garbage", issued().certificate_pem[:400], issued().key_pem):
        assert "tls.crt" in refusal(lambda garbage=garbage: inspect(KeyPair(issued().key_pem, garbage)))
    for garbage in (
        "",
        "garbage",
        issued().key_pem[:400],
        issued().certificate_pem,
        issued().key_pem.replace("A", "B"),
    ):
        message = refusal(lambda garbage=garbage: inspect(KeyPair(garbage, issued().certificate_pem)))
        assert message == "tls.key holds no private key in PEM, or a broken one"


def test_an_encrypted_key_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    form, lock = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    pem = key.private_bytes(serialization.Encoding.PEM, form, lock).decode()
    pair = KeyPair(pem, issued().certificate_pem)
    assert "encrypted" in refusal(lambda: X509Certificates().inspect(pair))
