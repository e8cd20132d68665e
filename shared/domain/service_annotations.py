"""The three Service annotations that GKE's Ingress controller reads, merged into what is already there.

Sources: kubernetes/ingress-gce `pkg/annotations/service.go`, `pkg/backendconfig/utils.go` and
`pkg/controller/translator/translator.go`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from shared.domain.errors import Permanent
from shared.domain.reasons import Reason
from shared.domain.setup import ServiceFacts

NEG = "cloud.google.com/neg"
APP_PROTOCOLS = "cloud.google.com/app-protocols"
ALPHA_APP_PROTOCOLS = "service.alpha.kubernetes.io/app-protocols"
BACKEND_CONFIG = "cloud.google.com/backend-config"
BETA_BACKEND_CONFIG = "beta.cloud.google.com/backend-config"

HTTP2 = "HTTP2"  # to the backend this means HTTP/2 over TLS

Json = dict[str, Any]


def merged(existing: Mapping[str, str], service: ServiceFacts, backend_config: str) -> dict[str, str]:
    """The annotations that the Service needs: ours, merged into the JSON that `existing` holds.

    Other ports and keys survive, an annotation that already says the right thing keeps its text, and merging
    again changes nothing. Raises `Permanent(ANNOTATION_INVALID)` rather than replace what cannot be read.
    """
    wanted = {
        NEG: _merge(existing, NEG, _with_ingress),
        APP_PROTOCOLS: _merge(existing, APP_PROTOCOLS, lambda value: _with_http2(value, service)),
        BACKEND_CONFIG: _merge(
            existing,
            _backend_config_source(existing),
            lambda value: _with_config(value, service, backend_config),
        ),
    }
    if ALPHA_APP_PROTOCOLS in existing:
        # The controller reads the old key alone where it is present, so ours would have no effect without it.
        merge = _merge(existing, ALPHA_APP_PROTOCOLS, lambda value: _with_http2(value, service))
        wanted[ALPHA_APP_PROTOCOLS] = merge
    return wanted


def _backend_config_source(existing: Mapping[str, str]) -> str:
    """The beta key counts only until the other one exists; then its ports must have been carried over."""
    return BACKEND_CONFIG if existing.get(BACKEND_CONFIG, "").strip() else BETA_BACKEND_CONFIG


def _with_ingress(value: Json) -> Json:
    return value | {"ingress": True}


def _with_http2(value: Json, service: ServiceFacts) -> Json:
    # Looked up by port name only, never by number; an unnamed port has the key "".
    return value | {service.port_name: HTTP2}


def _with_config(value: Json, service: ServiceFacts, backend_config: str) -> Json:
    ports = value.get("ports") or {}
    if not isinstance(ports, dict):
        raise ValueError("its ports are not a JSON object")  # noqa: TRY004
    # Looked up by name first, which for an unnamed port is "", then by number, then `default`.
    by_name = service.port_name or service.port_name in ports
    key = service.port_name if by_name else str(service.port)
    return value | {"ports": ports | {key: backend_config}}


def _merge(existing: Mapping[str, str], key: str, change: Callable[[Json], Json]) -> str:
    text = existing.get(key, "")
    # Every refusal inside is a ValueError, whatever is wrong.
    try:
        before = _parsed(text)
        after = change(before)
        # Compared as text, because in Python `1 == True`.
        return text if text.strip() and _dumped(after) == _dumped(before) else _dumped(after)
    except (ValueError, RecursionError) as error:
        fault = str(error) if type(error) is ValueError else "it is not JSON"
        message = f"Service annotation {key} cannot be merged into: {fault}"
        raise Permanent(Reason.ANNOTATION_INVALID, message) from None


def _parsed(text: str) -> Json:
    if not text.strip():
        return {}
    value = json.loads(text, object_pairs_hook=_without_duplicates)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004
    return value


def _dumped(value: Json) -> str:
    """As JSON; `ValueError` for the NaN and Infinity that Python reads and Go does not."""
    return json.dumps(value, allow_nan=False)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Json:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("it has a key twice, so its meaning is unclear")
    return dict(pairs)
