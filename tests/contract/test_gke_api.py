"""The GKE API emulator through the real `google-cloud-container` client."""

import base64

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import container_v1
from google.cloud.container_v1.services.cluster_manager.transports import ClusterManagerGrpcTransport

from localcloud.gke_api import ClusterFacts, GkeApiEmulator

NAME = "projects/p/locations/us-central1-a/clusters/milvus"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def clusters():
    return {NAME: ClusterFacts(endpoint="127.0.0.1:6443", ca_pem=PEM)}


@pytest.fixture(scope="module")
def client(clusters):
    with GkeApiEmulator(clusters) as emulator, grpc.insecure_channel(emulator.address) as channel:
        yield container_v1.ClusterManagerClient(transport=ClusterManagerGrpcTransport(channel=channel))


def test_cluster_has_endpoint_and_certificate(client):
    cluster = client.get_cluster(name=NAME)
    assert (cluster.name, cluster.location, cluster.endpoint) == ("milvus", "us-central1-a", "127.0.0.1:6443")
    assert cluster.status == container_v1.Cluster.Status.RUNNING
    assert base64.b64decode(cluster.master_auth.cluster_ca_certificate).decode() == PEM


def test_cluster_without_dns_endpoint_says_so(client):
    assert not client.get_cluster(name=NAME).control_plane_endpoints_config.dns_endpoint_config.endpoint


def test_older_form_of_the_request_finds_the_same_cluster(client):
    cluster = client.get_cluster(project_id="p", zone="us-central1-a", cluster_id="milvus")
    assert cluster.endpoint == "127.0.0.1:6443"


def test_unknown_cluster_is_not_found(client):
    with pytest.raises(exceptions.NotFound, match="clusters/other"):
        client.get_cluster(name=NAME.replace("milvus", "other"))


def test_malformed_name_is_refused(client):
    with pytest.raises(exceptions.InvalidArgument):
        client.get_cluster(name="clusters/milvus")


def test_cluster_added_while_running_is_found(client, clusters):
    added = NAME.replace("milvus", "added")
    clusters[added] = ClusterFacts(endpoint="127.0.0.1:7443", ca_pem=PEM)
    assert client.get_cluster(name=added).endpoint == "127.0.0.1:7443"
