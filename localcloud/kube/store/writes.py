"""Create, replace and patch: from a decoded body to a stored object.

Order, as in k8s.io/apiserver: decode and check types, default, work out the ownership, allocate, validate,
store.
A server-side apply works out the ownership before the defaults, so that nobody owns them.
"""

from __future__ import annotations

import copy
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localcloud.kube import status
from localcloud.kube.apply import merge, ownership, patch
from localcloud.kube.requests import http
from localcloud.kube.requests.http import Options, Target
from localcloud.kube.resources import CREATED_BY_UPDATE, NAMESPACES, SERVICES, Resource
from localcloud.kube.schema import conformance, defaults, schemas, validation
from localcloud.kube.store import allocation, intake
from localcloud.kube.store.objects import Store

Json = dict[str, Any]

_SERVER_FIELDS = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def now() -> str:
    """Return the present time as Kubernetes writes it, in whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Writes:
    """The write operations on one store; every method raises `ApiError` for what is refused."""

    store: Store

    def create(self, target: Target, body: Json, options: Options) -> Json:
        """Store a new object and return it."""
        obj = intake.checked(target, body, options)
        meta = obj["metadata"]
        if not meta.get("name") and meta.get("generateName"):
            suffix = "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5))
            meta["name"] = meta["generateName"] + suffix
        if meta.get("resourceVersion"):
            raise status.bad_request("resourceVersion should not be set on objects to be created")
        resource = target.resource
        with self.store.lock:
            self._require_namespace(target, meta.get("name", ""))
            if resource.has_status:
                obj.pop("status", None)
            defaults.fill(resource, obj)
            obj = ownership.updated({}, obj, resource, _writer(target, options))
            return self._add(target, obj, options)

    def replace(self, target: Target, body: Json, options: Options) -> tuple[int, Json]:
        """Put the body in place of the stored object; 201 for the few kinds that this creates, else 200."""
        obj = intake.checked(target, body, options)
        if obj["metadata"].get("name") != target.name:
            given = obj["metadata"].get("name", "")
            raise status.bad_request(
                f"the name of the object ({given}) does not match the name on the URL ({target.name})"
            )
        resource = target.resource
        with self.store.lock:
            is_missing = self.store.get(resource, target.namespace, target.name) is None
            if is_missing and resource.kind in CREATED_BY_UPDATE and not target.subresource:
                return 201, self.create(target, body, options)
            live = self._live(target)
            if resource.is_custom and not obj["metadata"].get("resourceVersion"):
                raise status.version_required(resource, target.name)
            _check_precondition(target, live, obj)
            _check_version(target, live, obj)
            return 200, self._change(target, live, obj, options)

    def patch(self, target: Target, content_type: str, body: Any, options: Options) -> tuple[int, Json]:
        """Apply a patch of the given media type; 201 if a server-side apply created the object, else 200."""
        if content_type == http.APPLY_PATCH:
            return self._apply(target, body, options)
        with self.store.lock:
            live = self._live(target)
            patched = _patched(target, live, content_type, body)
            obj = intake.checked(target, patched, options)
            _check_version(target, live, obj)
            _check_uid(target, live, obj)
            return 200, self._change(target, live, obj, options)

    def _apply(self, target: Target, body: Any, options: Options) -> tuple[int, Json]:
        if not isinstance(body, dict):
            raise status.bad_request("the apply configuration is not an object")
        config = intake.checked(target, body, options, is_apply=True)
        if config["metadata"].get("managedFields"):
            raise status.bad_request("metadata.managedFields must be nil")
        writer = _writer(target, options)
        with self.store.lock:
            live = self.store.get(target.resource, target.namespace, target.name)
            try:
                if live is None:
                    return 201, self._apply_new(target, config, options)
                obj = ownership.applied(live, config, target.resource, writer, force=options.force)
            except merge.DuplicateItemError as error:
                raise status.ApiError(500, "InternalError", str(error)) from error
            _check_version(target, live, config)
            _check_uid(target, live, config)
            return 200, self._settle(target, live, obj, options)

    def _apply_new(self, target: Target, config: Json, options: Options) -> Json:
        self._require_namespace(target, target.name)
        if uid := config["metadata"].get("uid"):
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise status.conflict(target.resource, target.name, why)
        writer = _writer(target, options)
        obj = ownership.applied({}, config, target.resource, writer, force=options.force)
        if target.resource.has_status:
            obj.pop("status", None)
        obj = copy.deepcopy(intake.typed(target.resource, obj))
        defaults.fill(target.resource, obj)
        return self._add(target, obj, options)

    def _add(self, target: Target, obj: Json, options: Options) -> Json:
        resource = target.resource
        meta = {key: value for key, value in obj["metadata"].items() if key not in _SERVER_FIELDS[2:]}
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        if resource.has_generation:
            meta["generation"] = 1
        obj = obj | {"metadata": meta}
        self._allocate(resource, obj, None)
        refused = validation.causes(resource, obj)
        if refused:
            raise status.invalid(resource, meta.get("name", ""), refused)
        if self.store.get(resource, target.namespace, meta["name"]) is not None:
            raise status.already_exists(resource, meta["name"])
        return obj if options.is_dry_run else self.store.put(resource, obj)

    def _change(self, target: Target, live: Json, obj: Json, options: Options) -> Json:
        obj = _with_server_fields(target, live, obj)
        defaults.fill(target.resource, obj)
        obj = ownership.updated(live, obj, target.resource, _writer(target, options))
        return self._settle(target, live, obj, options)

    def _settle(self, target: Target, live: Json, obj: Json, options: Options) -> Json:
        resource = target.resource
        obj = copy.deepcopy(intake.typed(resource, _with_server_fields(target, live, obj)))
        defaults.fill(resource, obj)
        if resource.is_custom and (left := conformance.nulls(obj, schemas.of(resource))):
            raise status.invalid(resource, target.name, [conformance.type_cause(wrong) for wrong in left])
        self._allocate(resource, obj, live)
        refused = [*validation.causes(resource, obj), *validation.update_causes(resource, live, obj)]
        if refused:
            raise status.invalid(resource, target.name, refused)
        if resource.has_generation and is_new_generation(resource, live, obj):
            obj["metadata"]["generation"] = live["metadata"].get("generation", 0) + 1
        if _is_same(live, obj):
            return live
        if options.is_dry_run:
            return obj
        if is_removable(obj):
            return self.store.remove(resource, obj)
        return self.store.put(resource, obj)

    def _live(self, target: Target) -> Json:
        live = self.store.get(target.resource, target.namespace, target.name)
        if live is None:
            raise status.not_found(target.resource, target.name)
        return live

    def _require_namespace(self, target: Target, name: str) -> None:
        if not target.resource.is_namespaced:
            return
        namespace = self.store.get(NAMESPACES, "", target.namespace)
        if namespace is None:
            raise status.not_found(NAMESPACES, target.namespace)
        if namespace["metadata"].get("deletionTimestamp"):
            why = (
                f"unable to create new content in namespace {target.namespace} because it is being terminated"
            )
            message = f'{target.resource.plural} "{name}" is forbidden: {why}'
            raise status.forbidden(message, target.resource, name)

    def _allocate(self, resource: Resource, obj: Json, live: Json | None) -> None:
        if resource is SERVICES:
            allocation.allocate(obj, live, self.store.items(SERVICES))


def _check_version(target: Target, live: Json, obj: Json) -> None:
    if obj["metadata"].get("resourceVersion") not in {None, "", "0", live["metadata"]["resourceVersion"]}:
        raise status.stale(target.resource, target.name)


def _check_uid(target: Target, live: Json, obj: Json) -> None:
    # A patch is worked out from the stored object, so that its uid is validated like any other field.
    uid = obj["metadata"].get("uid")
    if uid not in {None, "", live["metadata"]["uid"]}:
        cause = status.Cause(
            "FieldValueInvalid", f'Invalid value: "{uid}": field is immutable', "metadata.uid"
        )
        raise status.invalid(target.resource, target.name, [cause])


def _check_precondition(target: Target, live: Json, obj: Json) -> None:
    # What replaces an object is compared with it by the storage, before anything else is looked at.
    given, present = obj["metadata"].get("uid"), live["metadata"]["uid"]
    if given not in {None, "", present}:
        why = f"Precondition failed: UID in precondition: {given}, UID in object meta: {present}"
        raise status.conflict(target.resource, target.name, why)


def _writer(target: Target, options: Options) -> ownership.Writer:
    return ownership.Writer(options.manager, target.subresource, now())


def _patched(target: Target, live: Json, content_type: str, body: Any) -> Any:
    if content_type == http.JSON_PATCH and not isinstance(body, list):
        raise status.bad_request("error decoding patch: a JSON patch is an array of operations")
    try:
        if content_type == http.JSON_PATCH:
            return patch.json_patch(live, body)
        if content_type == http.MERGE_PATCH:
            return patch.merge_patch(live, body)
        if content_type == http.STRATEGIC_PATCH and not target.resource.is_custom:
            return patch.strategic_merge_patch(live, body, schemas.of(target.resource))
    except patch.PatchError as error:
        raise status.ApiError(422, "Invalid", str(error), {}) from error
    raise status.unsupported_media_type(", ".join((http.JSON_PATCH, http.MERGE_PATCH, http.APPLY_PATCH)))


def _with_server_fields(target: Target, live: Json, obj: Json) -> Json:
    # What a writer cannot change, and the half of the object that the endpoint does not serve, stays.
    meta = {key: value for key, value in obj["metadata"].items() if key not in _SERVER_FIELDS}
    meta |= {key: live["metadata"][key] for key in _SERVER_FIELDS if key in live["metadata"]}
    if target.subresource == "status":
        managed = {key: meta[key] for key in ("managedFields",) if key in meta}
        kept = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
        return live | {"status": obj.get("status", {}), "metadata": kept | managed}
    result = obj | {"metadata": meta}
    if target.resource.has_status:
        result.pop("status", None)
        if "status" in live:
            result["status"] = live["status"]
    return copy.deepcopy(result)


def is_new_generation(resource: Resource, live: Json, obj: Json) -> bool:
    """Return True if more than metadata, and than a status with an endpoint of its own, differs."""
    ignored = {"metadata"} | ({"status"} if resource.has_status else set())
    names = (set(live) | set(obj)) - ignored
    annotations = [side["metadata"].get("annotations") for side in (live, obj)]
    if resource.kind == "Deployment" and annotations[0] != annotations[1]:
        return True  # its registry counts them, because the roll-out history lives in them
    return any(live.get(name) != obj.get(name) for name in names)


def _is_same(live: Json, obj: Json) -> bool:
    return _timeless(live) == _timeless(obj)


def _timeless(obj: Json) -> Json:
    meta = obj["metadata"]
    entries = [{k: v for k, v in row.items() if k != "time"} for row in meta.get("managedFields", [])]
    entries.sort(key=str)
    return obj | {"metadata": meta | {"managedFields": entries}}


def is_removable(obj: Json) -> bool:
    """Return True for an object that is being deleted and that nothing holds back any more."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if obj["kind"] == "Namespace":
        return not obj.get("spec", {}).get("finalizers")
    return not meta.get("deletionGracePeriodSeconds")
