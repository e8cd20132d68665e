"""Cloud Run function `repoll`: wake waiting setups whose time has come."""

import flask
import functions_framework

from milvus_l7 import entrypoint


@functions_framework.http
def repoll(request: flask.Request) -> str:
    """One tick; 4xx/5xx makes Pub/Sub deliver it again, which is harmless."""
    return entrypoint.poll(request)
