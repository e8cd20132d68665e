"""Cloud Run function `check_drift`: find and, if allowed, repair what differs from a verified setup."""

import functions_framework
from cloudevents.http import CloudEvent

from milvus_l7 import entrypoint


@functions_framework.cloud_event
def check_drift(event: CloudEvent) -> None:
    """Handle one message; an exception or 4xx/5xx makes Pub/Sub deliver it again."""
    entrypoint.check_drift(event.data)
