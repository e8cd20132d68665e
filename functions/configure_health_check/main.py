"""Cloud Run function `configure_health_check`: give the Service its BackendConfig and annotations."""

import functions_framework
from cloudevents.http import CloudEvent

from milvus_l7 import entrypoint
from milvus_l7.domain.setup.chain import Stage


@functions_framework.cloud_event
def configure_health_check(event: CloudEvent) -> None:
    """Run the stage for one chain event; an exception or 4xx/5xx makes Pub/Sub deliver it again."""
    entrypoint.deliver(Stage.CONFIGURE_HEALTH_CHECK, event.data)
