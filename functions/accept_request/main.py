"""Cloud Run function `accept_request`: validate a published request and register its setup."""

import flask
import functions_framework

from milvus_l7 import entrypoint


@functions_framework.http
def accept_request(request: flask.Request) -> str:
    """Register or reject the request in one delivery; 4xx/5xx makes Pub/Sub deliver it again."""
    return entrypoint.accept(request)
