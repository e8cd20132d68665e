"""How a translated Ingress looks from outside: listeners, and the annotations the controller writes back.

Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localcloud.addresses import HTTP_PORT, HTTPS_PORT
from localcloud.controllers import names
from localcloud.controllers.translation import Translation
from localcloud.envoy.model import HttpFrontEnd
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


def front_ends(uid: str, address: str, translation: Translation) -> tuple[HttpFrontEnd, ...]:
    """Listeners for HTTP, unless it is disallowed, and for HTTPS, if there is a certificate."""
    found = []
    if translation.allows_http:
        found.append(HttpFrontEnd(f"http-{uid}", address, HTTP_PORT, translation.routes))
    if translation.certificates:
        found.append(
            HttpFrontEnd(f"https-{uid}", address, HTTPS_PORT, translation.routes, translation.certificates)
        )
    return tuple(found)


def status_annotations(
    ingress: Object, translation: Translation, health: Mapping[str, Health]
) -> dict[str, str | None]:
    """All annotations of the controller; None for one whose resource is absent."""
    metadata = ingress["metadata"]
    resources = {"url-map": "um"}
    if translation.allows_http:
        resources |= {"target-proxy": "tp", "forwarding-rule": "fr"}
    if translation.certificates:
        resources |= {"https-target-proxy": "ts", "https-forwarding-rule": "fs", "ssl-cert": "cr"}
    found: dict[str, str | None] = {PREFIX + key: None for key in STATUS_KEYS}
    for key, kind in resources.items():
        found[PREFIX + key] = names.front_end_name(kind, metadata["namespace"], metadata["name"])
    found[PREFIX + "backends"] = json.dumps(_health(ingress, translation, health), sort_keys=True)
    return found


def _health(ingress: Object, translation: Translation, health: Mapping[str, Health]) -> dict[str, Health]:
    states = {spec.name: health.get(spec.name, Health.UNKNOWN) for spec in translation.backends}
    if not ingress["spec"].get("defaultBackend"):
        # Other hosts go to a backend of the cluster's own, which users find in the list beside theirs.
        states[names.neg_name(*names.DEFAULT_BACKEND)] = Health.HEALTHY
    return states
