"""Cloud Run function `verify_endpoint`: work through the verification checklist."""

import functions_framework
from cloudevents.http import CloudEvent

from milvus_l7 import entrypoint
from milvus_l7.domain.setup.chain import Stage


@functions_framework.cloud_event
def verify_endpoint(event: CloudEvent) -> None:
    """Run the stage for one chain event; an exception or 4xx/5xx makes Pub/Sub deliver it again."""
    entrypoint.deliver(Stage.VERIFY_ENDPOINT, event.data)
