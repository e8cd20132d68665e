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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from demo.deployment import Pacing, embedded_cloud
from demo.release import install, wait_plaintext
from demo.report import report
from demo.view import follow
from localcloud.cloud import CLUSTER, PROJECT, Cloud
from localcloud.controllers import Delays
from milvus_l7.adapters.setup.firestore import FirestoreSetups
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import CertificateType, SetupId
from milvus_l7.domain.setup.document import Setup

RELEASE = "my-release"
DOMAIN = "my-release.milvus.io"
SETUP_ID = SetupId(f"{PROJECT}.us-central1-a.milvus.default.{RELEASE}")
TIMEOUT_S = 240.0
TIMEOUT_REAL_TIME_S = 2 * 3600.0

# As on Google Cloud on a good day. The whole run then takes about that many minutes.
REAL_TIME_MINUTES = {CertificateType.SELF_MANAGED: 10, CertificateType.GOOGLE_MANAGED: 20}
REAL_TIME = Delays(address_s=60, serving_s=300, resync_s=600, probe_s=15, certificate_s=600, edge_s=300)
REAL_TIME_PACING = Pacing(pace_scale=1, push_backoff_scale=1, tick_s=60, lease_s=600, outbox_age_s=30)

# A person who waits for nothing but this may need some looks of ours to notice what is missing.
LOOKS_BEFORE_DNS = 3


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    certificate: CertificateType
    keep: bool
    real_time: bool
    emulator: list[tuple[str, str]]  # variables and addresses of others, in place of ours

    @property
    def request(self) -> dict[str, Any]:
        """Return the message that is published."""
        body: dict[str, Any] = {"cluster": CLUSTER, "release": RELEASE, "domain": DOMAIN}
        if self.certificate is CertificateType.GOOGLE_MANAGED:
            body["certificate"] = {"type": str(self.certificate)}
        return body


def main() -> int:
    """Run the demo; the exit status: 0 verified, 1 not, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the cloud running until Ctrl-C")
    parser.add_argument("--certificate", type=CertificateType, choices=list(CertificateType))
    parser.add_argument("--real-time", action="store_true", help="waits as long as on Google Cloud")
    parser.add_argument(
        "--emulator",
        type=_assignment,
        action="append",
        default=[],
        metavar="VARIABLE=HOST:PORT",
        help="another emulator in place of ours: FIRESTORE_EMULATOR_HOST or PUBSUB_EMULATOR_HOST",
    )
    parser.set_defaults(certificate=CertificateType.SELF_MANAGED)
    options = Options(**vars(parser.parse_args()))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(highlight=False)
    if options.real_time:
        minutes = REAL_TIME_MINUTES[options.certificate]
        console.print(f"Every wait lasts as long as on Google Cloud: about {minutes} minutes in all.")
    try:
        with ExitStack() as stack:
            with _step(console, "The embedded cloud runs"):
                pacing = REAL_TIME_PACING if options.real_time else Pacing()
                delays = REAL_TIME if options.real_time else None
                cloud = stack.enter_context(embedded_cloud(pacing, delays, dict(options.emulator)))
            os.environ.update(cloud.environment)
            return _run(cloud, console, options)
    except KeyboardInterrupt:
        console.print("\nStopped; everything is cleaned up.")
        return 130
    except (TimeoutError, RuntimeError) as error:
        console.print(f"[red]✗[/] {error}", soft_wrap=True)
        return 1


def _assignment(text: str) -> tuple[str, str]:
    variable, _, address = text.partition("=")
    return variable, address


def _run(cloud: Cloud, console: Console, options: Options) -> int:
    with _step(console, f"Helm release {RELEASE} installed, Milvus reached in plaintext") as said:
        install(cloud, RELEASE)
        before = wait_plaintext(cloud, f"{RELEASE}-milvus")
        said.append(f"http://{before.address}:19530, Milvus {before.version}")
    request = json.dumps(options.request)
    console.print(f"\nPublishing to l7-setup-requested:\n  {request}\n", soft_wrap=True)
    _publish(request)
    setups = FirestoreSetups(PROJECT)

    person = _Person(cloud, console)

    def load() -> Setup | None:
        found = setups.load(SETUP_ID)
        if found:
            person.look(found.setup)
        return found.setup if found else None

    setup = follow(load, console, TIMEOUT_REAL_TIME_S if options.real_time else TIMEOUT_S)
    verified = report(setup, cloud, console)
    if options.keep:
        _keep(cloud, console)
    elif verified:
        console.print(
            "All of it is removed now; `make demo KEEP=1` leaves it running to be tried.", markup=False
        )
    return 0 if verified else 1


@contextmanager
def _step(console: Console, what: str) -> Iterator[list[str]]:
    """Show that something goes on, then what came of it and how long it took."""
    started, said = time.monotonic(), list[str]()
    with console.status(what):
        yield said
    result = ": ".join([what, *said])
    console.print(f"[green]✓[/] {result} [dim]({time.monotonic() - started:.1f} s)[/]", soft_wrap=True)


@dataclass(slots=True)
class _Person:
    """Somebody who reads why the setup waits, and creates the DNS record that it asks for."""

    cloud: Cloud
    console: Console
    has_acted: bool = False

    def look(self, setup: Setup) -> None:
        record = setup.record(Stage.VERIFY_ENDPOINT)
        if self.has_acted or record.reason is not Reason.DNS_RECORD_MISSING or not setup.facts.address:
            return
        if setup.desired.is_google_managed and record.attempts >= LOOKS_BEFORE_DNS:
            self.has_acted = True
            self.cloud.zone.set_records(setup.desired.domain, {"A": [setup.facts.address]})
            self.console.print(
                f"[cyan]You create the DNS record[/]: {setup.desired.domain} A {setup.facts.address}",
                soft_wrap=True,
            )


def _publish(request: str) -> None:
    from google.cloud.pubsub_v1 import PublisherClient

    publisher = PublisherClient()
    topic = publisher.topic_path(PROJECT, "l7-setup-requested")
    publisher.publish(topic, request.encode()).result(timeout=10)
    publisher.stop()


def _keep(cloud: Cloud, console: Console) -> None:
    variables = "\n".join(
        f"  export {name}={value}" for name, value in (cloud.environment | cloud.trust).items()
    )
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
