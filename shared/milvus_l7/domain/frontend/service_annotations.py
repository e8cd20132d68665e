"""The Service annotations that GKE's Ingress controller reads: merged into those there, and taken out again.

Sources: kubernetes/ingress-gce `pkg/annotations/service.go`, `pkg/backendconfig/utils.go` and
`pkg/controller/translator/translator.go`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Permanent
from milvus_l7.domain.setup.facts import ServiceFacts
from milvus_l7.domain.text import bounded_json
from milvus_l7.domain.text.bounded_json import Limits, OutOfBounds
from milvus_l7.domain.text.untrusted import mapping

NEG = "cloud.google.com/neg"
APP_PROTOCOLS = "cloud.google.com/app-protocols"
ALPHA_APP_PROTOCOLS = "service.alpha.kubernetes.io/app-protocols"
BACKEND_CONFIG = "cloud.google.com/backend-config"
BETA_BACKEND_CONFIG = "beta.cloud.google.com/backend-config"

KEYS = (NEG, APP_PROTOCOLS, ALPHA_APP_PROTOCOLS, BACKEND_CONFIG)  # all that `merged` may return

HTTP2 = "HTTP2"  # to the backend this means HTTP/2 over TLS

# All annotations of an object together have at most 256 KiB (k8s.io/apimachinery `pkg/api/validation`).
LIMITS = Limits(size_bytes=256 * 1024, depth=32, items=20_000)

Json = dict[str, Any]


def merged(existing: Mapping[str, str], service: ServiceFacts, backend_config: str) -> dict[str, str]:
    """Return the annotations that the Service needs: ours, merged into the JSON that `existing` holds.

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


def restored(
    existing: Mapping[str, str], before: Mapping[str, str | None], service: ServiceFacts, backend_config: str
) -> dict[str, str | None]:
    """Return the way back from `merged`: the annotations that must change, as text to set or None to remove.

    `before` has the text of each of `KEYS` before our first write, None if it was not set; a key that is not
    in it is left alone. Only entries that are still exactly ours are taken out. Where nothing else has
    changed since, the text before comes back as it was. Raises nothing: an annotation that cannot be read is
    left alone. Restoring again changes nothing.
    """
    # An unnamed port is configured by number, or by "" if that was there at the time.
    ports = (service.port_name,) if service.port_name else ("", str(service.port))
    ours: dict[str, Json] = {
        NEG: {"ingress": True},
        APP_PROTOCOLS: {service.port_name: HTTP2},
        ALPHA_APP_PROTOCOLS: {service.port_name: HTTP2},
        BACKEND_CONFIG: dict.fromkeys(ports, backend_config),
    }
    there = [key for key in KEYS if key in before and key in existing]
    found = {key: _restored(existing, key, before[key], ours[key]) for key in there}
    return {key: text for key, text in found.items() if text != existing[key]}


def configs(existing: Mapping[str, str]) -> frozenset[str]:
    """Return the names of all BackendConfigs in a Service's annotations; none in one that cannot be read."""
    value = _parsed_if_readable(existing.get(_backend_config_source(existing), ""))
    ports = mapping(value, "ports").values()
    return frozenset(each for each in (value.get("default"), *ports) if isinstance(each, str))


def config_of(existing: Mapping[str, str], service: ServiceFacts) -> str | None:
    """Return the BackendConfig that the controller takes for the Service's gRPC port; None if there is none.

    Looked up by the port's name, by its number, then `default`.
    """
    value = _parsed_if_readable(existing.get(_backend_config_source(existing), ""))
    ports = mapping(value, "ports")
    names = (ports.get(service.port_name), ports.get(str(service.port)), value.get("default"))
    return next((name for name in names if isinstance(name, str) and name), None)


def _backend_config_source(existing: Mapping[str, str]) -> str:
    """Return the key to merge from.

    The beta key counts only until the other one exists; then its ports must have been carried over.
    """
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
    if not ports and value.get("default") == backend_config:
        return value
    # Looked up by name first, which for an unnamed port is "", then by number, then `default`.
    by_name = service.port_name or service.port_name in ports
    key = service.port_name if by_name else str(service.port)
    return value | {"ports": ports | {key: backend_config}}


def _restored(existing: Mapping[str, str], key: str, before: str | None, ours: Json) -> str | None:
    text = existing[key]
    take_out, solid = (_config_taken_out, _solid) if key == BACKEND_CONFIG else (_taken_out, dict)
    try:
        value, bases = _parsed(text), [_parsed(before or "")]
        if key == BACKEND_CONFIG and not (before or "").strip():
            # Merged into nothing, or into what the beta annotation said then.
            bases.append(_parsed_if_readable(existing.get(BETA_BACKEND_CONFIG, "")))
        rests = [take_out(value, base, ours) for base in bases]
        if any(_is_same(solid(rest), solid(base)) for rest, base in zip(rests, bases, strict=True)):
            return before
        return text if _is_same(rests[-1], value) else _dumped(solid(rests[-1]))
    except ValueError:
        return text


def _taken_out(value: Mapping[str, Any], base: Mapping[str, Any], ours: Json) -> Json:
    """Return `value` with those entries that are still ours as they are in `base`."""
    mine = {key for key, entry in ours.items() if key in value and _is_same(value[key], entry)}
    kept = {key: entry for key, entry in value.items() if key not in mine or key in base}
    return {key: base[key] if key in mine else entry for key, entry in kept.items()}


def _config_taken_out(value: Json, base: Json, ours: Json) -> Json:
    ports = value.get("ports")
    if not isinstance(ports, dict):
        return value
    return value | {"ports": _taken_out(ports, mapping(base, "ports"), ours)}


def _solid(value: Json) -> Json:
    """Return the value without ports that say nothing.

    Merging into them leaves no trace of how they said it.
    """
    return {key: entry for key, entry in value.items() if key != "ports" or entry}


def _is_same(one: Any, other: Any) -> bool:
    """Compare as text, because in Python `1 == True`."""
    texts = [json.dumps(value, allow_nan=False, sort_keys=True) for value in (one, other)]
    return texts[0] == texts[1]


def _parsed_if_readable(text: str) -> Json:
    try:
        return _parsed(text)
    except ValueError:
        return {}


def _merge(existing: Mapping[str, str], key: str, change: Callable[[Json], Json]) -> str:
    text = existing.get(key, "")
    # Every refusal inside is a ValueError, whatever is wrong.
    try:
        before = _parsed(text)
        after = change(before)
        # Compared as text, because in Python `1 == True`.
        return text if text.strip() and _dumped(after) == _dumped(before) else _dumped(after)
    except ValueError as error:
        is_told = type(error) is ValueError or isinstance(error, OutOfBounds)
        fault = str(error) if is_told else "it is not JSON"
        message = f"Service annotation {key} cannot be merged into: {fault}"
        raise Permanent(Reason.ANNOTATION_INVALID, message) from None


def _parsed(text: str) -> Json:
    if not text.strip():
        return {}
    value = bounded_json.loads(text, LIMITS, has_unique_keys=True)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004
    return value


def _dumped(value: Json) -> str:
    """Return the value as JSON.

    Raises `ValueError` for NaN and Infinity, which Python reads and Go does not.
    """
    return json.dumps(value, allow_nan=False)
