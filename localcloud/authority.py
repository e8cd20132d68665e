"""The certificate authority that issues Google-managed certificates here, and the roots that trust it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "milvus-l7 embedded cloud"
CA_LIFETIME = timedelta(days=365)
LIFETIME = timedelta(days=90)  # as of Google-managed certificates
CLOCK_SKEW = timedelta(hours=1)
LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate chain, its private key (PEM both), and its end."""

    chain_pem: str
    key_pem: str
    not_after: datetime

    def __repr__(self) -> str:
        return f"Issued(not_after={self.not_after})"  # never the key


class Authority:
    """A certificate authority with a key of its own, new for every cloud. The key never leaves memory."""

    def __init__(self) -> None:
        self._key = _new_key()
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        name = _name(NAME)
        template = _template(name, name, self._key.public_key(), CA_LIFETIME)
        template = template.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        template = template.add_extension(_usage(is_ca=True), critical=True)
        template = template.add_extension(self._identifier, critical=False)
        self._certificate = template.sign(self._key, hashes.SHA256())

    @property
    def ca_pem(self) -> str:
        """Return the root certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, domains: Sequence[str]) -> Issued:
        """Return a new key and a server certificate for all the domains; the first is its common name.

        The key is RSA 2048, as Google's are: Envoy prefers ECDSA whatever the order of the certificates.
        """
        key = _new_key()
        subject = _name(domains[0] if len(domains[0]) <= LONGEST_COMMON_NAME else NAME)
        template = _template(subject, self._certificate.subject, key.public_key(), LIFETIME)
        names = x509.SubjectAlternativeName([x509.DNSName(domain) for domain in domains])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier)
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        template = template.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        template = template.add_extension(_usage(is_ca=False), critical=True)
        for extension in (names, issuer, purpose, subject_key):
            template = template.add_extension(extension, critical=False)
        certificate = template.sign(self._key, hashes.SHA256())
        key_pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = certificate.public_bytes(serialization.Encoding.PEM)
        return Issued(chain.decode(), key_pem.decode(), certificate.not_valid_after_utc)

    def write_roots(self, path: Path) -> None:
        """Write the roots of a client that trusts this authority too: the public ones, and ours."""
        public = Path(certifi.where()).read_text(encoding="ascii")
        path.write_text(f"{public}\n{self.ca_pem}", encoding="ascii")


def trust(roots: Path) -> dict[str, str]:
    """Return environment variables with which Python's `ssl` and gRPC take `roots` for the system's."""
    return {"SSL_CERT_FILE": str(roots), "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(roots)}


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _template(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    number = x509.random_serial_number()
    return x509.CertificateBuilder(issuer, subject, key, number, now - CLOCK_SKEW, now + lifetime)


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not is_ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
