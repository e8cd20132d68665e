"""Why a message is refused."""

from __future__ import annotations

from milvus_l7.domain.reasons.text import Text

BODY_MISSING = Text(
    "BodyMissing",
    "The message has no body; attributes alone are not a request.",
    "Publish the request as a JSON object in the message body.",
)
BODY_TOO_LARGE = Text(
    "BodyTooLarge",
    "The message body is larger, or nested deeper, than any valid request; the message says the limit.",
    "Publish only the documented fields.",
)
NOT_JSON = Text(
    "NotJson",
    "The message body is not UTF-8 JSON.",
    "Publish the request as a JSON object; see docs/request.schema.json.",
)
NOT_AN_OBJECT = Text(
    "NotAnObject",
    "The message body is JSON, but not an object.",
    "Publish one JSON object per message; see docs/request.schema.json.",
)
UNKNOWN_SCHEMA_VERSION = Text(
    "UnknownSchemaVersion",
    "The request names a schema_version that this release does not know.",
    "Use schema_version 1, or leave it out.",
)
INVALID_REQUEST = Text(
    "InvalidRequest",
    "The request breaks the schema: a field is missing, unknown, or of the wrong type.",
    "Correct the named fields; see docs/request.schema.json.",
)
INVALID_VALUE = Text(
    "InvalidValue",
    "A field has the right type, but a value that its rule does not allow.",
    "Correct the named fields; each problem says which rule applies.",
)
SUPERSEDED = Text(
    "Superseded",
    "A request that was published later is already accepted; this one changes nothing.",
    "Nothing, if the later request is what you want; otherwise publish this one again.",
)
