"""`make demo`: one message puts a real Milvus behind a real Layer-7 load balancer, on this machine."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from localcloud.addresses import HTTPS_PORT
from localcloud.cloud import CLUSTER, PROJECT, Cloud
from localcloud.release import install, wait_plaintext
from localcloud.view import checklist_table, follow
from shared.adapters.firestore import FirestoreSetups
from shared.domain.setup import CertificateFacts, Setup, SetupId, Status

RELEASE = "my-release"
DOMAIN = "my-release.milvus.io"
REQUEST = {"cluster": CLUSTER, "release": RELEASE, "domain": DOMAIN}
SETUP_ID = SetupId(f"{PROJECT}.us-central1-a.milvus.default.{RELEASE}")
TIMEOUT_S = 240.0


def main() -> int:
    """Run the demo; the exit status: 0 verified, 1 not, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the cloud running until Ctrl-C")
    keep = parser.parse_args().keep
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(highlight=False)
    try:
        with ExitStack() as stack:
            with _step(console, "The embedded cloud runs"):
                cloud = stack.enter_context(Cloud())
            os.environ.update(cloud.environment)
            return _run(cloud, console, keep=keep)
    except KeyboardInterrupt:
        console.print("\nStopped; everything is cleaned up.")
        return 130
    except (TimeoutError, RuntimeError) as error:
        console.print(f"[red]✗[/] {error}", soft_wrap=True)
        return 1


def _run(cloud: Cloud, console: Console, *, keep: bool) -> int:
    with _step(console, f"Helm release {RELEASE} installed, Milvus reached in plaintext") as said:
        install(cloud, RELEASE)
        before = wait_plaintext(cloud, f"{RELEASE}-milvus")
        said.append(f"http://{before.address}:19530, Milvus {before.version}")
    console.print(f"\nPublishing to l7-setup-requested:\n  {json.dumps(REQUEST)}\n", soft_wrap=True)
    _publish()
    setups = FirestoreSetups(PROJECT)

    def load() -> Setup | None:
        found = setups.load(SETUP_ID)
        return found.setup if found else None

    setup = follow(load, console, TIMEOUT_S)
    verified = _report(setup, cloud.folder, console)
    if keep:
        _keep(cloud, console)
    return 0 if verified else 1


@contextmanager
def _step(console: Console, what: str) -> Iterator[list[str]]:
    """Show that something goes on, then what came of it and how long it took."""
    started, said = time.monotonic(), list[str]()
    with console.status(what):
        yield said
    result = ": ".join([what, *said])
    console.print(f"[green]✓[/] {result} [dim]({time.monotonic() - started:.1f} s)[/]", soft_wrap=True)


def _publish() -> None:
    from google.cloud.pubsub_v1 import PublisherClient

    publisher = PublisherClient()
    topic = publisher.topic_path(PROJECT, "l7-setup-requested")
    publisher.publish(topic, json.dumps(REQUEST).encode()).result(timeout=10)
    publisher.stop()


def _report(setup: Setup, folder: Path, console: Console) -> bool:
    """Print the endpoint, or which stage failed, why, and what to do; whether it is verified."""
    certificate = setup.facts.certificate
    if setup.status is not Status.VERIFIED or certificate is None or setup.facts.address is None:
        stage = setup.current
        record = setup.record(stage) if stage else None
        if record and record.reason:
            console.print(f"\n[red]✗ {stage}[/]: {record.reason}: {record.message}", soft_wrap=True)
            console.print(f"  {record.reason.remedy}", soft_wrap=True)
        return False
    console.print("\n[bold green]Verified[/]")
    console.print(f"  address      {setup.facts.address} (port {HTTPS_PORT}; 443 on GKE)")
    console.print(f"  domain       {setup.desired.domain}")
    console.print(f"  certificate  SHA-256 {certificate.sha256}", soft_wrap=True)
    console.print(f"               expires {certificate.not_after:%Y-%m-%d}")
    console.print(f"  Milvus       {setup.facts.milvus_version}\n")
    console.print(checklist_table(setup.facts.checklist))
    console.print(f"\n{_snippet(setup.facts.address, certificate, folder)}\n", markup=False, soft_wrap=True)
    return True


def _snippet(address: str, certificate: CertificateFacts, folder: Path) -> str:
    pem = folder / f"{DOMAIN}.pem"
    pem.write_text(certificate.pem, encoding="utf-8")
    return (
        "from pymilvus import MilvusClient\n\n"
        f'client = MilvusClient(uri="https://{address}:{HTTPS_PORT}",\n'
        f'                      server_pem_path="{pem}",\n'
        f'                      server_name="{DOMAIN}")\n'
        "print(client.get_server_version())"
    )


def _keep(cloud: Cloud, console: Console) -> None:
    variables = "\n".join(f"  export {name}={value}" for name, value in cloud.environment.items())
    console.print(
        "The cloud keeps running until Ctrl-C. From another terminal:\n\n"
        f"  export KUBECONFIG={cloud.kubeconfig()}\n"
        f"  {Path(sys.executable).parent / 'kubectl'} get ingress,service,backendconfig\n\n"
        f"Google's client libraries reach it with\n\n{variables}\n\n"
        f"Logs of the functions and of Milvus are in {cloud.folder}",
        markup=False,
        soft_wrap=True,
    )
    signal.pause()


if __name__ == "__main__":
    sys.exit(main())
