"""From an HTTP delivery to a use case, and from its result to acknowledge (2xx) or refuse.

Pub/Sub pushes `{"message": {...}, "subscription": ...}`; Eventarc posts the same body as a binary-mode
CloudEvent. Chain functions take it through `functions_framework.cloud_event`; `accept_request` takes the HTTP
request itself, because the framework answers 400 to a message without a body, and such a message must be
rejected by name.

    answer   when
    2xx      handled, ignored as a duplicate, or rejected with an announcement: never delivered again
    400      not an event of ours: retried, then kept in the dead-letter topic
    503      our state store or event bus did not answer: retried
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import flask

from milvus_l7 import bootstrap
from milvus_l7.application.engine import log
from milvus_l7.domain.reasons.errors import MalformedEvent, StateUnavailable
from milvus_l7.domain.request.delivery import (
    chain_event,
    chain_event_in,
    is_chain_event,
    json_object,
    pushed,
)
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.chain import Stage
from milvus_l7.domain.setup.desired import SetupId


def deliver(stage: Stage, data: object) -> None:
    """Run `stage` for the chain event in a CloudEvent's data."""
    with _answering():
        runner = bootstrap.runner(stage)
        runner.handle(chain_event(data, runner.engine.topology.trigger(stage)))


def accept(request: flask.Request) -> str:
    """Register or reject the request that a delivery carries."""
    with _answering():
        message = pushed(request.get_data())
        bootstrap.accept_request().handle(message.mark, message.body)
    return "ok"


def plan(request: flask.Request) -> str:
    """Plan what a setup requests, or answer a dry run; each comes by a topic and subscription of its own."""
    with _answering():
        runner, message = bootstrap.runner(Stage.PLAN_SETUP), pushed(request.get_data())
        topology = runner.engine.topology
        event = chain_event_in(message.body, topology.trigger(Stage.PLAN_SETUP))
        is_dry_run = message.subscription.endswith(topology.dry_run_topic)
        if event.generation == events.NO_GENERATION:
            bootstrap.answer_dry_run().handle(event)
        elif not is_dry_run:
            runner.handle(event)
        else:
            log.write("WARNING", "nothing but dry runs is accepted here", event=event)
    return "ok"


def check_drift(data: object) -> None:
    """Check the setup that the message names, or, if it names none, ask for all checks that are due."""
    with _answering():
        use_case, body = bootstrap.check_drift(), json_object(data)
        if "setup_id" in body:
            use_case.check(SetupId(str(body["setup_id"])))
            return
        served = use_case.tick()
        if served.is_full:
            log.write("WARNING", "drift checks are behind: more are due than one tick handles")


def tear_down(request: flask.Request) -> str:
    """Register a user's tear-down request, or run the stage for a chain event; both come to one topic."""
    with _answering():
        message = pushed(request.get_data())
        if is_chain_event(message.body):
            runner = bootstrap.runner(Stage.TEAR_DOWN)
            runner.handle(chain_event_in(message.body, runner.engine.topology.trigger(Stage.TEAR_DOWN)))
        else:
            bootstrap.accept_tear_down().handle(message.mark, message.body)
    return "ok"


def poll() -> None:
    """One tick of re-poll."""
    with _answering():
        tick = bootstrap.repoll().handle()
        if tick.is_full:
            log.write("WARNING", "re-poll is behind: more is due than one tick handles", woken=tick.woken)
        elif tick.woken or tick.published:
            log.write("INFO", "re-poll", woken=tick.woken, published=tick.published)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except MalformedEvent as error:
        log.write("ERROR", f"delivery refused: {error}")
        flask.abort(400, str(error))
    except StateUnavailable as error:
        log.write("ERROR", f"delivery to be retried: {error}")
        flask.abort(503, "state store or event bus unavailable")
