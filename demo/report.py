"""What came of a demo: the endpoint, the checklist, and how a client connects; or what to do."""

from __future__ import annotations

import os
import subprocess
import sys

from rich.console import Console

from demo.view import checklist_table
from localcloud.addresses import HTTPS_PORT
from localcloud.cloud import Cloud
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.setup.facts import CertificateFacts

# Prints what default verification made of the certificate that is served.
PLAIN_CLIENT = """
import socket, ssl, sys
address, port, domain = sys.argv[1:]
context = ssl.create_default_context()
with context.wrap_socket(socket.create_connection((address, int(port)), 10), server_hostname=domain) as tls:
    peer = tls.getpeercert()
issuer = dict(pair for group in peer["issuer"] for pair in group)["commonName"]
print(f"trusted with the system's roots, issued by {issuer}, expires {peer['notAfter']}")
"""


def report(setup: Setup, cloud: Cloud, console: Console) -> bool:
    """Print the endpoint, or which stage failed, why, and what to do; whether it is verified."""
    address, managed, own = setup.facts.address, setup.facts.managed, setup.facts.certificate
    if setup.status is not Status.VERIFIED or address is None:
        stage = setup.current
        record = setup.record(stage) if stage else None
        if record and record.reason:
            console.print(f"\n[red]✗ {stage}[/]: {record.reason}: {record.message}", soft_wrap=True)
            console.print(f"  {record.reason.remedy}", soft_wrap=True)
        return False
    console.print("\n[bold green]Verified[/]")
    console.print(f"  address      {address} (port {HTTPS_PORT}; 443 on GKE)")
    console.print(f"  domain       {setup.desired.domain}")
    if setup.desired.is_google_managed and managed is not None:
        domains = ", ".join(managed.domains)
        console.print(f"  certificate  ManagedCertificate {managed.name}, for {domains}", soft_wrap=True)
        said = _plain_verification(address, setup.desired.domain, cloud)
        console.print(f"               {said}", soft_wrap=True)
    elif own is not None:
        console.print(f"  certificate  SHA-256 {own.sha256}", soft_wrap=True)
        console.print(f"               expires {own.not_after:%Y-%m-%d}")
    console.print(f"  Milvus       {setup.facts.milvus_version}\n")
    console.print(checklist_table(setup.facts.checklist))
    trusted = None if setup.desired.is_google_managed else own
    console.print(f"\n{_snippet(setup, trusted, cloud)}\n", markup=False, soft_wrap=True)
    return True


def _plain_verification(address: str, domain: str, cloud: Cloud) -> str:
    """Return what a plain Python client with nothing but its system's roots says of the served certificate.

    A process of its own, because roots are read when it starts. `RuntimeError` if it does not trust it.
    """
    command = [sys.executable, "-c", PLAIN_CLIENT, address, str(HTTPS_PORT), domain]
    client = subprocess.run(
        command, env={**os.environ, **cloud.trust}, capture_output=True, text=True, check=False
    )
    if client.returncode != 0:
        raise RuntimeError(f"a plain client does not trust the certificate: {client.stderr[-300:]}")
    return client.stdout.strip()


def _snippet(setup: Setup, certificate: CertificateFacts | None, cloud: Cloud) -> str:
    """Return how a client connects; without `certificate` the system's roots do, here this cloud's."""
    address, domain = setup.facts.address, setup.desired.domain
    if certificate is None:
        exports = "".join(f"export {name}={value}\n" for name, value in cloud.trust.items())
        return (
            f"{exports}\n"
            "from pymilvus import MilvusClient\n\n"
            f'client = MilvusClient(uri="https://{address}:{HTTPS_PORT}", server_name="{domain}")\n'
            "print(client.get_server_version())"
        )
    pem = cloud.folder / f"{domain}.pem"
    pem.write_text(certificate.pem, encoding="utf-8")
    return (
        "from pymilvus import MilvusClient\n\n"
        f'client = MilvusClient(uri="https://{address}:{HTTPS_PORT}",\n'
        f'                      server_pem_path="{pem}",\n'
        f'                      server_name="{domain}")\n'
        "print(client.get_server_version())"
    )
