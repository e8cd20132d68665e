"""What the server tells clients about itself: versions, groups, resources, OpenAPI."""

from __future__ import annotations

from functools import cache
from typing import Any

from localcloud.kube.resources import Resource, group_versions, of_group_version
from localcloud.kube.schema import schemas

Json = dict[str, Any]

VERSION: Json = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.4-gke.0",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.24",
    "compiler": "gc",
    "platform": "linux/amd64",
}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_STATUS_VERBS = ["get", "patch", "update"]
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
)


def document(path: str) -> Json | None:
    """Return the discovery document at a path without slashes at the ends, or None."""
    if path == "version":
        return VERSION
    if path == "api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "apis":
        groups = [_group(group) for group in _groups() if group]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if path == "openapi/v3":
        return {"paths": {base: {"serverRelativeURL": f"/openapi/v3/{base}"} for base in _bases()}}
    return _below(path)


def _below(path: str) -> Json | None:
    parts = path.split("/")
    if parts[:2] == ["openapi", "v3"]:
        return _open_api("/".join(parts[2:]))
    if path == "api/v1":
        return _resource_list("", "v1")
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in _groups():
        return {"kind": "APIGroup", "apiVersion": "v1"} | _group(parts[1])
    if parts[0] == "apis" and len(parts) == 3 and tuple(parts[1:]) in group_versions():
        return _resource_list(parts[1], parts[2])
    return None


def aggregated(path: str) -> Json:
    """Return `/api` or `/apis` as one APIGroupDiscoveryList."""
    groups = [group for group in _groups() if bool(group) == (path == "apis")]
    items = [
        {"metadata": {"name": group, "creationTimestamp": None}, "versions": _aggregated_versions(group)}
        for group in groups
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_versions(group: str) -> list[Json]:
    return [
        {
            "version": version,
            "freshness": "Current",
            "resources": [_aggregated_resource(row) for row in of_group_version(group, version)],
        }
        for version in _versions(group)
    ]


def _aggregated_resource(row: Resource) -> Json:
    kind = {"group": row.group, "version": row.version, "kind": row.kind}
    resource: Json = {
        "resource": row.plural,
        "responseKind": kind,
        "scope": "Namespaced" if row.is_namespaced else "Cluster",
        "singularResource": row.singular,
        "verbs": _VERBS,
    }
    if row.short_names:
        resource["shortNames"] = list(row.short_names)
    if row.has_status:
        resource["subresources"] = [{"subresource": "status", "responseKind": kind, "verbs": _STATUS_VERBS}]
    return resource


def _groups() -> list[str]:
    return list(dict.fromkeys(group for group, _ in group_versions()))


def _versions(group: str) -> list[str]:
    return [version for name, version in group_versions() if name == group]


def _bases() -> list[str]:
    return [f"apis/{group}/{version}" if group else f"api/{version}" for group, version in group_versions()]


def _group(group: str) -> Json:
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in _versions(group)]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _resource_list(group: str, version: str) -> Json:
    rows: list[Json] = []
    for row in of_group_version(group, version):
        entry: Json = {
            "name": row.plural,
            "singularName": row.singular,
            "namespaced": row.is_namespaced,
            "kind": row.kind,
            "verbs": _VERBS,
        }
        if row.short_names:
            entry["shortNames"] = list(row.short_names)
        rows.append(entry)
        if row.has_status:
            rows.append(entry | {"name": f"{row.plural}/status", "verbs": _STATUS_VERBS, "singularName": ""})
    group_version = f"{group}/{version}" if group else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": rows,
    }


@cache
def _open_api(base: str) -> Json | None:
    if base not in _bases():
        return None
    parts = base.split("/")
    group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
    rows = of_group_version(group, version)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": dict(_path(row) for row in rows),
        "components": {"schemas": _reachable([schemas.definition_name(row) for row in rows])},
    }


def _path(row: Resource) -> tuple[str, Json]:
    place = "namespaces/{namespace}/" if row.is_namespaced else ""
    kind = {"group": row.group, "version": row.version, "kind": row.kind}
    reference = {"schema": {"$ref": f"#/components/schemas/{schemas.definition_name(row)}"}}
    names = ("dryRun", "fieldManager", "fieldValidation", "force")
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    patches = _PATCHES if row.is_custom else (*_PATCHES, "application/strategic-merge-patch+json")
    body = {"content": {media: {"schema": {"type": "object"}} for media in patches}}
    answer = {"200": {"description": "OK", "content": {"application/json": reference}}}
    operation = {
        "x-kubernetes-group-version-kind": kind,
        "parameters": parameters,
        "requestBody": body,
        "responses": answer,
    }
    return f"/{row.base_path}/{place}{row.plural}/{{name}}", {"patch": operation}


def _reachable(names: list[str]) -> Json:
    found: Json = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = schemas.definitions()[name]
            waiting += _references(found[name])
    return dict(sorted(found.items()))


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _references(item)]
    if not isinstance(node, dict):
        return []
    own = node.get("$ref")
    below = [name for value in node.values() for name in _references(value)]
    return [own.rsplit("/", 1)[-1], *below] if isinstance(own, str) else below
