"""Which Secrets no load balancer takes: judged by real keys and certificates."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from milvus_l7.adapters.certificates.x509 import X509Certificates
from milvus_l7.adapters.frontend.secret_inspection import SecretInspection
from tests.fakes.kube_objects import FakeKubeObjects

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "theirs"


@cache
def key(kind: str) -> Any:
    made = {
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "other p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "rsa 1024": lambda: rsa.generate_private_key(65537, 1024),
        "rsa 2048": lambda: rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }
    return made[kind]()


def certificate(kind: str, begins_in: int = -1, ends_in: int = 9) -> str:
    """One for its common name alone, which load balancers take."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.io")])
    builder = (
        x509.CertificateBuilder(name, name, key(kind).public_key(), 1)
        .not_valid_before(NOW + timedelta(days=begins_in))
        .not_valid_after(NOW + timedelta(days=ends_in))
    )
    signed = builder.sign(key(kind), None if kind == "ed25519" else hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(kind: str, password: bytes | None = None) -> str:
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pem: bytes = key(kind).private_bytes(serialization.Encoding.PEM, form, hidden)
    return pem.decode()


def look(files: dict[str, str], **changes: Any) -> str | None:
    kube = FakeKubeObjects()
    data = {name: b64encode(text.encode()).decode() for name, text in files.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": data}
    kube.put({**secret, "metadata": {"namespace": "default", "name": NAME}, **changes})
    found = SecretInspection(kube, X509Certificates(), NOW).look_into("default", [NAME])
    return found.faults.get(NAME)


def pair(kind: str, **dates: int) -> dict[str, str]:
    return {"tls.crt": certificate(kind, **dates), "tls.key": key_pem(kind)}


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa 2048"])
def test_pair_that_load_balancers_take_has_no_fault(kind: str) -> None:
    assert look(pair(kind)) is None
    assert look(pair(kind), type="Opaque") is None  # the controller does not look at the type
    chain = pair(kind)["tls.crt"] + certificate("other p256") * 4
    assert look({**pair(kind), "tls.crt": chain}) is None


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({**pair("p256"), "tls.key": key_pem("other p256")}, "tls.key is not the key"),
        ({**pair("p256"), "tls.crt": certificate("other p256") + certificate("p256")}, "is not the key"),
        (pair("p256", ends_in=0), "expired at 2026-01-01"),
        (pair("p256", begins_in=1), "is not valid before 2026-01-02"),
        (pair("p521"), "another kind or size"),
        (pair("rsa 1024"), "another kind or size"),
        (pair("ed25519"), "another kind or size"),
        ({**pair("p256"), "tls.key": key_pem("p256", b"word")}, "encrypted"),
        ({**pair("p256"), "tls.crt": pair("p256")["tls.crt"] * 6}, "more than 5 certificates"),
        ({"tls.crt": certificate("p256")}, "has no tls.key"),
        ({"tls.key": key_pem("p256")}, "has no tls.crt"),
        (
            {**pair("p256"), "tls.crt": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
            "broken",
        ),
        ({"tls.crt": "x", "tls.key": "y"}, "no certificate in PEM"),
        ({**pair("p256"), "tls.crt": ""}, "has no tls.crt"),
        ({}, "has no tls."),
    ],
)
def test_pair_that_no_load_balancer_takes_is_told_with_whose_it_is(files: dict[str, str], words: str) -> None:
    fault = look(files)
    assert fault is not None
    assert fault.startswith((f"Secret {NAME}", "tls.key of", "tls.crt of"))
    assert words in fault
    assert "its owner must correct it" in fault
    assert "BEGIN" not in fault


def test_secret_that_is_gone_is_told() -> None:
    found = SecretInspection(FakeKubeObjects(), X509Certificates(), NOW).look_into("default", ["gone"])
    assert "Secret gone does not exist" in str(found)
