"""Cloud Run function `configure_health_check`: give the Service its BackendConfig and annotations."""

import flask
import functions_framework

from milvus_l7 import entrypoint
from milvus_l7.domain.setup.chain import Stage


@functions_framework.http
def configure_health_check(request: flask.Request) -> str:
    """Run the stage for one chain event; an exception or 4xx/5xx makes Pub/Sub deliver it again."""
    return entrypoint.deliver(Stage.CONFIGURE_HEALTH_CHECK, request)
