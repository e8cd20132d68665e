"""Cloud Run function `provision_certificate`: provide the TLS Secret."""

import functions_framework
from cloudevents.http import CloudEvent

from milvus_l7 import entrypoint
from milvus_l7.domain.setup.chain import Stage


@functions_framework.cloud_event
def provision_certificate(event: CloudEvent) -> None:
    """Run the stage for one chain event; an exception or 4xx/5xx makes Pub/Sub deliver it again."""
    entrypoint.deliver(Stage.PROVISION_CERTIFICATE, event.data)
