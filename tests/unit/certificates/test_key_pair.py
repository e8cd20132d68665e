"""Key pairs: reading them from Secrets, judging them, and making them."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from base64 import b64encode, encodebytes
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from milvus_l7.adapters.certificates.x509 import TAKEN, X509Certificates
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


def pair_of(key: Any, domain: str = "*.milvus.io") -> KeyPair:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ignored.io")])
    alternatives = x509.SubjectAlternativeName([x509.DNSName(domain), x509.RFC822Name("a@milvus.io")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=9))
        .add_extension(alternatives, critical=False)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return KeyPair(private.decode(), made.public_bytes(serialization.Encoding.PEM).decode())


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_ecdsa_keys_that_load_balancers_take_can_be_adopted(curve: ec.EllipticCurve) -> None:
    pair = pair_of(ec.generate_private_key(curve))
    assert key_pair.fault(X509Certificates().inspect(pair), DOMAIN, NOW) is None


def test_a_larger_rsa_key_that_load_balancers_take_can_be_adopted() -> None:
    pair = pair_of(rsa.generate_private_key(65537, 3072))
    with_more = replace(pair, key_pem="a note\n" + pair.key_pem + "x" * 9000)
    assert key_pair.fault(X509Certificates().inspect(with_more), DOMAIN, NOW) is None


@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 1024),
    ],
)
def test_keys_that_load_balancers_do_not_take_are_refused_with_those_that_they_do(key: Any) -> None:
    pair = pair_of(key)
    for refused in (
        pair,
        KeyPair(issued().key_pem, pair.certificate_pem),
        replace(issued(), key_pem=pair.key_pem),
    ):
        assert TAKEN in refusal(lambda refused=refused: X509Certificates().inspect(refused))


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (length if size < 128 else bytes([0x80 | len(length)]) + length) + content


def number(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def pem(label: str, *parts: bytes) -> str:
    text = encodebytes(der(0x30, b"".join(parts))).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


def rsa_key(bits: int, *, is_whole: bool) -> str:
    """The form of an RSA key, with numbers that nobody can quickly prove not to be primes."""
    modulus, half = (1 << bits) - 1, (1 << bits // 2) - 1
    rest = (modulus - 2, half, half - 2, half - 4, half - 6, half - 8) if is_whole else (3, 5, 7, 11, 13, 17)
    return pem("RSA PRIVATE KEY", *map(number, (0, modulus, 65537, *rest)))


def dsa_key(bits: int) -> str:
    prime = (1 << bits) - 1
    parameters = der(0x30, number(prime) + number((1 << 255) + 1) + number(prime - 2))
    algorithm = der(0x30, bytes.fromhex("06072a8648ce380401") + parameters)
    return pem("PRIVATE KEY", number(0), algorithm, der(4, number(prime - 4)))


@pytest.mark.parametrize(
    "key", [rsa_key(31_150, is_whole=True), rsa_key(31_150, is_whole=False), dsa_key(60_000)]
)
def test_a_huge_key_is_refused_before_it_is_validated(key: str) -> None:
    inspection = "from tests.unit.certificates.test_key_pair import inspect_key; inspect_key()"
    root = Path(__file__).parents[3]
    environment = {"PYTHONPATH": f"{root}:{root / 'shared'}", "PATH": ""}
    command = [sys.executable, "-c", inspection]
    shown = subprocess.run(
        command, input=key, env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert TAKEN in shown.stdout


def inspect_key() -> None:
    """Print the refusal of the key on standard input; for a process that can be given up."""
    key = sys.stdin.read()
    sys.stdout.write(refusal(lambda: X509Certificates().inspect(replace(issued(), key_pem=key))))


@pytest.mark.parametrize("bits", [31_150, 180_000])
def test_a_certificate_of_a_huge_key_is_refused(bits: int) -> None:
    public = rsa.RSAPublicNumbers(65537, (1 << 2048) - 1).public_key()
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, public, 1, NOW, NOW + timedelta(days=9))
    small = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    key = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    huge = der(0x30, algorithm + der(3, b"\0" + der(0x30, number((1 << bits) - 1) + number(65537))))
    signed = small.tbs_certificate_bytes
    _, content = signed[:4], signed[4:]
    body = der(0x30, content.replace(key, huge))
    signature = der(0x30, bytes.fromhex("06082a8648ce3d040302")) + der(3, b"\0" + small.signature)
    forged = replace(issued(), certificate_pem=pem("CERTIFICATE", body, signature))
    assert TAKEN in refusal(lambda: X509Certificates().inspect(forged))


def test_a_certificate_of_an_unknown_version_is_refused() -> None:
    known = leaf(issued()).public_bytes(serialization.Encoding.DER)
    unknown = known.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"), 1)
    text = f"-----BEGIN CERTIFICATE-----\n{encodebytes(unknown).decode()}-----END CERTIFICATE-----\n"
    forged = replace(issued(), certificate_pem=text)
    assert "tls.crt" in refusal(lambda: X509Certificates().inspect(forged))


def test_a_certificate_with_a_name_of_a_kind_that_nobody_uses_is_refused() -> None:
    address = der(0x30, der(0xA3, der(0x30, b"")))  # x400Address, RFC 5280
    alternatives = x509.UnrecognizedExtension(x509.oid.ExtensionOID.SUBJECT_ALTERNATIVE_NAME, address)
    name, key = x509.Name([]), ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=9))
    certificate = made.add_extension(alternatives, critical=False).sign(key, hashes.SHA256())
    text = certificate.public_bytes(serialization.Encoding.PEM).decode()
    assert "tls.crt" in refusal(lambda: X509Certificates().inspect(KeyPair(issued().key_pem, text)))


def test_a_common_name_alone_covers_nothing() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=9))
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    view = X509Certificates().inspect(KeyPair(issued().key_pem, certificate))
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
    encrypted = key.private_bytes(serialization.Encoding.PEM, form, lock).decode()
    pair = KeyPair(encrypted, issued().certificate_pem)
    assert "encrypted" in refusal(lambda: X509Certificates().inspect(pair))
