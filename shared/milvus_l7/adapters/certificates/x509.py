"""Keys and certificates with `cryptography`. No error holds anything of a key, nor is a cause chained."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from milvus_l7.domain.certificates.key_pair import CertificateView, KeyPair, invalid

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import (
        CertificatePublicKeyTypes,
        PrivateKeyTypes,
        PublicKeyTypes,
    )

KEY_BITS = 2048  # the RSA size that every Google Cloud load balancer takes
CLOCK_SKEW = timedelta(hours=1)  # how far a client's clock may be behind ours
# Google Cloud, "SSL certificates overview", supported key types of self-managed certificates.
TAKEN = "Google Cloud load balancers take RSA keys of 2048 to 4096 bits, and ECDSA keys on P-256 or P-384"
SMALLEST_RSA_BITS, LARGEST_RSA_BITS = 2048, 4096
CURVES = frozenset({"secp256r1", "secp384r1"})
# One of RSA 4096 has 3,300 characters. Keys of other kinds, which are refused, take long to load if larger.
LARGEST_KEY_PEM = 4096
LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name; a domain may have 253 characters


class X509Certificates:
    """Implements `Certificates`. Stateless."""

    def issue(self, domain: str, validity_days: int, now: datetime) -> KeyPair:
        """Return a new RSA 2048 key and a certificate for the domain that it signs itself."""
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        certificate = _template(domain, validity_days, now, key.public_key()).sign(key, hashes.SHA256())
        encryption = serialization.NoEncryption()  # a TLS Secret's key has to be readable for its readers
        pkcs8 = serialization.PrivateFormat.PKCS8
        key_pem = key.private_bytes(serialization.Encoding.PEM, pkcs8, encryption)
        return KeyPair(key_pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode())

    def inspect(self, pair: KeyPair) -> CertificateView:
        """What the pair says of itself.

        Raises `Permanent(CERTIFICATE_INVALID)` if either half is not PEM, the key is encrypted, or either key
        is of a kind or size that load balancers do not take; that is found before anything slow is done.
        """
        from cryptography.hazmat.primitives import hashes, serialization

        chain = _chain(pair.certificate_pem)
        pem = serialization.Encoding.PEM
        return CertificateView(
            sha256=chain[0].fingerprint(hashes.SHA256()).hex(),
            names=_names(chain[0]),
            not_before=chain[0].not_valid_before_utc,
            not_after=chain[0].not_valid_after_utc,
            is_pair=_public_key(chain[0]) == _public_half(pair.key_pem),
            chain_pem="".join(certificate.public_bytes(pem).decode() for certificate in chain),
        )


def _template(
    domain: str, validity_days: int, now: datetime, public_key: CertificatePublicKeyTypes
) -> x509.CertificateBuilder:
    """Return the certificate before it is signed; it is not a CA.

    Whoever trusts it as the root of this endpoint (pymilvus' server_pem_path) trusts it for this endpoint
    alone. gRPC, OpenSSL (strict) and Python accept such a certificate as its own root.
    """
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    fits = len(domain) <= LONGEST_COMMON_NAME
    attribute = (NameOID.COMMON_NAME, domain) if fits else (NameOID.ORGANIZATION_NAME, "milvus-l7")
    name = x509.Name([x509.NameAttribute(*attribute)])
    not_before = now.astimezone(UTC).replace(microsecond=0) - CLOCK_SKEW
    builder = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_before + CLOCK_SKEW + timedelta(days=validity_days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    return builder.add_extension(_key_usage(), critical=True).add_extension(identifier, critical=False)


def _key_usage() -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _chain(pem: str) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, x509.InvalidVersion):
        raise invalid("tls.crt holds no certificate in PEM, or a broken one") from None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names; one in the subject's CN alone counts for nothing with today's TLS clients."""
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise invalid("the certificate in tls.crt has broken extensions") from None
    return tuple(extension.value.get_values_for_type(x509.DNSName))


def _public_half(key_pem: str) -> bytes:
    if any(len(block) > LARGEST_KEY_PEM for block in _key_blocks(key_pem)):
        raise invalid(f"the key in tls.key is too large; {TAKEN}")
    # Proving that the numbers of a large RSA key are primes takes minutes, so its size is looked at first.
    if not _is_taken(_loaded(key_pem, is_proven=False).public_key()):
        raise invalid(f"the key in tls.key is of another kind or size; {TAKEN}")
    return _encoded(_loaded(key_pem, is_proven=True))


def _key_blocks(pem: str) -> Iterator[str]:
    for block in pem.split("-----BEGIN ")[1:]:
        label, _, body = block.partition("-----")
        if label.endswith("PRIVATE KEY"):
            yield body.partition("-----END")[0]


def _loaded(key_pem: str, *, is_proven: bool) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        return serialization.load_pem_private_key(
            key_pem.encode(), password=None, unsafe_skip_rsa_key_validation=not is_proven
        )
    except TypeError:
        raise invalid("the key in tls.key is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise invalid("tls.key holds no private key in PEM, or a broken one") from None


def _is_taken(key: PublicKeyTypes) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return SMALLEST_RSA_BITS <= key.key_size <= LARGEST_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES


def _public_key(certificate: x509.Certificate) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise invalid("the certificate in tls.crt has a key of an unknown kind") from None
    if not _is_taken(key):
        raise invalid(f"the certificate in tls.crt has a key of another kind or size; {TAKEN}")
    return _encoded(certificate)


def _encoded(holder: x509.Certificate | PrivateKeyTypes) -> bytes:
    """Return the public key as DER, the same for both halves of a pair."""
    from cryptography.hazmat.primitives import serialization

    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return holder.public_key().public_bytes(serialization.Encoding.DER, form)
