"""The messages of Terraform's plugin protocol 5, as far as they are needed to validate, plan and test.

Numbers and types: `tfplugin5.proto` of Terraform. Fields that are not listed are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "tfplugin5"

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "int64": _Field.TYPE_INT64,
}

# message -> {field: (number, type)}; a type in brackets is repeated. Enumerations travel as numbers.
_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "Empty": {},
    "DynamicValue": {"msgpack": (1, "bytes"), "json": (2, "bytes")},
    "Step": {"attribute_name": (1, "string"), "element_key_int": (3, "int64")},
    "AttributePath": {"steps": (1, "[Step]")},
    "Diagnostic": {
        "severity": (1, "int64"),
        "summary": (2, "string"),
        "attribute": (4, "AttributePath"),
    },
    "Diagnostics": {"diagnostics": (1, "[Diagnostic]")},
    "Attribute": {
        "name": (1, "string"),
        "type": (2, "bytes"),
        "required": (4, "bool"),
        "optional": (5, "bool"),
        "computed": (6, "bool"),
    },
    "NestedBlock": {
        "type_name": (1, "string"),
        "block": (2, "Block"),
        "nesting": (3, "int64"),
        "min_items": (4, "int64"),
        "max_items": (5, "int64"),
    },
    "Block": {"attributes": (2, "[Attribute]"), "block_types": (3, "[NestedBlock]")},
    "Schema": {"version": (1, "int64"), "block": (2, "Block")},
    "NamedSchema": {"key": (1, "string"), "value": (2, "Schema")},
    "Schemas": {"provider": (1, "Schema"), "resource_schemas": (2, "[NamedSchema]")},
    "Prepare": {"config": (1, "DynamicValue")},
    "Validate": {"type_name": (1, "string"), "config": (2, "DynamicValue")},
    "Plan": {"type_name": (1, "string"), "proposed_new_state": (3, "DynamicValue")},
    "Planned": {"planned_state": (1, "DynamicValue")},
}


def _classes() -> Mapping[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="milvus_l7_offline.proto", package=PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add(message, field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in _MESSAGES
    }


def _add(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    inner = kind.strip("[]")
    label = _Field.LABEL_REPEATED if kind != inner else _Field.LABEL_OPTIONAL
    field = message.field.add(
        name=name, number=number, label=label, type=_SCALARS.get(inner, _Field.TYPE_MESSAGE)
    )
    if inner not in _SCALARS:
        field.type_name = f".{PACKAGE}.{inner}"


_ALL = _classes()


def message(name: str) -> Any:
    """Return the class of a message."""
    return _ALL[name]
