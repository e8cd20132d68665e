"""A google provider that has its arguments and nothing else: Terraform validates, plans and tests against it.

It refuses values that the documentation does not list, and plans what the configuration says. What only
Google decides stays unknown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from msgspec import msgpack

from infra.offline.messages import PACKAGE, message

SOURCES = ("registry.terraform.io/hashicorp/google", "registry.opentofu.org/hashicorp/google")
UNKNOWN = msgpack.Ext(0, b"\0")
LIST, ERROR = 2, 1  # NestedBlock.nesting, Diagnostic.severity

Block = Mapping[str, Any]
Place = tuple[str | int, ...]


class Provider:
    """Answers Terraform from a schema as `infra.offline.schema` writes it."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema

    def answers(self) -> Mapping[str, tuple[str, Callable[[Any], Any]]]:
        """Return, by method, the name of its request and what answers it."""
        return {
            "GetSchema": ("Empty", self._schemas),
            "PrepareProviderConfig": ("Prepare", lambda request: message("Prepare")(config=request.config)),
            "Configure": ("Empty", lambda _: message("Diagnostics")()),
            "ValidateResourceTypeConfig": ("Validate", self._validate),
            "PlanResourceChange": ("Plan", self._plan),
            "Stop": ("Empty", lambda _: message("Empty")()),
        }

    def _schemas(self, _: Any) -> Any:
        resources = [
            message("NamedSchema")(key=kind, value=_schema(block))
            for kind, block in self._schema["resources"].items()
        ]
        return message("Schemas")(provider=_schema(self._schema["provider"]), resource_schemas=resources)

    def _validate(self, request: Any) -> Any:
        config = msgpack.decode(request.config.msgpack)
        problems = unlisted(self._schema["resources"][request.type_name], config)
        return message("Diagnostics")(diagnostics=[_diagnostic(*problem) for problem in problems])

    def _plan(self, request: Any) -> Any:
        state = msgpack.decode(request.proposed_new_state.msgpack)
        planned = _with_unknown(self._schema["resources"][request.type_name], state)
        return message("Planned")(planned_state=message("DynamicValue")(msgpack=msgpack.encode(planned)))


def _schema(block: Block) -> Any:
    return message("Schema")(block=_block(block))


def _block(block: Block) -> Any:
    attributes = [
        message("Attribute")(
            name=name,
            type=json.dumps(each["type"]).encode(),
            **{need: True for need in ("required", "optional", "computed") if need in each},
        )
        for name, each in block["attributes"].items()
    ]
    nested = [
        message("NestedBlock")(
            type_name=name, block=_block(each), nesting=LIST, min_items=each["min"], max_items=each["max"]
        )
        for name, each in block["blocks"].items()
    ]
    return message("Block")(attributes=attributes, block_types=nested)


def unlisted(block: Block, config: Mapping[str, Any], path: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield where a value is none of those that are documented, and what may stand there."""
    for name, attribute in block["attributes"].items():
        value = config.get(name)
        if isinstance(value, str) and value not in attribute.get("values", [value]):
            yield (*path, name), f"{value!r} is none of {', '.join(attribute['values'])}"
    for name, inner in block["blocks"].items():
        found = config.get(name)
        for number, each in enumerate(found if isinstance(found, list) else []):
            yield from unlisted(inner, each, (*path, name, number))


def _diagnostic(path: Place, problem: str) -> Any:
    steps = [
        message("Step")(**{"element_key_int" if isinstance(step, int) else "attribute_name": step})
        for step in path
    ]
    attribute = message("AttributePath")(steps=steps)
    return message("Diagnostic")(severity=ERROR, summary=problem, attribute=attribute)


def _with_unknown(block: Block, state: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the state with what Google decides as unknown; None is an object that is to go."""
    if state is None:
        return None
    decided = {name for name, each in block["attributes"].items() if "computed" in each}
    return {name: UNKNOWN if name in decided and value is None else value for name, value in state.items()}


@contextmanager
def serving(schema: Mapping[str, Any], folder: Path) -> Iterator[Mapping[str, str]]:
    """Serve the provider on a socket in `folder`; yields the environment in which Terraform finds it."""
    answers = Provider(schema).answers()
    handlers = {name: _handler(*answer) for name, answer in answers.items()}
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"{PACKAGE}.Provider", handlers),))
    socket = folder / "provider.sock"
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    address = {"Network": "unix", "String": str(socket)}
    reached = {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True, "Addr": address}
    try:
        yield {"TF_REATTACH_PROVIDERS": json.dumps(dict.fromkeys(SOURCES, reached))}
    finally:
        server.stop(grace=None).wait()


def _handler(request: str, answer: Callable[[Any], Any]) -> grpc.RpcMethodHandler[Any, Any]:
    return grpc.unary_unary_rpc_method_handler(
        lambda decoded, _: answer(decoded),
        request_deserializer=message(request).FromString,
        response_serializer=lambda encoded: encoded.SerializeToString(),
    )
