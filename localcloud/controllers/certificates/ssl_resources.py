"""What Compute Engine says to SslCertificate resources that it does not make. Pure."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

# Google Cloud, "SSL certificates overview": key types; sslCertificates.certificate: length of the chain.
SMALLEST_RSA_BITS, LARGEST_RSA_BITS = 2048, 4096
CURVES = ("secp256r1", "secp384r1")
LONGEST_CHAIN = 5

NOT_PARSED = "googleapi: Error 400: The SSL certificate could not be parsed., sslCertificateCouldNotParseCert"


def quota_exceeded(name: str, limit: int) -> str:
    """Return the refusal of one more resource of a kind, by the name of its quota."""
    return f"googleapi: Error 403: Quota '{name}' exceeded.  Limit: {limit:.1f} globally., quotaExceeded"


def refusal(chain_pem: str, key_pem: str) -> str | None:
    """Return why Compute Engine does not take a pair; nothing of the key is in the text. None: it does."""
    try:
        chain = x509.load_pem_x509_certificates(chain_pem.encode())
        key = load_pem_private_key(key_pem.encode(), None)
        is_pair = key.public_key() == chain[0].public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return NOT_PARSED
    is_taken = is_pair and _is_taken(chain[0].public_key()) and len(chain) <= LONGEST_CHAIN
    return None if is_taken else NOT_PARSED


def _is_taken(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return SMALLEST_RSA_BITS <= key.key_size <= LARGEST_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES
