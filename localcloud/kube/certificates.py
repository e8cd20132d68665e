"""The API server's own certificate authority and server certificate."""

from __future__ import annotations

import base64
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """A server key pair (PEM) and the CA that signed it."""

    ca_pem: str
    certificate_pem: bytes
    key_pem: bytes

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context for a TLS server; the key is on disk only in a private, short-lived folder."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            pair = Path(folder, "pair.pem")
            pair.touch(mode=0o600)
            pair.write_bytes(self.key_pem + self.certificate_pem)
            context.load_cert_chain(pair)
        return context


def issue() -> ServerIdentity:
    """Return a new CA, and a server certificate for 127.0.0.1 and localhost, valid for 30 days."""
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _builder("embedded-cloud-ca", "embedded-cloud-ca", ca_key.public_key())
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    ca = ca.add_extension(_ca_usage(), critical=True)
    ca_identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = ca.add_extension(ca_identifier, critical=False)
    server = _builder("kube-apiserver", "embedded-cloud-ca", server_key.public_key())
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = server.add_extension(x509.SubjectAlternativeName(names), critical=False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_identifier)
    server = server.add_extension(authority, critical=False)
    ca_certificate = ca.sign(ca_key, hashes.SHA256())
    certificate = server.sign(ca_key, hashes.SHA256())
    return ServerIdentity(
        ca_certificate.public_bytes(serialization.Encoding.PEM).decode(),
        certificate.public_bytes(serialization.Encoding.PEM),
        server_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
    )


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def base64_pem(pem: str) -> str:
    """Return a PEM as kubeconfig files and the GKE API carry it."""
    return base64.b64encode(pem.encode()).decode()
