"""From a decoded body to an object to work with: kind, types, unknown fields, name and namespace."""

from __future__ import annotations

import copy
import json
from typing import Any

from localcloud.kube import status
from localcloud.kube.requests.http import Options, Target
from localcloud.kube.resources import Resource
from localcloud.kube.schema import conformance, schemas, validation

Json = dict[str, Any]


def checked(target: Target, body: Any, options: Options, *, is_apply: bool = False) -> Json:
    """Return a private copy of the body: right kind and types, named, without unknown fields."""
    if not isinstance(body, dict):
        raise status.bad_request("the body of the request is not an object")
    resource = target.resource
    _refuse_unnamed(resource, body)
    body = {"apiVersion": resource.api_version, "kind": resource.kind} | body
    if (body["apiVersion"], body["kind"]) != (resource.api_version, resource.kind):
        raise status.bad_request(
            f"the API version in the data ({body['apiVersion']}) does not match the expected API version "
            f"({resource.api_version})"
        )
    report = conformance.Report()
    obj: Json = conformance.conform(copy.deepcopy(body), schemas.of(resource), report)
    _refuse_misfits(target, obj, report, options, is_apply=is_apply)
    if not is_apply:  # what is applied is not decoded into Go types, so its empty fields are owned
        obj = typed(resource, obj)
    meta = obj.setdefault("metadata", {})
    if is_apply:
        meta.setdefault("name", target.name)
    if resource.is_namespaced and meta.setdefault("namespace", target.namespace) != target.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if resource.kind == "Secret" and (key := validation.undecodable_base64(obj)) is not None:
        raise status.bad_request(f'{_handled(resource)}: illegal base64 data in field "data[{key}]"')
    return obj


def _refuse_unnamed(resource: Resource, body: Json) -> None:
    """Refuse a custom resource that does not say what it is; built-in kinds are told by the path."""
    if not resource.is_custom:
        return
    for key, shown in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not body.get(key):
            raise status.bad_request(f"Object '{shown}' is missing in '{json.dumps(body)[:200]}'")


def _refuse_misfits(
    target: Target, obj: Json, report: conformance.Report, options: Options, *, is_apply: bool
) -> None:
    resource = target.resource
    for wrong in report.mismatches:
        if resource.is_custom:
            name = obj.get("metadata", {}).get("name", target.name)
            raise status.invalid(
                resource, name, [conformance.type_cause(wrong) for wrong in report.mismatches]
            )
        raise status.bad_request(
            f"{_handled(resource)}: json: cannot unmarshal {wrong.found} into Go struct field "
            f"{wrong.path} of type {wrong.wanted}"
        )
    if report.unknown and is_apply:
        kind = f"{resource.api_version if resource.group else '/' + resource.version}, Kind={resource.kind}"
        place = f"{target.namespace}/{target.name}; {kind}"
        field = f".{report.unknown[0]}: field not declared in schema"
        message = f"failed to create typed patch object ({place}): {field}"
        raise status.ApiError(500, "", message)
    if report.unknown and options.validation == "Strict":
        listed = ", ".join(f'unknown field "{path}"' for path in report.unknown)
        raise status.bad_request(f"{_handled(resource)}: strict decoding error: {listed}")


def typed(resource: Resource, obj: Json) -> Json:
    """Return `obj` as kube-apiserver's Go types hold it: without empty lists and maps."""
    clean: Json = conformance.without_empty(obj, schemas.of(resource), is_custom=resource.is_custom)
    return clean


def _handled(resource: Resource) -> str:
    return f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
