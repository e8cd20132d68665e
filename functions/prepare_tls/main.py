"""Cloud Run function `prepare_tls`: bring the Helm release to TLS and service type ClusterIP."""

import flask
import functions_framework

from milvus_l7 import entrypoint
from milvus_l7.domain.setup.chain import Stage


@functions_framework.http
def prepare_tls(request: flask.Request) -> str:
    """Run the stage for one chain event; an exception or 4xx/5xx makes Pub/Sub deliver it again."""
    return entrypoint.deliver(Stage.PREPARE_TLS, request)
