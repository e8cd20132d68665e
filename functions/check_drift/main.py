"""Cloud Run function `check_drift`: find and, if allowed, repair what differs from a verified setup."""

import flask
import functions_framework

from milvus_l7 import entrypoint


@functions_framework.http
def check_drift(request: flask.Request) -> str:
    """Handle one message; an exception or 4xx/5xx makes Pub/Sub deliver it again."""
    return entrypoint.check_drift(request)
