"""Cloud Run function `plan_setup`: list every change that a set-up would make."""

import functions_framework
from cloudevents.http import CloudEvent

from milvus_l7 import entrypoint


@functions_framework.cloud_event
def plan_setup(event: CloudEvent) -> None:
    """Handle one message; an exception or 4xx/5xx makes Pub/Sub deliver it again."""
    entrypoint.plan(event.data)
