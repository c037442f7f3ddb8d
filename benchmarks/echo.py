"""A bare gRPC server that answers with so many bytes, whatever it is asked: what a call costs that does nothing.

The same shape as dfslab's control plane: a synchronous server with a pool of as many threads, one channel a client, a
deadline on each call. It has no interceptor, no message is parsed, no state is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

import dfslab  # noqa: F401 - sets how much gRPC writes to stderr, before it is imported
from dfslab.runtime.master_node import RPC_WORKERS

METHOD = "/echo/Echo"
DEADLINE_S = 5.0


class _Answers(grpc.GenericRpcHandler):
    """Answers each call with the bytes that it was told to."""

    def __init__(self) -> None:
        self.reply = b""

    def service(self, handler_call_details: object) -> grpc.RpcMethodHandler[bytes, bytes]:
        """Return the one handler that there is."""
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self.reply)


class Echo:
    """A running one."""

    def __init__(self, answers: _Answers, port: int) -> None:
        self._answers, self._port = answers, port
        self._channels: list[grpc.Channel] = []

    def client(self, request_bytes: int, reply_bytes: int) -> Callable[[], object]:
        """Return what makes a call of so many bytes there and back, over a channel of its own."""
        self._answers.reply = bytes(reply_bytes)
        channel = grpc.insecure_channel(f"127.0.0.1:{self._port}", options=[("grpc.use_local_subchannel_pool", 1)])
        self._channels.append(channel)
        request = bytes(request_bytes)
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        return lambda: call(request, timeout=DEADLINE_S)

    def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            channel.close()


@contextmanager
def started() -> Iterator[Echo]:
    """Start one on a free port of this machine."""
    answers = _Answers()
    server = grpc.server(ThreadPoolExecutor(RPC_WORKERS), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((answers,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    echo = Echo(answers, port)
    try:
        yield echo
    finally:
        echo.close()
        server.stop(0).wait()
