"""The metadata server through the real google-auth, in a fresh process as a function would see it."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from localcloud.metadata import MetadataServer

EMAIL = "l7-accept@demo-project.iam.gserviceaccount.com"
# google-auth reads the environment when it is imported, hence the process of its own.
PROGRAM = """
import json, google.auth, google.auth.transport.requests
credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
credentials.refresh(google.auth.transport.requests.Request())
left = (credentials.expiry - __import__("google.auth._helpers", fromlist=["x"]).utcnow()).total_seconds()
print(json.dumps([type(credentials).__module__, project, credentials.token,
                  credentials.service_account_email, credentials.universe_domain, left]))
"""


@pytest.fixture(scope="module")
def server():
    with MetadataServer(EMAIL, "demo-project", tokens=lambda email: f"token-of-{email}") as server:
        yield server


def get(server, path, headers):
    request = urllib.request.Request(f"http://{server.address}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.read().decode(), response.headers


def test_default_credentials_are_those_of_the_identity(server, tmp_path):
    hidden = {"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "NO_GCE_CHECK"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    # No gcloud configuration of the person who runs the tests.
    environment |= {"CLOUDSDK_CONFIG": str(tmp_path), "HOME": str(tmp_path), **server.environment}
    command = [sys.executable, "-c", PROGRAM]
    output = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    module, project, token, email, universe, left_s = json.loads(output)
    assert module == "google.auth.compute_engine.credentials"
    assert (project, token, email) == ("demo-project", f"token-of-{EMAIL}", EMAIL)
    assert universe == "googleapis.com"
    assert 3500 < left_s <= 3599


def test_account_is_known_by_its_address_too(server):
    path = f"/computeMetadata/v1/instance/service-accounts/{EMAIL}/token?scopes=x"
    body, headers = get(server, path, {"Metadata-Flavor": "Google"})
    assert json.loads(body)["access_token"] == f"token-of-{EMAIL}"
    assert headers["Metadata-Flavor"] == "Google"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/computeMetadata/v1/project/project-id", {}, 403),
        ("/computeMetadata/v1/instance/service-accounts/other@x/token", {"Metadata-Flavor": "Google"}, 404),
        ("/computeMetadata/v1/instance/service-accounts/default/key", {"Metadata-Flavor": "Google"}, 404),
        ("/latest/meta-data", {"Metadata-Flavor": "Google"}, 404),
    ],
)
def test_refused(server, path, headers, status):
    with pytest.raises(urllib.error.HTTPError) as failure:
        get(server, path, headers)
    with failure.value:
        assert failure.value.code == status
