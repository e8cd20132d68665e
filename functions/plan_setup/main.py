"""Cloud Run function `plan_setup`: plan what is requested before anything is written, and answer dry runs."""

import flask
import functions_framework

from milvus_l7 import entrypoint


@functions_framework.http
def plan_setup(request: flask.Request) -> str:
    """Plan or answer in one delivery; 4xx/5xx makes Pub/Sub deliver it again."""
    return entrypoint.plan(request)
