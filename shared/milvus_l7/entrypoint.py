"""From an HTTP delivery to a use case, and from its result to acknowledge (2xx) or refuse.

Pub/Sub pushes `{"message": {...}, "subscription": ...}`; Eventarc posts the same body as a binary-mode
CloudEvent. Every function takes the HTTP request itself: the framework's own reader of CloudEvents answers
400 to a message without a body, which must be rejected by name, and 500 to JSON that is nested too deep.

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
from milvus_l7.domain.request.delivery import chain_event, is_chain_event, named_setup, pushed
from milvus_l7.domain.setup import event as events
from milvus_l7.domain.setup.chain import Stage


def deliver(stage: Stage, request: flask.Request) -> str:
    """Run `stage` for the chain event that a delivery carries."""
    with _answering():
        message, runner = pushed(request.get_data()), bootstrap.runner(stage)
        runner.handle(chain_event(message.body, runner.engine.topology.trigger(stage)))
    return "ok"


def accept(request: flask.Request) -> str:
    """Register or reject the request that a delivery carries."""
    with _answering():
        message = pushed(request.get_data())
        bootstrap.accept_request().handle(message.mark, message.body)
    return "ok"


def plan(request: flask.Request) -> str:
    """Plan what a setup requests, or answer a dry run; each has a topic and a subscription of its own."""
    with _answering():
        runner, message = bootstrap.runner(Stage.PLAN_SETUP), pushed(request.get_data())
        topology = runner.engine.topology
        event = chain_event(message.body, topology.trigger(Stage.PLAN_SETUP))
        if event.generation == events.NO_GENERATION:
            bootstrap.answer_dry_run().handle(event)
        elif not message.subscription.startswith(topology.dry_run_topic):
            runner.handle(event)
        else:
            log.write("WARNING", "nothing but dry runs is accepted here", event=event)
    return "ok"


def check_drift(request: flask.Request) -> str:
    """Check the setup that the message names, or, if it names none, ask for all checks that are due."""
    with _answering():
        setup_id = named_setup(pushed(request.get_data()).body)
        if setup_id is not None:
            bootstrap.check_drift().check(setup_id)
        elif bootstrap.check_drift().tick().is_full:
            log.write("WARNING", "drift checks are behind: more are due than one tick handles")
    return "ok"


def tear_down(request: flask.Request) -> str:
    """Register a user's tear-down request, or run the stage for a chain event; both come to one topic."""
    with _answering():
        message = pushed(request.get_data())
        if is_chain_event(message.body):
            runner = bootstrap.runner(Stage.TEAR_DOWN)
            runner.handle(chain_event(message.body, runner.engine.topology.trigger(Stage.TEAR_DOWN)))
        else:
            bootstrap.accept_tear_down().handle(message.mark, message.body)
    return "ok"


def poll(request: flask.Request) -> str:
    """One tick of re-poll, whatever the message says."""
    with _answering():
        pushed(request.get_data())
        tick = bootstrap.repoll().handle()
        if tick.is_full:
            log.write("WARNING", "re-poll is behind: more is due than one tick handles", woken=tick.woken)
        elif tick.woken or tick.published:
            log.write("INFO", "re-poll", woken=tick.woken, published=tick.published)
    return "ok"


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
