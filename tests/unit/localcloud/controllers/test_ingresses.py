"""What the emulated Ingress controller says and does, word for word as Google's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from localcloud.authority import Authority
from localcloud.controllers import object_annotations
from localcloud.controllers.certificates.ssl_certificates import SslCertificates
from localcloud.controllers.delays import Delays
from localcloud.controllers.events import BURST, Allowance
from localcloud.controllers.ingress import names
from localcloud.controllers.ingress.ingresses import FINALIZER, Edge, Ingresses
from localcloud.controllers.ingress.quotas import Quotas
from localcloud.controllers.quirks import Quirks
from localcloud.envoy.model import Balancing
from localcloud.envoy.process import Health
from tests.unit.frontend.controller_texts import TABLE
from tests.unit.localcloud.controllers.test_translation import (
    ALPHA,
    APP_PROTOCOLS,
    NEG,
    a_backend_config,
    a_pair,
    a_secret,
    a_service,
    an_ingress,
)

Object = dict[str, Any]
DIFFERENCES = (
    (
        "queues back off from 0.5 s to 5 s, and resync every 2 s, instead of 5 ms to 1000 s and ten minutes",
        "so that tests end; the order is the same, and a bad day has slower ones (`BAD_DAY=1`)",
    ),
    (
        "the race against the network endpoint group, a quota that is used up at first, separate queues, "
        "failed attempts in the certificate as a whole, and events dropped after a burst are off unless a "
        "test, or `BAD_DAY=1`, switches them on",
        "they happen now and then there, and always on a bad day here",
    ),
    ("no quota but those of backend services and SSL certificates", "one of each phase is enough"),
    ("no static address can be reserved, so every name of one is absent", "the product names none"),
    ("one front end for 443 and 80 on ports 8443 and 8080, by Envoy", "ports below 1024 need privileges"),
    (
        "names that need trimming are trimmed in other places",
        "nobody may rebuild them: `neg-status` and the annotations tell them",
    ),
    (
        "which pairs Compute Engine refuses is from its documentation; all are refused in the words of one",
        "only that text was seen",
    ),
    ("events of one reason are not combined after ten", "the product reads what is combined all the same"),
)
ADDRESS = "192.0.2.1"
NEG_WISH, BACKEND_CONFIG = "cloud.google.com/neg", "cloud.google.com/backend-config"
AT_ONCE = Delays(address_s=0, serving_s=0, resync_s=3600, retry_s=0)


class World:
    """Store, client, Envoy and addresses of the controller in one; nothing waits."""

    def __init__(self) -> None:
        self.objects: dict[str, list[Object]] = {
            "ingresses": [],
            "services": [],
            "backendconfigs": [],
            "pods": [],
        }
        self.secrets: dict[str, Object] = {}
        self.events: list[tuple[str, str, str]] = []
        self.said: dict[str, int] = {}  # how often, by message
        self.names: dict[str, str] = {}  # of Events -> message
        self.served: dict[str, Balancing] = {}
        self.ssl = SslCertificates(Authority(), lambda _name, _kind: ())
        edge = Edge(self, self, self.ssl)  # type: ignore[arg-type]
        self.controller = Ingresses(self, self, edge)  # type: ignore[arg-type]
        self.controller.delays = AT_ONCE
        self.versions = 1
        self.objects["services"].append(a_service())
        self.objects["backendconfigs"].append(a_backend_config())
        self.ingress = self.put(an_ingress(tls=[{"secretName": "tls"}]))
        self.secrets["tls"] = a_secret(**dict(zip(("tls.crt", "tls.key"), a_pair(), strict=True)))

    def put(self, ingress: Object) -> Object:
        self.objects["ingresses"] = [{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **ingress}]
        self.touch()
        return self.objects["ingresses"][0]

    def touch(self) -> None:
        self.versions += 1
        self.objects["ingresses"][0]["metadata"]["resourceVersion"] = str(self.versions)

    def annotate(self, **annotations: str) -> None:
        self.ingress["metadata"]["annotations"] |= annotations
        self.touch()

    @property
    def service(self) -> Object:
        return self.objects["services"][0]

    def list(self, kind: str) -> list[Object]:
        return self.objects[kind]

    def find(self, kind: str, namespace: str = "", name: str = "") -> Object | None:
        if kind.startswith("/"):
            return self.secrets.get(kind.rpartition("/")[2])
        return next((item for item in self.objects[kind] if item["metadata"]["name"] == name), None)

    def create(self, path: str, body: Object) -> None:
        self.said[body["message"]] = 1
        self.names[body["metadata"]["name"]] = body["message"]
        self.events.append((body["type"], body["reason"], body["message"]))

    def patch(self, path: str, body: Object) -> None:
        if "/events/" in path:
            self.said[self.names[path.rpartition("/")[2]]] = body["count"]
            return
        annotations = body.get("metadata", {}).get("annotations", {})
        present = self.ingress["metadata"]["annotations"]
        present |= annotations
        for key in [key for key, value in present.items() if value is None]:
            del present[key]
        if "finalizers" in body.get("metadata", {}):
            self.ingress["metadata"]["finalizers"] = body["metadata"]["finalizers"] or []
        if "status" in body:
            self.ingress["status"] = body["status"]
        self.touch()

    def lease(self, _owner: str) -> str:
        return ADDRESS

    def release(self, _owner: str) -> None: ...

    def serve(self, owner: str, part: Balancing) -> None:
        self.served[owner] = part

    def health(self) -> dict[str, Health]:
        return {NEG: Health.HEALTHY}

    def rounds(self, count: int = 3) -> list[str]:
        """Some rounds; what was said for the first time in them."""
        before = len(self.events)
        for _ in range(count):
            self.controller.reconcile()
        return [message for _, _, message in self.events[before:]]

    @property
    def announced(self) -> int:
        """How many syncs were announced."""
        return self.said.get("Scheduled for sync", 0)

    def warnings(self) -> list[tuple[str, str]]:
        self.rounds()
        return [(reason, message) for kind, reason, message in self.events if kind == "Warning"]


@pytest.fixture
def world() -> World:
    return World()


def wish(key: str, value: str | None) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.service["metadata"]["annotations"] |= {key: value} if value is not None else {}
        if value is None:
            del world.service["metadata"]["annotations"][key]

    return change


def secret(**data: str) -> Callable[[World], None]:
    return lambda world: world.secrets.update(tls=a_secret(**data))


def tls(*entries: Object) -> Callable[[World], None]:
    return lambda world: world.ingress["spec"].update(tls=list(entries))


def neither(world: World) -> None:
    world.ingress["spec"].pop("tls")
    world.annotate(**{object_annotations.ALLOW_HTTP: "false"})


SPOILT: dict[str, Callable[[World], None]] = {
    "certificate refused": secret(**{"tls.crt": a_pair()[0], "tls.key": "nonsense"}),
    "Secret absent": lambda world: world.secrets.clear(),
    "no secretName": tls({"hosts": ["a.example"]}),
    "no tls.key": secret(**{"tls.crt": "x"}),
    "static IP absent": lambda world: world.annotate(**{object_annotations.STATIC_IP: "x"}),
    "neither HTTP nor TLS": neither,
    "pre-shared certificate absent": lambda w: w.annotate(**{object_annotations.PRE_SHARED_CERT: "mcrt-1"}),
    "quota of backend services": lambda w: setattr(w.controller, "quotas", Quotas(backend_services=0)),
    "health check of an unknown type": lambda w: w.objects.update(
        backendconfigs=[a_backend_config(type="GRPC")]
    ),
    "synced before its NEG exists": lambda w: setattr(w.controller, "quirks", Quirks(neg_race=True)),
    "port absent": lambda w: w.service["spec"].update(ports=w.service["spec"]["ports"][1:]),
    "Service absent": lambda w: w.objects["services"].clear(),
    "ClusterIP without NEG": wish(NEG_WISH, None),
    "BackendConfig absent": lambda w: w.objects["backendconfigs"].clear(),
    "backend-config {}": wish(BACKEND_CONFIG, "{}"),
    "backend-config broken": wish(BACKEND_CONFIG, "{"),
    "app-protocols broken": wish(APP_PROTOCOLS, "{"),
    "app-protocols unknown": wish(APP_PROTOCOLS, '{"milvus": "h2c"}'),
    "app-protocols a number": wish(APP_PROTOCOLS, '{"milvus": 2}'),
}
NEVER_HERE = {"quota of forwarding rules"}  # the embedded cloud has no such quota


def shape(text: str) -> str:
    """The text without what every cluster names its own way."""
    text = re.sub(r"projects/[^/]+/", "projects/p/", text)
    text = re.sub(r"loadbalancer \S+ does", "loadbalancer X does", text)
    text = re.sub(r"k8s2-cr-\w+-[0-9a-f]{16}-[0-9a-f]{16}", "k8s2-cr-X", text)
    text = re.sub(r"k8s1-[-\w]+", "k8s1-X", text)
    text = re.sub(r"Limit: \d+", "Limit: N", text)
    return re.sub(r"default/(svc|milvus)", "default/S", text).replace('"tls"', '"x"')


@pytest.mark.parametrize(
    ("cause", "event_reason", "text"), [row[:3] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_goes_wrong_is_said_as_the_real_controller_says_it(
    world: World, cause: str, event_reason: str, text: str
) -> None:
    if cause in NEVER_HERE:
        assert cause not in SPOILT
        return
    SPOILT[cause](world)
    assert {(reason, shape(message)) for reason, message in world.warnings()} == {(event_reason, shape(text))}


def test_faults_of_several_backends_are_joined(world: World) -> None:
    other = {
        "path": "/x",
        "pathType": "Prefix",
        "backend": {"service": {"name": "no", "port": {"number": 1}}},
    }
    world.ingress["spec"]["rules"][0]["http"]["paths"].append(other)
    wish(NEG_WISH, None)(world)
    ((_, message),) = world.warnings()
    assert message.endswith('when not using NEGs; could not find service "default/no"')


def test_type_of_the_service_comes_before_its_annotations(world: World) -> None:
    for key, value in ((NEG_WISH, None), (APP_PROTOCOLS, "{"), (ALPHA, "{"), (BACKEND_CONFIG, "{")):
        wish(key, value)(world)
    ((_, message),) = world.warnings()
    assert message.endswith("when not using NEGs")


def test_first_address_is_announced_with_what_was_made(world: World) -> None:
    said = world.rounds()
    kinds = [re.sub(r' ".*"', "", message) for message in said]
    made = ["UrlMap", "TargetProxy", "ForwardingRule", "TargetProxy", "ForwardingRule"]
    assert kinds == ["Scheduled for sync", *(f"{kind} created" for kind in made), f"IP is now {ADDRESS}"]
    annotations = world.ingress["metadata"]["annotations"]
    assert (
        annotations["ingress.kubernetes.io/static-ip"] == annotations["ingress.kubernetes.io/forwarding-rule"]
    )


def test_https_is_announced_only_once_there_is_https(world: World) -> None:
    del world.ingress["spec"]["tls"]
    assert sum("k8s2-ts" in message or "k8s2-fs" in message for message in world.rounds()) == 0
    assert "ingress.kubernetes.io/static-ip" not in world.ingress["metadata"]["annotations"]
    tls({"secretName": "tls"})(world)
    world.touch()
    said = world.rounds()
    assert [message.partition(" ")[0] for message in said] == ["TargetProxy", "ForwardingRule"]
    assert all(message.endswith("created") for message in said)


def test_good_sync_after_a_repair_says_no_more_than_that_it_begins(world: World) -> None:
    world.rounds()
    good = dict(world.service["metadata"]["annotations"])
    wish(NEG_WISH, None)(world)
    world.rounds()
    world.service["metadata"]["annotations"] = good
    assert world.rounds() == []  # a Service that changes announces no sync


def test_every_resync_is_announced_and_no_other_try(world: World) -> None:
    world.rounds()
    before = world.announced
    wish(NEG_WISH, None)(world)
    world.rounds(9)  # tries again at once
    assert world.announced == before
    world.controller.delays = Delays(address_s=0, serving_s=0, resync_s=0, retry_s=0)
    world.service["metadata"]["annotations"][NEG_WISH] = '{"ingress": true}'
    world.rounds(9)
    assert world.announced >= before + 8


def test_what_is_made_before_a_certificate_fails_stays_and_the_old_certificate_serves(world: World) -> None:
    world.rounds()
    before = world.ingress["metadata"]["annotations"]["ingress.kubernetes.io/ssl-cert"]
    world.ingress["spec"]["rules"][0]["host"] = "new.example"
    world.secrets["other"] = a_secret(**{"tls.crt": "x", "tls.key": "y"})
    tls({"secretName": "tls"}, {"secretName": "other"})(world)
    world.touch()
    assert any("Cert creation failures" in message for message in world.rounds())
    served = world.served["ingress/u"].http
    assert {route.host for front_end in served for route in front_end.routes} == {"new.example"}
    assert [len(front_end.certificates) for front_end in served] == [0, 1]
    assert world.ingress["metadata"]["annotations"]["ingress.kubernetes.io/ssl-cert"] == before


def test_class_that_is_changed_away_frees_the_load_balancer_and_leaves_its_traces(world: World) -> None:
    world.rounds()
    before = dict(world.ingress["metadata"]["annotations"])
    assert world.ingress["metadata"]["finalizers"] == [FINALIZER]
    world.annotate(**{object_annotations.CLASS: "nginx"})
    world.rounds()
    assert world.served["ingress/u"] == Balancing()
    assert world.ingress["metadata"]["finalizers"] == []
    assert world.ingress["status"]["loadBalancer"]["ingress"] == [{"ip": ADDRESS}]
    assert world.ingress["metadata"]["annotations"] == {**before, object_annotations.CLASS: "nginx"}


def test_race_against_the_group_heals_at_the_next_try(world: World) -> None:
    world.controller.quirks = Quirks(neg_race=True)
    world.rounds(1)
    assert [kind for kind, _, _ in world.events] == ["Normal", "Warning"]
    status = f'{{"network_endpoint_groups": {{"19530": "{NEG}"}}}}'
    world.service["metadata"]["annotations"]["cloud.google.com/neg-status"] = status
    assert f"IP is now {ADDRESS}" in world.rounds()


def test_certificates_beyond_the_quota_are_refused_by_name_of_the_quota(world: World) -> None:
    world.ssl.limit = 0
    ((_, message),) = world.warnings()
    assert "Quota 'SSL_CERTIFICATES' exceeded.  Limit: 0.0 globally., quotaExceeded" in message
    assert names.certificate_name("default", "ing", a_pair()[0]) in message


def test_certificates_that_find_no_room_at_first_are_made_at_the_next_try(world: World) -> None:
    world.controller.quirks = Quirks(quota_race=True)
    assert any("SSL_CERTIFICATES" in message for message in world.rounds(1))
    assert f"IP is now {ADDRESS}" in world.rounds()


def test_events_beyond_a_burst_are_dropped_for_good() -> None:
    allowance = Allowance()
    assert [allowance.takes("u", 3600) for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert allowance.takes("other", 3600)
    assert all(allowance.takes("u", 0) for _ in range(BURST))
