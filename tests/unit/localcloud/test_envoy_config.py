"""The Envoy configuration as a pure function of what is to be served."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from localcloud.envoy import config
from localcloud.envoy.model import (
    Backend,
    Balancing,
    Certificate,
    Endpoint,
    HealthCheck,
    HttpFrontEnd,
    Route,
    TcpFrontEnd,
)
from localcloud.envoy.process import Health, parsed_health

CHECK = HealthCheck("HTTP", "/healthz", 1, 5, 1, 2)
BACKEND = Backend("neg", (Endpoint(21001, 21002),), "HTTP2", CHECK)
CERTIFICATE = Certificate("CHAIN", "KEY")
ROUTE = Route("a.example", "/", False, "neg", 3600)
FRONT_END = HttpFrontEnd("https-1", "127.1.2.10", 8443, (ROUTE,), (CERTIFICATE,))
INGRESS = Balancing(backends=(BACKEND,), http=(FRONT_END,))


def resources(part: Balancing, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(config.documents("/f", [part])[f"{name}.json"])["resources"]
    return found


def with_backend(backend: Backend) -> dict[str, Any]:
    return resources(replace(INGRESS, backends=(backend,)), "cds")[0]


def test_http2_backends_are_spoken_to_over_tls_with_alpn_h2_without_verification() -> None:
    cluster = with_backend(BACKEND)
    context = cluster["transport_socket"]["typed_config"]["common_tls_context"]
    assert context == {"alpn_protocols": ["h2"]}
    assert "http2_protocol_options" in json.dumps(cluster["typed_extension_protocol_options"])


def test_http_backends_are_spoken_to_in_plain_http_1() -> None:
    cluster = with_backend(replace(BACKEND, protocol="HTTP"))
    assert "transport_socket" not in cluster
    assert "http2_protocol_options" not in json.dumps(cluster)


def test_a_plain_probe_of_a_tls_backend_goes_to_the_probed_port_without_tls() -> None:
    cluster = with_backend(BACKEND)
    (match,) = cluster["transport_socket_matches"]
    assert match["transport_socket"]["name"] == "envoy.transport_sockets.raw_buffer"
    assert cluster["health_checks"][0]["transport_socket_match_criteria"] == match["match"]
    (load,) = resources(INGRESS, "eds-neg")
    endpoint = load["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert endpoint["address"]["socket_address"]["port_value"] == 21001
    assert endpoint["health_check_config"] == {"port_value": 21002}


def test_an_endpoint_that_is_probed_elsewhere_does_not_stay_on_its_old_health() -> None:
    assert with_backend(BACKEND)["ignore_health_on_host_removal"] is True


def test_an_http2_probe_speaks_tls_and_http_2() -> None:
    cluster = with_backend(replace(BACKEND, health_check=replace(CHECK, protocol="HTTP2")))
    assert cluster["health_checks"][0]["http_health_check"]["codec_client_type"] == "HTTP2"
    assert cluster["transport_socket_matches"][0]["transport_socket"]["name"] == "envoy.transport_sockets.tls"


def test_a_change_of_endpoints_routes_or_certificates_leaves_clusters_and_listeners_alone() -> None:
    changed = Balancing(
        backends=(replace(BACKEND, endpoints=(Endpoint(1, 2), Endpoint(3, 4))),),
        http=(
            replace(FRONT_END, routes=(replace(ROUTE, timeout_s=30),), certificates=(Certificate("C", "K"),)),
        ),
    )
    before, after = config.documents("/f", [INGRESS]), config.documents("/f", [changed])
    different = {name for name in after if before[name] != after[name]}
    secrets = {f"sds-https-1-{slot}.json" for slot in range(config.CERTIFICATE_SLOTS)}
    assert different == {"eds-neg.json", "rds-https-1.json"} | secrets


def test_a_second_certificate_leaves_the_listener_and_the_connections_through_it_alone() -> None:
    both = replace(FRONT_END, certificates=(Certificate("C", "K"), CERTIFICATE))
    before = config.documents("/f", [INGRESS])
    after = config.documents("/f", [replace(INGRESS, http=(both,))])
    assert before["lds.json"] == after["lds.json"]
    chains = [resources(replace(INGRESS, http=(both,)), f"sds-https-1-{slot}") for slot in range(4)]
    said = [chain["tls_certificate"]["certificate_chain"]["inline_string"] for (chain,) in chains]
    assert said == ["C", "CHAIN", "CHAIN", "CHAIN"]


def test_what_is_referred_to_is_written_before_what_refers_to_it() -> None:
    assert list(config.documents("/f", [INGRESS]))[-2:] == ["cds.json", "lds.json"]


def test_the_time_out_of_the_backend_bounds_the_route() -> None:
    (routes,) = resources(INGRESS, "rds-https-1")
    assert routes["virtual_hosts"][0]["routes"][0]["route"] == {"cluster": "neg", "timeout": "3600s"}


def test_other_hosts_and_paths_are_answered_404() -> None:
    front_end = replace(FRONT_END, routes=(replace(ROUTE, path="/only", is_exact=True),))
    (routes,) = resources(replace(INGRESS, http=(front_end,)), "rds-https-1")
    assert [host["domains"] for host in routes["virtual_hosts"]] == [["a.example"], ["*"]]
    assert all(host["routes"][-1]["direct_response"]["status"] == 404 for host in routes["virtual_hosts"])


def test_exact_paths_come_before_prefixes_and_long_prefixes_before_short_ones() -> None:
    paths = [("/", False), ("/a", False), ("/a/b", False), ("/a", True)]
    routes = tuple(replace(ROUTE, path=path, is_exact=exact) for path, exact in paths)
    (found,) = resources(replace(INGRESS, http=(replace(FRONT_END, routes=routes),)), "rds-https-1")
    matches = [route["match"] for route in found["virtual_hosts"][0]["routes"][:-1]]
    assert matches == [
        {"path": "/a"},
        {"path_separated_prefix": "/a/b"},
        {"path_separated_prefix": "/a"},
        {"prefix": "/"},
    ]


def test_the_front_end_offers_h2_and_refuses_tls_below_1_2() -> None:
    (listener,) = resources(INGRESS, "lds")
    context = listener["filter_chains"][0]["transport_socket"]["typed_config"]["common_tls_context"]
    assert context["alpn_protocols"] == ["h2", "http/1.1"]
    assert context["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_2"}


def test_a_tcp_front_end_passes_bytes_to_its_backend() -> None:
    part = Balancing((Backend("l4", (Endpoint(5, 5),)),), tcp=(TcpFrontEnd("l4", "127.1.2.11", 19530, "l4"),))
    (listener,) = resources(part, "lds")
    assert listener["address"]["socket_address"] == {"address": "127.1.2.11", "port_value": 19530}
    assert listener["filter_chains"][0]["filters"][0]["typed_config"]["cluster"] == "l4"
    (cluster,) = resources(part, "cds")
    assert "health_checks" not in cluster


def test_a_private_key_does_not_show_in_the_representation() -> None:
    assert "KEY" not in repr(INGRESS)


def host(**state: object) -> dict[str, object]:
    return {"health_status": {"eds_health_status": "HEALTHY", **state}}


def test_one_healthy_endpoint_makes_a_backend_healthy_and_none_checked_makes_it_unknown() -> None:
    failed, pending = host(failed_active_health_check=True), host(pending_active_hc=True)
    answer = {
        "cluster_statuses": [
            {"name": "good", "host_statuses": [failed, host()]},
            {"name": "bad", "host_statuses": [failed, pending]},
            {"name": "new", "host_statuses": [host(pending_active_hc=True, failed_active_health_check=True)]},
            {"name": "empty"},
        ]
    }
    assert parsed_health(answer) == {
        "good": Health.HEALTHY,
        "bad": Health.UNHEALTHY,
        "new": Health.UNKNOWN,
        "empty": Health.UNKNOWN,
    }
