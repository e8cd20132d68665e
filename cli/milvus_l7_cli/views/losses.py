"""Word what a tear-down deletes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from milvus_l7.domain.setup.document import Setup
from milvus_l7.domain.text.excerpt import excerpt


def losses(setup: Setup, restore_l4: bool) -> Iterator[str]:
    """Yield what is deleted, one item a line, and what stays of the release."""
    domain, address = excerpt(setup.desired.domain), setup.facts.address
    at = f" at {excerpt(address)}" if address else ""
    yield f"the Ingress and its load balancer: https://{domain}{at} stops answering, its address is released"
    if setup.desired.dns_zone:
        yield f"the DNS records that milvus-l7 made in {excerpt(setup.desired.dns_zone)}"
    if setup.desired.is_google_managed:
        yield "the ManagedCertificate"
    elif setup.desired.certificate.secret is None:
        yield "the certificate that milvus-l7 issued, with its key: clients that pin it need a new one"
    yield "the BackendConfig and the Service's annotations, where they are milvus-l7's"
    if restore_l4:
        yield "TLS: Milvus restarts into plaintext, with its earlier Service type; TLS clients are cut off"
    else:
        yield "nothing of the release: Milvus keeps TLS and Service type ClusterIP (see --restore-l4)"
