"""Cloud Run function `tear_down`: take a setup's load balancer away again."""

import flask
import functions_framework

from milvus_l7 import entrypoint


@functions_framework.http
def tear_down(request: flask.Request) -> str:
    """Register a request or run the stage; 4xx/5xx makes Pub/Sub deliver the message again."""
    return entrypoint.tear_down(request)
