"""How a translated Ingress looks from outside: listeners, and the annotations the controller writes back.

Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localcloud.addresses import HTTP_PORT, HTTPS_PORT
from localcloud.controllers.ingress import names
from localcloud.controllers.ingress.translation import Translation
from localcloud.envoy.model import Backend, Balancing, Certificate, HttpFrontEnd, TcpFrontEnd
from localcloud.envoy.process import Health

Object = dict[str, Any]

PREFIX = "ingress.kubernetes.io/"
STATIC_IP = f"{PREFIX}static-ip"  # stays once it is there
# What each annotation names, in the words of Events.
RESOURCES = {
    "url-map": "UrlMap",
    "target-proxy": "TargetProxy",
    "forwarding-rule": "ForwardingRule",
    "https-target-proxy": "TargetProxy",
    "https-forwarding-rule": "ForwardingRule",
}
STATUS_KEYS = (
    "url-map",
    "target-proxy",
    "forwarding-rule",
    "https-target-proxy",
    "https-forwarding-rule",
    "ssl-cert",
    "backends",
)


def front_ends(
    uid: str, address: str, translation: Translation, issued: tuple[Certificate, ...] = ()
) -> Balancing:
    """Return listeners for HTTP, unless it is disallowed, and for HTTPS, if there is a certificate.

    `issued` are those of the Google-managed certificates that can be served. While there are none at all,
    connections to the HTTPS port are accepted, and closed without an answer.
    """
    certificates = (*issued, *translation.certificates)
    routes, http = translation.routes, list[HttpFrontEnd]()
    if translation.allows_http:
        http.append(HttpFrontEnd(f"http-{uid}", address, HTTP_PORT, routes))
    if certificates:
        http.append(HttpFrontEnd(f"https-{uid}", address, HTTPS_PORT, routes, certificates))
    elif translation.pre_shared:
        nobody = f"nobody-{uid}"
        refusing = TcpFrontEnd(f"refusing-{uid}", address, HTTPS_PORT, nobody)
        return Balancing(backends=(Backend(nobody, ()),), http=tuple(http), tcp=(refusing,))
    return Balancing(http=tuple(http))


def status_annotations(
    ingress: Object, translation: Translation, health: Mapping[str, Health]
) -> dict[str, str | None]:
    """Return all annotations of the controller; None for one whose resource is absent."""
    certificates = certificate_names(ingress, translation)
    found: dict[str, str | None] = {PREFIX + key: None for key in STATUS_KEYS}
    found |= {PREFIX + key: name for key, name in resources(ingress, translation).items()}
    if translation.allows_http and translation.has_https:
        # HTTP and HTTPS share an address, which is reserved for them under the name of the rule.
        found[STATIC_IP] = found[f"{PREFIX}forwarding-rule"]
    found[PREFIX + "ssl-cert"] = ",".join(certificates) or None
    found[PREFIX + "backends"] = json.dumps(_health(ingress, translation, health), sort_keys=True)
    return found


def resources(ingress: Object, translation: Translation) -> dict[str, str]:
    """Return the resources of the front end, by annotation: those of HTTPS only once there is HTTPS."""
    kinds = {"url-map": "um"}
    if translation.allows_http:
        kinds |= {"target-proxy": "tp", "forwarding-rule": "fr"}
    if translation.has_https:
        kinds |= {"https-target-proxy": "ts", "https-forwarding-rule": "fs"}
    namespace, name = ingress["metadata"]["namespace"], ingress["metadata"]["name"]
    return {key: names.front_end_name(kind, namespace, name) for key, kind in kinds.items()}


def certificate_names(ingress: Object, translation: Translation) -> list[str]:
    """Return the SslCertificates on the proxy: the Google-managed ones, then one for each Secret."""
    metadata = ingress["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    made = [names.certificate_name(namespace, name, item.chain_pem) for item in translation.certificates]
    return [*translation.pre_shared, *made]


def _health(ingress: Object, translation: Translation, health: Mapping[str, Health]) -> dict[str, Health]:
    states = {spec.name: health.get(spec.name, Health.UNKNOWN) for spec in translation.backends}
    if not ingress["spec"].get("defaultBackend"):
        # Other hosts go to a backend of the cluster's own, which users find in the list beside theirs.
        states[names.neg_name(*names.DEFAULT_BACKEND)] = Health.HEALTHY
    return states
