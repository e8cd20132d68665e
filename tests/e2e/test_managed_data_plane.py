"""Google-managed certificates on a real Envoy, without any function of the product and without Milvus."""

from __future__ import annotations

import base64
import http.client
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from localcloud.addresses import HTTPS_PORT, Addresses
from localcloud.authority import NAME, Authority
from localcloud.controllers import BAD_DAY, ControlPlane, Delays, PublicServices, Quirks
from localcloud.controllers.client import KubeClient
from localcloud.guard import Guard
from localcloud.kube import KubeApi
from localcloud.zone import Zone
from milvus_l7.adapters.certificates.x509 import X509Certificates
from tests.e2e.stage_play import IS_BAD_DAY, on_this_day

pytestmark = pytest.mark.e2e

Object = dict[str, Any]

DOMAIN = "milvus.example.org"
CORE = "/api/v1/namespaces/default"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
CERTIFICATES = "/apis/networking.gke.io/v1/namespaces/default/managedcertificates"
ANNOTATION = "networking.gke.io/managed-certificates"
QUICK = Delays(address_s=0.2, serving_s=0.2, resync_s=0.5, certificate_s=0.3, edge_s=0.3)
DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """One Ingress without an endpoint behind it: its certificates are all that matters here."""

    kube: KubeClient
    zone: Zone
    roots: Path

    def address(self) -> str:
        status = (self.kube.find(f"{INGRESSES}/ing") or {}).get("status") or {}
        ingress = (status.get("loadBalancer") or {}).get("ingress") or []
        return str(ingress[0]["ip"]) if ingress else ""

    def attach(self, names: str, *secrets: str) -> None:
        tls = [{"secretName": name} for name in secrets]
        annotations = {ANNOTATION: names or None}
        self.kube.patch(f"{INGRESSES}/ing", {"metadata": {"annotations": annotations}, "spec": {"tls": tls}})

    def create_certificate(self, name: str, *domains: str) -> None:
        names = {"apiVersion": "networking.gke.io/v1", "kind": "ManagedCertificate"}
        body = {**names, "metadata": {"name": name}, "spec": {"domains": list(domains)}}
        self.kube.create(CERTIFICATES, body)

    def status(self, name: str) -> str:
        status = (self.kube.find(f"{CERTIFICATES}/{name}") or {}).get("status") or {}
        return str(status.get("certificateStatus", ""))

    def issuer(self) -> str:
        """Common name of the served certificate's issuer; "" when there is no TLS."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with (
                socket.create_connection((self.address(), HTTPS_PORT), 2) as connection,
                context.wrap_socket(connection, server_hostname=DOMAIN) as session,
            ):
                der = session.getpeercert(binary_form=True) or b""
        except OSError:
            return ""
        (name,) = x509.load_der_x509_certificate(der).issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(name.value)

    def verified_connection(self) -> http.client.HTTPSConnection:
        """A connection to the domain that was made with default verification against `roots`."""
        context = ssl.create_default_context(cafile=str(self.roots))
        connection = http.client.HTTPSConnection(DOMAIN, HTTPS_PORT, context=context, timeout=5)
        raw = socket.create_connection((self.address(), HTTPS_PORT), 5)
        connection.sock = context.wrap_socket(raw, server_hostname=DOMAIN)
        return connection


def eventually(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    state, addresses, authority = Path(tempfile.mkdtemp(prefix="milvus-l7-")), Addresses(), Authority()
    authority.write_roots(state / "roots.pem")
    with Guard() as guard, KubeApi() as api, Zone() as zone:
        guard.own_folder(state)
        user = KubeClient(api.url, api.ca_pem, api.issue_token("operator"))
        create_objects(user)
        with ControlPlane(api, guard, addresses, state, PublicServices(authority, zone.lookup)) as plane:
            plane.delays = on_this_day(QUICK)
            plane.quirks = BAD_DAY if IS_BAD_DAY else Quirks()
            yield Cluster(user, zone, state / "roots.pem")
        user.close()
    addresses.close()
    shutil.rmtree(state, ignore_errors=True)


def create_objects(kube: KubeClient) -> None:
    from datetime import UTC, datetime

    pair = X509Certificates().issue(DOMAIN, 30, datetime.now(UTC))
    texts = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "own"}, "type": "kubernetes.io/tls"}
    kube.create(f"{CORE}/secrets", {**secret, "data": data})
    metadata = {"name": "svc", "annotations": {"cloud.google.com/neg": '{"ingress": true}'}}
    ports = [{"name": "milvus", "port": 19530}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}
    kube.create(f"{CORE}/services", service)
    backend = {"service": {"name": "svc", "port": {"number": 19530}}}
    rules = [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "ing"}}
    kube.create(INGRESSES, {**ingress, "spec": {"rules": rules, "tls": [{"secretName": "own"}]}})


def test_certificates_come_and_go_without_closing_a_connection(cluster: Cluster) -> None:
    """Self-signed alone, both (managed first), managed alone, both, self-signed alone."""
    eventually(lambda: cluster.issuer() == DOMAIN, "the Secret's certificate is served")
    cluster.create_certificate("one", DOMAIN)
    cluster.attach("one", "own")
    time_without_dns = eventually(lambda: cluster.status("one"), "a status")
    assert (time_without_dns, cluster.issuer()) == ("Provisioning", DOMAIN)

    cluster.zone.set_records(DOMAIN, {"A": [cluster.address()]})
    eventually(lambda: cluster.issuer() == NAME, "the managed certificate is served first")
    assert cluster.status("one") == "Active"
    annotations = (cluster.kube.find(f"{INGRESSES}/ing") or {})["metadata"]["annotations"]
    assert len(annotations["ingress.kubernetes.io/ssl-cert"].split(",")) == 2

    connection = cluster.verified_connection()
    assert answer(connection) == 502
    cluster.attach("one")
    eventually(lambda: attached_certificates(cluster) == 1, "the Secret's certificate is detached")
    assert (answer(connection), cluster.issuer()) == (502, NAME)

    cluster.attach("one", "own")
    eventually(lambda: attached_certificates(cluster) == 2, "the Secret's certificate is attached")
    cluster.kube.delete(f"{CERTIFICATES}/one")
    cluster.attach("", "own")
    eventually(lambda: cluster.issuer() == DOMAIN, "the Secret's certificate is served again")
    # Longer than Envoy drains what it has replaced.
    time.sleep(2)
    assert answer(connection) == 502
    connection.close()


def test_https_port_without_any_issued_certificate_refuses_the_handshake_until_there_is_one(
    cluster: Cluster,
) -> None:
    cluster.zone.set_records(DOMAIN, {})
    cluster.create_certificate("two", DOMAIN)
    cluster.attach("two")
    eventually(lambda: cluster.issuer() == "", "no certificate is served")
    eventually(lambda: is_open(cluster), "the port is open all the same")
    assert cluster.issuer() == ""
    cluster.zone.set_records(DOMAIN, {"A": [cluster.address()]})
    eventually(lambda: cluster.issuer() == NAME, "the managed certificate is served")
    connection = cluster.verified_connection()
    assert answer(connection) == 502
    connection.close()


def is_open(cluster: Cluster) -> bool:
    try:
        socket.create_connection((cluster.address(), HTTPS_PORT), 2).close()
    except ConnectionRefusedError:
        return False
    return True


def attached_certificates(cluster: Cluster) -> int:
    annotations = (cluster.kube.find(f"{INGRESSES}/ing") or {})["metadata"]["annotations"]
    return len(annotations.get("ingress.kubernetes.io/ssl-cert", "").split(","))


def answer(connection: http.client.HTTPSConnection) -> int:
    """Status of a request over the connection as it is; it is not opened anew."""
    assert connection.sock is not None
    connection.request("GET", "/", headers={"Host": DOMAIN})
    response = connection.getresponse()
    response.read()
    return response.status
