"""The errors of the Kubernetes API, as exceptions that know their `Status` body.

    ApiError
      every error: HTTP code, machine-readable reason, message, details, worded as kube-apiserver does

Source of the wording: k8s.io/apimachinery `pkg/api/errors`; the contract suite checks it on a real server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.kube.resources import Resource

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why an object or an apply was refused."""

    reason: str  # FieldValueInvalid, FieldValueRequired, FieldManagerConflict, ...
    message: str
    field: str

    def as_json(self) -> Json:
        """Return the cause as it stands in `Status.details.causes`."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """A request that was refused; `body` is the `Status` object to answer with."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    @property
    def body(self) -> Json:
        """Return the `Status`, a JSON object with `code`, `reason`, `message` and perhaps `details`."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}


def _about(resource: Resource, name: str) -> Json:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in details.items() if value}


def _qualified(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def bad_request(message: str) -> ApiError:
    """Return the error 400: the request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """Return the error 401: the token is not known."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(message: str, resource: Resource | None = None, name: str = "") -> ApiError:
    """Return the error 403: the caller, or the state of the namespace, does not allow it."""
    return ApiError(403, "Forbidden", message, _about(resource, name) if resource else {})


def not_found(resource: Resource, name: str) -> ApiError:
    """Return a 404 for an object."""
    message = f'{_qualified(resource)} "{name}" not found'
    return ApiError(404, "NotFound", message, _about(resource, name))


def no_such_path() -> ApiError:
    """Return a 404 for a URL that the server does not serve."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> ApiError:
    """Return the error 405: the path exists, the verb does not."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def already_exists(resource: Resource, name: str) -> ApiError:
    """Return a 409 for a create of something that is there."""
    message = f'{_qualified(resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _about(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """Return a 409 for a write that was based on something else than the present state."""
    message = f'Operation cannot be fulfilled on {_qualified(resource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _about(resource, name))


def kind_conflict(resource: Resource, name: str, why: str) -> ApiError:
    """Return a 409 for a delete whose preconditions do not hold, which is worded with the kind."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = _about(resource, name) | {"kind": resource.kind}
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": {why}', details)


def stale(resource: Resource, name: str) -> ApiError:
    """Return a 409 for a write with an old resourceVersion."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def apply_conflict(causes: Sequence[Cause]) -> ApiError:
    """Return a 409 for a server-side apply of fields that belong to other managers."""
    managers: dict[str, list[str]] = {}
    for cause in causes:
        managers.setdefault(cause.message.removeprefix("conflict with "), []).append(cause.field)
    if len(causes) == 1:
        text = f"1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        parts = (
            "\n".join([f"conflicts with {manager}:", *(f"- {field}" for field in managers[manager])])
            for manager in sorted(managers)
        )
        text = f"{len(causes)} conflicts: " + "\n".join(parts)
    details = {"causes": [cause.as_json() for cause in causes]}
    return ApiError(409, "Conflict", f"Apply failed with {text}", details)


def timed_out() -> ApiError:
    """Return the error 504: the time that the request itself allowed is over."""
    why = "request did not complete within requested timeout - context deadline exceeded"
    return ApiError(504, "Timeout", f"Timeout: {why}", {})


def internal_error() -> ApiError:
    """Return the error 500: a fault of the server itself."""
    return ApiError(500, "InternalError", "Internal error occurred: see the server's log", {})


def expired(message: str) -> ApiError:
    """Return the error 410: the resourceVersion to watch from, or the page to continue at, is gone."""
    return ApiError(410, "Expired", message)


def unsupported_media_type(content_type: str) -> ApiError:
    """Return the error 415: a body format that is not read here."""
    message = (
        f"the body of the request was in an unknown format - accepted media types include: {content_type}"
    )
    return ApiError(415, "UnsupportedMediaType", message, {})


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """Return a 422 with one cause a field."""
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = {"name": name, "group": resource.group, "kind": resource.kind}
    present = {key: value for key, value in details.items() if value}
    message = f'{resource.kind}{"." + resource.group if resource.group else ""} "{name}" is invalid: {listed}'
    return ApiError(422, "Invalid", message, present | {"causes": [cause.as_json() for cause in causes]})


def version_required(resource: Resource, name: str) -> ApiError:
    """Return the 422 for a replacement of a custom resource that does not say which version it replaces."""
    message = "Invalid value: 0: must be specified for an update"
    cause = Cause("FieldValueInvalid", message, "metadata.resourceVersion")
    details = _about(resource, name) | {"causes": [cause.as_json()]}
    text = f'{_qualified(resource)} "{name}" is invalid: {cause.field}: {message}'
    return ApiError(422, "Invalid", text, details)


def deleted(resource: Resource, name: str, uid: str) -> Json:
    """Return the answer to a delete that took effect at once."""
    details = _about(resource, name) | {"uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
