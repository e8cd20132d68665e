"""The port to DNS zones, over the fake and over Cloud DNS' API (emulated)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from localcloud.cloud_dns import CloudDnsEmulator
from localcloud.zone import Zone
from milvus_l7.adapters.dns.cloud_dns import EMULATOR_HOST, CloudDnsZones
from milvus_l7.adapters.dns.resolver import DnsResolver
from milvus_l7.domain.dns.records import ChangeSet, RecordSet
from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent, Transient, Unanswered
from milvus_l7.ports import DnsZones
from tests.fakes.dns_zones import ZONE, FakeDnsZones

NAME = "db.milvus.io."
OLD = RecordSet(NAME, "A", 300, ("192.0.2.1",))
NEW = RecordSet(NAME, "A", 300, ("192.0.2.2",))
TEXT = RecordSet(f"milvus-l7.{NAME}", "TXT", 300, ('"heritage=milvus-l7,milvus-l7/setup=p.l.c.n.r"',))


def nowhere(name: str, records: Mapping[str, Sequence[str]]) -> None:
    """Publishes nothing."""


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudDnsEmulator]:
    with CloudDnsEmulator({ZONE: "milvus.io."}, nowhere) as emulator:
        monkeypatch.setenv(EMULATOR_HOST, emulator.address)
        yield emulator


@pytest.fixture(params=["fake", "cloud-dns"])
def zones(request: pytest.FixtureRequest) -> DnsZones:
    if request.param == "fake":
        return FakeDnsZones()
    request.getfixturevalue("emulator")
    return CloudDnsZones()


def test_zone_tells_its_domain(zones: DnsZones) -> None:
    assert zones.suffix(ZONE) == "milvus.io."


def test_zone_that_does_not_exist_is_refused_by_name(zones: DnsZones) -> None:
    for look in (zones.suffix, lambda zone: zones.records(zone, NAME)):
        with pytest.raises(Permanent, match="projects/p/managedZones/none") as refused:
            look("projects/p/managedZones/none")
        assert refused.value.reason is Reason.DNS_ZONE_REFUSED


def test_added_records_are_found_at_exactly_their_name(zones: DnsZones) -> None:
    zones.change(ZONE, ChangeSet((OLD, TEXT)))
    assert list(zones.records(ZONE, NAME)) == [OLD]
    assert list(zones.records(ZONE, TEXT.name)) == [TEXT]
    assert list(zones.records(ZONE, "other.milvus.io.")) == []


def test_record_is_replaced_in_one_change(zones: DnsZones) -> None:
    zones.change(ZONE, ChangeSet((OLD,)))
    zones.change(ZONE, ChangeSet((NEW,), (OLD,)))
    assert list(zones.records(ZONE, NAME)) == [NEW]


def test_deleted_record_is_gone_and_can_be_added_again(zones: DnsZones) -> None:
    zones.change(ZONE, ChangeSet((OLD, TEXT)))
    zones.change(ZONE, ChangeSet((), (OLD,)))
    assert list(zones.records(ZONE, NAME)) == []
    zones.change(ZONE, ChangeSet((OLD,)))
    assert list(zones.records(ZONE, NAME)) == [OLD]


@pytest.mark.parametrize(
    "change",
    [
        ChangeSet((TEXT, NEW)),  # there is another already: 409
        ChangeSet((TEXT,), (NEW,)),  # not what is there: 412
        ChangeSet((TEXT,), (OLD, RecordSet("gone.milvus.io.", "A", 300, ("192.0.2.9",)))),  # 404
    ],
)
def test_change_that_does_not_fit_the_zone_does_nothing_and_may_be_planned_again(
    zones: DnsZones, change: ChangeSet
) -> None:
    zones.change(ZONE, ChangeSet((OLD,)))
    with pytest.raises(Transient) as refused:
        zones.change(ZONE, change)
    assert refused.value.reason is Reason.DNS_ZONE_UNAVAILABLE
    assert list(zones.records(ZONE, NAME)) == [OLD]
    assert list(zones.records(ZONE, TEXT.name)) == []


def test_all_pages_of_records_are_read(emulator: CloudDnsEmulator) -> None:
    emulator.page_size = 1
    zones = CloudDnsZones()
    zones.change(ZONE, ChangeSet((OLD, RecordSet(NAME, "AAAA", 300, ("2001:db8::1",)))))
    assert [record.type for record in zones.records(ZONE, NAME)] == ["A", "AAAA"]


def test_change_that_can_never_fit_is_permanent(emulator: CloudDnsEmulator) -> None:
    outside = RecordSet("db.example.org.", "A", 300, ("192.0.2.1",))
    with pytest.raises(Permanent, match=r"400 .*db\.example\.org\."):
        CloudDnsZones().change(ZONE, ChangeSet((outside,)))
    alias = {"name": NAME, "type": "CNAME", "ttl": 60, "rrdatas": ["x.example.org."]}
    emulator.add(ZONE, alias)
    with pytest.raises(Permanent, match="CNAME"):
        CloudDnsZones().change(ZONE, ChangeSet((OLD,)))


def test_record_with_a_routing_policy_has_no_values(emulator: CloudDnsEmulator) -> None:
    policy = {"name": NAME, "type": "A", "ttl": 60, "rrdatas": ["192.0.2.1"]}
    emulator.add(ZONE, policy)
    del policy["rrdatas"]
    emulator._zones[ZONE][1][NAME, "A"] = {**policy, "routingPolicy": {"wrr": {}}}
    assert [record.values for record in CloudDnsZones().records(ZONE, NAME)] == [()]


def test_what_is_written_to_the_zone_is_what_the_world_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    with Zone() as zone, CloudDnsEmulator({ZONE: "milvus.io."}, zone.set_records) as emulator:
        monkeypatch.setenv(EMULATOR_HOST, emulator.address)
        host, port = zone.address.split(":")
        resolver, zones = DnsResolver((host, int(port))), CloudDnsZones()
        for record, deletions in ((OLD, ()), (NEW, (OLD,))):
            zones.change(ZONE, ChangeSet((record,), deletions))
            assert resolver.resolve("db.milvus.io").ipv4 == record.values
        zones.change(ZONE, ChangeSet((), (NEW,)))
        assert resolver.resolve("db.milvus.io").ipv4 == ()


HANGS_UP = 0


class Scripted(HTTPServer):
    """Answers every request alike."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(("127.0.0.1", 0), ScriptedHandler)
        self.status, self.body = status, body


class ScriptedHandler(BaseHTTPRequestHandler):
    server: Scripted

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == HANGS_UP:
            return
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def refusal(reason: str) -> str:
    return json.dumps({"error": {"code": 403, "message": "No.", "errors": [{"reason": reason}]}})


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, refusal("forbidden"), Permanent),
        (403, refusal("rateLimitExceeded"), Transient),
        (403, refusal("quotaExceeded"), Transient),
        (429, "{}", Transient),
        (503, "<html>", Transient),
        (500, '{"error": "text"}', Transient),
        (200, "[]", Transient),
        (400, '{"error": {"errors": [null], "message": null}}', Permanent),
    ],
)
def test_answers_are_told_apart(
    status: int, body: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Scripted(status, body) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setenv(EMULATOR_HOST, f"127.0.0.1:{server.server_port}")
        with pytest.raises(error):
            CloudDnsZones().suffix(ZONE)
        thread.join(5)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (HANGS_UP, "", Unanswered),
        (200, "[]", Unanswered),
        (200, "<html>", Unanswered),
        (408, "{}", Unanswered),
        (500, "{}", Unanswered),
        (503, "<html>", Unanswered),
        (404, "{}", Transient),
        (412, "{}", Transient),
        (429, "{}", Transient),
        (400, "{}", Permanent),
    ],
)
def test_change_that_may_still_be_made_is_told_apart(
    status: int, body: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Scripted(status, body) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setenv(EMULATOR_HOST, f"127.0.0.1:{server.server_port}")
        with pytest.raises((Permanent, Transient)) as caught:
            CloudDnsZones().change(ZONE, ChangeSet((NEW,)))
        thread.join(5)
    assert type(caught.value) is error


def test_change_that_could_not_be_sent_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv(EMULATOR_HOST, f"127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(Transient) as caught:
            CloudDnsZones().change(ZONE, ChangeSet((NEW,)))
    assert type(caught.value) is Transient


def test_redirection_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(302, "{}") as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setenv(EMULATOR_HOST, f"127.0.0.1:{server.server_port}")
        with pytest.raises(Transient, match="answered 302"):
            CloudDnsZones().suffix(ZONE)
        thread.join(5)


def test_api_that_does_not_answer_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv(EMULATOR_HOST, f"127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(Transient, match="ConnectionError"):
            CloudDnsZones().suffix(ZONE)
