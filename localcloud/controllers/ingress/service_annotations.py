"""The annotations by which a Service tells the GKE Ingress controller what it wants. Pure.

Keys, texts and precedence: kubernetes/ingress-gce pkg/annotations/service.go, pkg/backendconfig.
"""

from __future__ import annotations

import json
from typing import Any, cast, get_args

from localcloud.controllers import object_annotations
from localcloud.envoy.model import Protocol

Object = dict[str, Any]

NEG = "cloud.google.com/neg"
NEG_STATUS = "cloud.google.com/neg-status"
APP_PROTOCOLS = "cloud.google.com/app-protocols"
ALPHA_APP_PROTOCOLS = "service.alpha.kubernetes.io/app-protocols"
BACKEND_CONFIG = "cloud.google.com/backend-config"
BETA_BACKEND_CONFIG = "beta.cloud.google.com/backend-config"


class BadAnnotation(Exception):
    """An annotation that cannot be used; the text is the controller's."""


def has_neg_for_ingress(service: Object) -> bool:
    """Return whether container-native load balancing is asked for. Bad JSON counts as not asked."""
    return _neg(service).get("ingress") is True


def exposed_neg_ports(service: Object) -> set[int]:
    """Return the ports with a stand-alone NEG."""
    ports = _neg(service).get("exposed_ports")
    return {int(port) for port in ports if str(port).isdigit()} if isinstance(ports, dict) else set()


def app_protocols(service: Object) -> dict[str, Protocol]:
    """Return the protocol by port name. The alpha key, if present, wins. Raises `BadAnnotation`."""
    found = object_annotations.of(service)
    text = found.get(ALPHA_APP_PROTOCOLS, found.get(APP_PROTOCOLS))
    if text is None:
        return {}
    try:
        protocols = json.loads(text)
    except ValueError as error:
        is_cut = isinstance(error, json.JSONDecodeError) and error.pos >= len(text.rstrip())
        why = "unexpected end of JSON input" if is_cut else "invalid character in JSON input"
        raise BadAnnotation(why) from error
    if not isinstance(protocols, dict):
        raise BadAnnotation("json: cannot unmarshal value into Go value of type map[string]AppProtocol")
    for value in protocols.values():
        if value not in get_args(Protocol):
            # Go reads nothing into the text from what is no text.
            raise BadAnnotation(
                f"invalid port application protocol: {value if isinstance(value, str) else ''}"
            )
    return cast("dict[str, Protocol]", protocols)


def backend_config_name(service: Object, port: Object) -> str | None:
    """Return the name of the port's BackendConfig: by port name, then number, then the default.

    Raises `BadAnnotation`.
    """
    found = object_annotations.of(service)
    text = found.get(BACKEND_CONFIG, found.get(BETA_BACKEND_CONFIG))
    if text is None:
        return None
    try:
        wanted = json.loads(text)
    except ValueError as error:
        raise BadAnnotation("BackendConfig annotation is invalid json") from error
    if not isinstance(wanted, dict):
        raise BadAnnotation("BackendConfig annotation is invalid json")
    if not wanted.get("default") and not wanted.get("ports"):
        raise BadAnnotation("no BackendConfig's found in annotation")
    ports = wanted.get("ports") or {}
    name = ports.get(port.get("name", "")) or ports.get(str(port["port"])) or wanted.get("default")
    return str(name) if name else None


def _neg(service: Object) -> Object:
    try:
        wanted = json.loads(object_annotations.of(service).get(NEG, "{}"))
    except ValueError:
        return {}
    return wanted if isinstance(wanted, dict) else {}
