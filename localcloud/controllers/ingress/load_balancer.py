"""How a translated Ingress looks from outside: listeners, and the annotations the controller writes back.

Pure.
"""

from __future__ import annotations

import hashlib
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
    metadata = ingress["metadata"]
    resources = {"url-map": "um"}
    if translation.allows_http:
        resources |= {"target-proxy": "tp", "forwarding-rule": "fr"}
    certificates = certificate_names(ingress, translation)
    if certificates:
        resources |= {"https-target-proxy": "ts", "https-forwarding-rule": "fs"}
    found: dict[str, str | None] = {PREFIX + key: None for key in STATUS_KEYS}
    for key, kind in resources.items():
        found[PREFIX + key] = names.front_end_name(kind, metadata["namespace"], metadata["name"])
    found[PREFIX + "ssl-cert"] = ",".join(certificates) or None
    found[PREFIX + "backends"] = json.dumps(_health(ingress, translation, health), sort_keys=True)
    return found


def certificate_names(ingress: Object, translation: Translation) -> list[str]:
    """Return the SslCertificates on the proxy: the Google-managed ones, then one for each Secret."""
    metadata = ingress["metadata"]
    digests = [hashlib.sha256(item.chain_pem.encode()).hexdigest()[:16] for item in translation.certificates]
    stem = names.front_end_name("cr", metadata["namespace"], metadata["name"])
    return [*translation.pre_shared, *(f"{stem[: 62 - len(one)]}-{one}" for one in digests)]


def _health(ingress: Object, translation: Translation, health: Mapping[str, Health]) -> dict[str, Health]:
    states = {spec.name: health.get(spec.name, Health.UNKNOWN) for spec in translation.backends}
    if not ingress["spec"].get("defaultBackend"):
        # Other hosts go to a backend of the cluster's own, which users find in the list beside theirs.
        states[names.neg_name(*names.DEFAULT_BACKEND)] = Health.HEALTHY
    return states
