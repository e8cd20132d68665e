"""Cloud Run function `repoll`: wake waiting setups whose time has come."""

import functions_framework
from cloudevents.http import CloudEvent

from milvus_l7 import entrypoint


@functions_framework.cloud_event
def repoll(_event: CloudEvent) -> None:
    """One tick; 4xx/5xx makes Pub/Sub deliver it again, which is harmless."""
    entrypoint.poll()
