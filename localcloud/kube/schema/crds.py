"""The custom resources of GKE that matter here, as CustomResourceDefinitions.

The emulator validates with these schemas, and the contract suite installs the same definitions into a real
kube-apiserver. Sources: kubernetes/ingress-gce `pkg/apis/{backendconfig,frontendconfig,svcneg}` and `pkg/crd`
(no status subresource), GoogleCloudPlatform/gke-managed-certs `deploy/managedcertificates-crd.yaml`.
"""

from __future__ import annotations

from typing import Any

from localcloud.kube.resources import RESOURCES, Resource

Json = dict[str, Any]

DOMAIN_PATTERN = r"^(([a-z0-9]+|[a-z0-9][-a-z0-9]*[a-z0-9])\.)+[a-z][-a-z0-9]*[a-z0-9]$"

_STRING: Json = {"type": "string"}
_BOOLEAN: Json = {"type": "boolean"}
_INT64: Json = {"type": "integer", "format": "int64"}
_TIME: Json = {"type": "string", "format": "date-time"}


def _object(*, required: tuple[str, ...] = (), **properties: Json) -> Json:
    schema: Json = {"type": "object", "properties": properties}
    return schema | ({"required": list(required)} if required else {})


def _array(items: Json, **limits: Any) -> Json:
    return {"type": "array", "items": items, **limits}


_HEADERS = _object(headers=_array(_STRING))

_HEALTH_CHECK = _object(
    checkIntervalSec=_INT64,
    timeoutSec=_INT64,
    healthyThreshold=_INT64,
    unhealthyThreshold=_INT64,
    type=_STRING,
    port=_INT64,
    requestPath=_STRING,
)

_BACKEND_CONFIG = _object(
    healthCheck=_HEALTH_CHECK,
    timeoutSec=_INT64,
    connectionDraining=_object(drainingTimeoutSec=_INT64),
    sessionAffinity=_object(affinityType=_STRING, affinityCookieTtlSec=_INT64),
    logging=_object(enable=_BOOLEAN, sampleRate={"type": "number", "format": "double"}),
    securityPolicy=_object(name=_STRING, required=("name",)),
    customRequestHeaders=_HEADERS,
    customResponseHeaders=_HEADERS,
    iap=_object(enabled=_BOOLEAN, required=("enabled",)),
    cdn=_object(enabled=_BOOLEAN, required=("enabled",)),
)

_MANAGED_CERTIFICATE = _object(
    domains=_array({"type": "string", "maxLength": 63, "pattern": DOMAIN_PATTERN}, maxItems=100)
)

_MANAGED_CERTIFICATE_STATUS = _object(
    certificateStatus=_STRING,
    domainStatus=_array(_object(domain=_STRING, status=_STRING, required=("domain", "status"))),
    certificateName=_STRING,
    expireTime=_TIME,
)

_FRONTEND_CONFIG = _object(
    sslPolicy=_STRING,
    redirectToHttps=_object(enabled=_BOOLEAN, responseCodeName=_STRING, required=("enabled",)),
)

_NEG_STATUS = _object(
    networkEndpointGroups=_array(
        _object(id=_STRING, selfLink=_STRING, networkEndpointType=_STRING, state=_STRING)
    ),
    conditions=_array(
        _object(type=_STRING, status=_STRING, reason=_STRING, message=_STRING, lastTransitionTime=_TIME)
    ),
    lastSyncTime=_TIME,
)

_SPEC_AND_STATUS: dict[str, tuple[Json, Json]] = {
    "BackendConfig": (_BACKEND_CONFIG, _object()),
    "ManagedCertificate": (_MANAGED_CERTIFICATE, _MANAGED_CERTIFICATE_STATUS),
    "FrontendConfig": (_FRONTEND_CONFIG, _object()),
    "ServiceNetworkEndpointGroup": (_object(), _NEG_STATUS),
}


def open_api_schema(resource: Resource) -> Json:
    """Return the `openAPIV3Schema` of a custom resource."""
    spec, status = _SPEC_AND_STATUS[resource.kind]
    return _object(apiVersion=_STRING, kind=_STRING, metadata={"type": "object"}, spec=spec, status=status)


def _definition(resource: Resource) -> Json:
    names = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.singular,
        "shortNames": list(resource.short_names),
    }
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": open_api_schema(resource)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{resource.group}",
            # The API server wants proof of an approval only for the k8s.io groups; these need none.
        },
        "spec": {"group": resource.group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def definitions() -> list[Json]:
    """Return one CustomResourceDefinition object for every custom resource of the table."""
    return [_definition(resource) for resource in RESOURCES if resource.is_custom]
