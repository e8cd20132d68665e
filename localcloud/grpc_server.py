"""Serves one Google API over gRPC from plain functions, without code generated for servers.

Google's client packages ship the messages of an API but no servicer classes; a generic handler needs only the
names of the calls and their message types, so the real protocol is spoken with what is installed anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import Any, Self

import grpc

from localcloud.gates import Call, Gates

# More than any limit of the emulated services, so that they, not the transport, refuse what is too big.
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
# A gated or a blocking call holds a worker; the others must still be served.
_WORKERS = 32
_STOP_GRACE_S = 0.5


class Refused(Exception):
    """Ends a call with a gRPC status; `message` is what the client sees."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refused:
    """Return the refusal of a request that can never succeed (INVALID_ARGUMENT)."""
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


def unimplemented(feature: str) -> Refused:
    """Return the refusal of what the real service does and its emulator does not (UNIMPLEMENTED)."""
    return Refused(grpc.StatusCode.UNIMPLEMENTED, f"{feature} is not emulated")


@dataclass(frozen=True, slots=True)
class Rpc:
    """One call: its name, message classes (proto-plus or raw), what it does, and the path its gate sees.

    `answer` takes the raw protobuf request and returns the raw response, or a list of them when `is_stream`.
    """

    name: str
    request: Any
    response: Any
    answer: Callable[[Any], Any]
    path: Callable[[Any], str]
    is_stream: bool = False


class GrpcServer:
    """A gRPC server on a free port of 127.0.0.1; a context manager. `stop` cancels the calls in flight."""

    def __init__(self, services: Mapping[str, Sequence[Rpc]], label: str, gates: Gates | None) -> None:
        self._label = label
        self._gates = gates or Gates()
        self._workers = futures.ThreadPoolExecutor(_WORKERS, thread_name_prefix=f"{label}-rpc")
        options = [("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(self._workers, options=options)
        for service, rpcs in services.items():
            handlers = {rpc.name: self._handler(rpc) for rpc in rpcs}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def address(self) -> str:
        """Return `127.0.0.1:PORT`, as the `*_EMULATOR_HOST` variables want it. Known before `start`."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Begin to serve; returns itself."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port. Safe to call twice."""
        self._server.stop(_STOP_GRACE_S).wait()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _handler(self, rpc: Rpc) -> grpc.RpcMethodHandler[Any, Any]:
        codec = {
            "request_deserializer": _raw(rpc.request).FromString,
            "response_serializer": _raw(rpc.response).SerializeToString,
        }
        if rpc.is_stream:
            return grpc.unary_stream_rpc_method_handler(self._stream(rpc), **codec)
        return grpc.unary_unary_rpc_method_handler(self._unary(rpc), **codec)

    def _unary(self, rpc: Rpc) -> Callable[[Any, grpc.ServicerContext], Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            return self._answered(rpc, request, context)

        return answer

    def _stream(self, rpc: Rpc) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
        def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            yield from self._answered(rpc, request, context)

        return answer

    def _answered(self, rpc: Rpc, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            self._gates.pass_through(Call(self._label, rpc.name, rpc.path(request)))
            return rpc.answer(request)
        except Refused as refused:
            context.abort(refused.code, refused.message)


def _raw(message_class: Any) -> Any:
    """Return the protobuf class below a proto-plus one."""
    return message_class.pb() if hasattr(message_class, "pb") else message_class
