"""What must be true when everything has ended, whatever happened before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from milvus_l7.domain.kubernetes import kinds
from milvus_l7.domain.request.request import Refused, parse, parse_tear_down
from milvus_l7.domain.setup.document import Setup, Status
from milvus_l7.domain.text.untrusted import mapping
from milvus_l7.ports import ObjectRef
from tests.builders import desired
from tests.simulation.bus import REQUESTED, TEAR_DOWN, Message
from tests.simulation.cluster import NAMESPACE, Site
from tests.simulation.google import hosts
from tests.simulation.world import THEIRS, World

MOST_PUBLISHED = 1500  # events for one release
OURS = ("cloud.google.com/neg", "cloud.google.com/backend-config", "cloud.google.com/app-protocols")


def broken(world: World, sites: Sequence[Site]) -> list[str]:
    """Return what is not as it must be."""
    general = [*world.violations, *_unanswered(world), *_untidy(world, sites)]
    stuck = [problem for site in sites for problem in _stuck(world, site)]
    if general or stuck:
        return [*general, *stuck]
    return [f"{site.release}: {problem}" for site in sites for problem in _end_state(world, site)]


def setup_of(world: World, site: Site) -> Setup | None:
    """Return the release's setup, if there is one."""
    found = world.setups.stored.get(desired(release=site.release).setup_id)
    return found.setup if found else None


def accepted(world: World, site: Site) -> list[Message]:
    """Return the valid requests for a release, in the order in which Pub/Sub took them."""
    found = [message for message in world.sent if _names(message, site) and _is_valid(message)]
    return sorted(found, key=lambda message: message.mark)


def _names(message: Message, site: Site) -> bool:
    return message.is_request and json.loads(message.body).get("release") == site.release


def _is_valid(message: Message) -> bool:
    try:
        if message.topic == REQUESTED:
            return not parse(message.body).is_dry_run
        parse_tear_down(message.body)
    except Refused:
        return False
    return True


def failed(world: World, site: Site) -> Iterator[str]:
    """Yield why the setup has failed, unless that had to be: a refusal, patience at its end, a deletion."""
    setup, messages = setup_of(world, site), accepted(world, site)
    if setup is None or not messages or site.release in world.meddled:
        return
    if setup.status is Status.FAILED and not _is_given_up(setup) and not _is_bad(messages[-1]):
        yield f"failed: {setup.stages}"


def _is_given_up(setup: Setup) -> bool:
    """A wait or a budget came to its end in the storm; that is told, and a new request begins anew."""
    return any(tells_of_an_end(record.message) for record in setup.stages.values())


def tells_of_an_end(message: str) -> bool:
    """Return whether a wait or a budget came to its end."""
    return "gave up" in message or "without a result" in message


def _is_bad(message: Message) -> bool:
    """Whether its plan must refuse the request."""
    if message.topic == TEAR_DOWN:
        return False
    wanted = parse(message.body).desired
    return wanted.certificate.secret is not None or (wanted.dns_zone or "").endswith("other")


def last_to_repeat(world: World, site: Site) -> Message | None:
    """Return the last request, if what it asked for has come about."""
    setup, messages = setup_of(world, site), accepted(world, site)
    if setup is None or not messages:
        return None
    wanted = Status.TORN_DOWN if messages[-1].topic == TEAR_DOWN else Status.VERIFIED
    return messages[-1] if setup.status is wanted and setup.refusal is None else None


def _unanswered(world: World) -> Iterator[str]:
    """Every request is accepted, which its entry in the history says, or rejected, which is announced."""
    entries = {entry_id.rpartition(".")[2] for _, entry_id in world.setups.entries}
    known = entries | {rejection.request_id for rejection in world.rejected}
    planned = {plan.plan_id.rpartition(".")[2] for plan in world.plans.stored.values() if plan.made_at}
    for message in world.sent:
        if message.is_request and message.message_id not in known | planned and message not in world.dead:
            yield f"no answer to {message}"


def _untidy(world: World, sites: Sequence[Site]) -> Iterator[str]:
    yield from (f"left in the outbox: {each}" for each in world.setups.outbox)
    yield from (f"history entry twice: {each}" for each in world.setups.twice)
    if len(world.published) > MOST_PUBLISHED * len(sites):
        yield f"{len(world.published)} events published"
    theirs = world.kube.stored.get(ObjectRef(*kinds.SECRET, NAMESPACE, str(THEIRS["name"])))
    if theirs is None or theirs["data"] != {"tls.crt": "eA=="}:
        yield "a foreign Secret was touched"


def _stuck(world: World, site: Site) -> Iterator[str]:
    setup = setup_of(world, site)
    if setup is None:
        return
    effect = setup.effect if setup.status is not Status.FAILED else None
    left = (setup.poll_at, setup.lease, setup.requested, effect)
    if any(left):
        yield f"stuck: {setup.setup_id} {setup.status} {left}"


def _end_state(world: World, site: Site) -> list[str]:
    setup, messages = setup_of(world, site), accepted(world, site)
    if not messages or setup is None:
        return [] if not messages and setup is None else [f"{setup} after {messages}"]
    last = messages[-1]
    if setup.order != last.mark and last not in world.dead:
        return [f"the last request is {last.mark}, the setup's {setup.order}"]
    if last.topic == TEAR_DOWN:
        return _torn_down(world, site, setup, restore=parse_tear_down(last.body).restore_l4)
    return _set_up(world, site, setup, last)


def _set_up(world: World, site: Site, setup: Setup, last: Message) -> list[str]:
    wanted = parse(last.body).desired
    if _is_bad(last):
        is_first = setup.status is Status.FAILED and setup.desired == wanted
        is_refused = setup.refusal is not None and setup.refusal.generation == setup.generation
        return [] if is_first or is_refused else [f"not refused: {setup.status}"]
    if setup.status is not Status.VERIFIED or setup.desired != wanted:
        return [f"{setup.status}, {setup.desired} instead of {wanted}, {setup.refusal}, {setup.stages}"]
    return list(_not_served(world, site, setup))


def _not_served(world: World, site: Site, setup: Setup) -> Iterator[str]:
    stored, wanted = world.kube.stored, setup.desired
    ingress = stored.get(site.ref(kinds.INGRESS)) or {}
    if hosts(ingress) != [wanted.domain]:
        yield f"hosts {hosts(ingress)}"
    config = stored.get(site.ref(kinds.BACKEND_CONFIG, "-backendconfig"))
    if mapping(config, "spec").get("timeoutSec") != wanted.backend_timeout_s:
        yield f"time-out {mapping(config, 'spec').get('timeoutSec')}"
    if stored[site.ref(kinds.SERVICE)]["spec"]["type"] != "ClusterIP":
        yield "the Service has a type of its own"
    names = mapping(ingress, "metadata", "annotations").get("networking.gke.io/managed-certificates")
    if bool(names) is not wanted.is_google_managed:
        yield f"managed certificates {names}"
    managed = [ref.name for ref in stored if ref.kind == "ManagedCertificate" and site.owns(ref.name)]
    if len(managed) != int(wanted.is_google_managed):
        yield f"ManagedCertificates {managed}"


def _torn_down(world: World, site: Site, setup: Setup, *, restore: bool) -> list[str]:
    if setup.status is not Status.TORN_DOWN:
        return [f"{setup.status}: {setup.stages}"]
    return [*_left_behind(world, site), *(_unrestored(world, site) if restore else ())]


def _left_behind(world: World, site: Site) -> Iterator[str]:
    for ref, live in world.kube.stored.items():
        labels = live["metadata"].get("labels", {})
        if site.owns(ref.name) and labels.get("app.kubernetes.io/managed-by") == "milvus-l7":
            yield f"left behind: {ref.kind} {ref.name}"
    service = world.kube.stored[site.ref(kinds.SERVICE)]
    for annotation in set(OURS) & set(service["metadata"].get("annotations", {})):
        yield f"annotation left: {annotation}"
    yield from (f"record left: {each.name}" for each in world.zones.stored if site.owns(each.name))


def _unrestored(world: World, site: Site) -> Iterator[str]:
    service = world.kube.stored[site.ref(kinds.SERVICE)]
    config = world.kube.stored[site.ref(kinds.CONFIG_MAP)]["data"]["user.yaml"]
    if service["spec"]["type"] != "LoadBalancer" or "tlsMode" in config:
        yield f"not restored: {service['spec']['type']} {config!r}"
