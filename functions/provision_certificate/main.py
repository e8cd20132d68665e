"""Cloud Run function `provision_certificate`: provide the TLS Secret."""

import flask
import functions_framework

from milvus_l7 import entrypoint
from milvus_l7.domain.setup.chain import Stage


@functions_framework.http
def provision_certificate(request: flask.Request) -> str:
    """Run the stage for one chain event; an exception or 4xx/5xx makes Pub/Sub deliver it again."""
    return entrypoint.deliver(Stage.PROVISION_CERTIFICATE, request)
