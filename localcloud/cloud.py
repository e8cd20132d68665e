"""The embedded cloud in one object: start it, talk to it through real clients, leave nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from localcloud.addresses import Addresses
from localcloud.authority import Authority, trust
from localcloud.cloud_dns import CloudDnsEmulator
from localcloud.controllers import ControlPlane, Delays, PublicServices
from localcloud.deployment import Deployment
from localcloud.firestore import FirestoreEmulator
from localcloud.functions import Functions
from localcloud.gates import Gates
from localcloud.gke_api import ClusterFacts, GkeApiEmulator
from localcloud.guard import Guard
from localcloud.kube import KubeApi
from localcloud.messaging import Messaging
from localcloud.metadata import MetadataServer
from localcloud.pubsub import Delivery, PubSubEmulator
from localcloud.ticker import Ticker
from localcloud.zone import Zone

PROJECT = "milvus-testing-nonprod"
CLUSTER = f"projects/{PROJECT}/locations/us-central1-a/clusters/milvus"
MANAGED_ZONE = f"projects/{PROJECT}/managedZones/milvus-io"
OPERATOR = "operator@example.com"


@dataclass(frozen=True, slots=True)
class MessagingPace:
    """How much quicker than on Google Cloud messages come."""

    push_backoff_scale: float = 0.05  # of Pub/Sub's redelivery back-off
    tick_s: float = 1.0  # seconds, instead of the scheduler's minute


class Cloud:
    """Pub/Sub, Firestore, GKE with one cluster, DNS and the deployed functions, on loopback addresses.

    A context manager; leaving it, or the end of the process in any way, stops and removes everything.
    """

    def __init__(
        self,
        deployment: Deployment,
        pace: MessagingPace = MessagingPace(),
        delays: Delays | None = None,
        others: Mapping[str, str] | None = None,
    ) -> None:
        """`others`: addresses of other emulators, in place of ours, by the variables in `environment`."""
        self._deployment = deployment
        self._topology = deployment.topology
        self._pace = pace
        self._stack = ExitStack()
        self.delays = delays or Delays()
        self.gates = Gates()
        self._others = dict(others or {})

    def __enter__(self) -> Cloud:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        self.guard = stack.enter_context(Guard())
        self.folder = Path(tempfile.mkdtemp(prefix="milvus-l7-"))
        self.guard.own_folder(self.folder)
        self._start_control_planes(stack)
        self.functions = Functions(
            self.guard, self.folder, self._deployment.bundle, self._function_environments(stack)
        )
        self.functions.start()
        self._start_cluster(stack)
        self.messaging = Messaging(self.environment["PUBSUB_EMULATOR_HOST"], PROJECT)
        stack.callback(self.messaging.close)
        endpoints = {name: function.url for name, function in self.functions.all.items()}
        self.messaging.create(self._topology, endpoints)
        self.functions.wait_ready()
        stack.enter_context(Ticker(self.messaging.publish, self._topology["schedules"], self._pace.tick_s))

    def _start_control_planes(self, stack: ExitStack) -> None:
        self.kube = stack.enter_context(KubeApi(gates=self.gates))
        self.pubsub = stack.enter_context(PubSubEmulator(gates=self.gates))
        self.pubsub.delivery = Delivery(backoff_scale=self._pace.push_backoff_scale)
        self.firestore = stack.enter_context(FirestoreEmulator(gates=self.gates))
        clusters = {CLUSTER: ClusterFacts(self.kube.endpoint, self.kube.ca_pem)}
        self.gke_api = stack.enter_context(GkeApiEmulator(clusters, gates=self.gates))
        self.zone = stack.enter_context(Zone())
        self.cloud_dns = stack.enter_context(
            CloudDnsEmulator({MANAGED_ZONE: "milvus.io."}, self.zone.set_records, gates=self.gates)
        )
        self.authority = Authority()
        self.authority.write_roots(self.roots)

    def _start_cluster(self, stack: ExitStack) -> None:
        addresses = Addresses()
        stack.callback(addresses.close)
        public = PublicServices(self.authority, self.zone.lookup)
        self.control_plane = ControlPlane(self.kube, self.guard, addresses, self.folder, public)
        self.control_plane.delays = self.delays
        self.control_plane.start()
        stack.callback(self.control_plane.stop)

    def _function_environments(self, stack: ExitStack) -> dict[str, dict[str, str]]:
        scratch = self.folder / "tmp"
        scratch.mkdir()
        common = {
            **self._topology["environment"],
            **self.environment,
            **self.trust,
            "TMPDIR": str(scratch),
            "KUBECACHEDIR": str(scratch),
            "CLOUDSDK_CONFIG": str(self.folder / "no-gcloud"),
            **self._deployment.settings(self.zone.address),
        }
        environments = {}
        for name, function in self._topology["functions"].items():
            identity = f"{function['identity']}@{PROJECT}.iam.gserviceaccount.com"
            metadata = stack.enter_context(MetadataServer(identity, PROJECT, self.kube.issue_token))
            environments[name] = {**common, **metadata.environment}
        return environments

    @property
    def environment(self) -> dict[str, str]:
        """Return what any client needs in its environment to talk to this cloud instead of Google's."""
        return {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PUBSUB_EMULATOR_HOST": self.pubsub.address,
            "FIRESTORE_EMULATOR_HOST": self.firestore.address,
            "CONTAINER_EMULATOR_HOST": self.gke_api.address,
            "CLOUD_DNS_EMULATOR_HOST": self.cloud_dns.address,
        } | self._others

    @property
    def roots(self) -> Path:
        """Return the file of this cloud's root certificates: the public ones, and its own authority's."""
        return self.folder / "roots.pem"

    @property
    def trust(self) -> dict[str, str]:
        """Return environment variables that make a process take `roots` for the system's.

        To be set before the process starts: gRPC reads them once.
        """
        return trust(self.roots)

    def kubeconfig(self) -> Path:
        """Return a kubeconfig for the cluster, as a person with all rights."""
        path = self.folder / "kubeconfig"
        path.write_text(self.kube.kubeconfig(self.kube.issue_token(OPERATOR)), encoding="utf-8")
        path.chmod(0o600)
        return path
