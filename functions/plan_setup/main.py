"""Cloud Run function `plan_setup`: list every change that a set-up would make."""

import flask
import functions_framework

from milvus_l7 import entrypoint


@functions_framework.http
def plan_setup(request: flask.Request) -> str:
    """Handle one message; an exception or 4xx/5xx makes Pub/Sub deliver it again."""
    return entrypoint.plan(request)
