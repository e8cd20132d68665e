"""Print what clients of a self-managed certificate must trust: `milvus-l7 certificate`."""

from __future__ import annotations

import sys

from milvus_l7_cli import options
from milvus_l7_cli.client.backend import connect
from milvus_l7_cli.client.lookup import find
from milvus_l7_cli.errors import CliError


def certificate(context: options.Context, setup: options.SetupName, project: options.Project = None) -> None:
    """Print the public certificate of a setup as PEM: milvus-l7 certificate my-release > tls.crt."""
    found = find(connect(context, project), setup)
    if found.desired.is_google_managed:
        raise CliError(
            f"{found.setup_id} has a Google-managed certificate: "
            "clients trust it with their system's roots and need no file."
        )
    if found.facts.certificate is None:
        raise CliError(
            f"{found.setup_id} has no certificate, it is {found.status}: milvus-l7 explain {found.setup_id}"
        )
    sys.stdout.write(found.facts.certificate.pem.rstrip("\n") + "\n")
