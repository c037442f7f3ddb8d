"""gRPC as this project uses it: a token on every call, typed errors, nothing on stderr."""

from __future__ import annotations

import errno
import functools
import hmac
import socket
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any, Protocol, TypeVar

import grpc

from dfslab.core.errors import (
    BadToken,
    DfsError,
    InternalError,
    InvalidOption,
    KeeperUnreachable,
    MasterUnavailable,
    PortTaken,
    ProtocolError,
    TlsFailed,
)
from dfslab.core.model import Address
from dfslab.core.nodes import MASTER
from dfslab.core.retrieval import NO_ANSWER
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.gate import Gate, NodeDown
from dfslab.runtime.network import Nic
from dfslab.runtime.processor import PROCESSOR
from dfslab.runtime.tls import NodeTls, speaks_tls
from dfslab.runtime.wire import check_texts, error_from, error_to

TOKEN_KEY = "dfs-token"
ERROR_KEY = "dfs-error-bin"
PROBE_S = 1.0
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

_FLOW_OPTIONS = [
    ("grpc.http2.bdp_probe", 0),  # else each end pings the other after a message: half of what a heartbeat costs
    ("grpc.http2.lookahead_bytes", 1 << 20),  # the window that these pings would have found for a long report
]
_SERVER_OPTIONS = [
    *_FLOW_OPTIONS,
    ("grpc.so_reuseport", 0),  # with 1, two servers would share a port without a word
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_concurrent_streams", 256),
]
_CHANNEL_OPTIONS = [
    *_FLOW_OPTIONS,
    ("grpc.use_local_subchannel_pool", 1),  # one link a node: cutting one must not cut another's
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1_000),  # how long one attempt may take; with 50, a busy machine fails it
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_metadata_size", 32 * 1024),  # an error that names the longest file takes more than gRPC's 8 KiB
    ("grpc.absolute_max_metadata_size", 64 * 1024),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]


class _Node(Protocol):
    """What a servicer must have for `answers` to work on its methods."""

    @property
    def gate(self) -> Gate: ...

    @property
    def name(self) -> str: ...

    def note_error(self, reason: str) -> None: ...


N = TypeVar("N", bound=_Node)


def answers(method: Callable[[N, Any], Any]) -> Callable[[N, Any, grpc.ServicerContext], Any]:
    """Make a servicer's method of `(self, request) -> reply`: errors travel typed, and a dead node says nothing."""

    @functools.wraps(method)
    def answer(self: N, request: Any, context: grpc.ServicerContext) -> Any:
        PROCESSOR.settle(0)
        try:
            self.gate.check()
            check_texts(request)
            reply = method(self, request)
            self.gate.check()
            return reply
        except NodeDown:
            context.abort(grpc.StatusCode.UNAVAILABLE, "this node is down")
        except Exception as error:  # noqa: BLE001 - the boundary of a node: it is named, traced and sent on
            if self.gate.is_cut:  # whatever a dying node meets is its death
                context.abort(grpc.StatusCode.UNAVAILABLE, "this node is down")
            _abort(context, refusal(self, error))

    return answer


def refusal(node: _Node, error: Exception) -> DfsError:
    """Return what a node says to whoever asked for what has ended so; what nobody foresaw is traced."""
    if isinstance(error, DfsError):
        return error
    node.note_error(f"{type(error).__name__}: {error}")
    return InternalError(node=node.name, reason=f"{type(error).__name__}: {error}")


def _abort(context: grpc.ServicerContext, error: DfsError) -> None:
    context.set_trailing_metadata(((ERROR_KEY, error_to(error).SerializeToString()),))
    context.abort(grpc.StatusCode[error.status], str(error).encode("ascii", "backslashreplace").decode()[:1000])


class _TokenCheck(grpc.ServerInterceptor):
    """Refuses every call without the cluster's token, before its request is read."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self.address = Address("", 0)

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Go on, or answer UNAUTHENTICATED."""
        given = next((value for key, value in details.invocation_metadata if key == TOKEN_KEY), "")
        handler = continuation(details)
        if hmac.compare_digest(str(given).encode(), self._token) or handler is None:
            return handler
        error = BadToken(address=str(self.address))
        return grpc.unary_unary_rpc_method_handler(lambda request, context: _abort(context, error))


def listen(address: Address) -> socket.socket:
    """Return a listening socket; raise PortTaken, or InvalidOption for an address that is not this machine's."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=256)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(address=str(address)) from None
        reason = f"this machine can't listen there ({error.strerror or error})"
        raise InvalidOption(option="address", value=str(address), reason=reason) from None


class RpcServer:
    """A gRPC server on one port, with a bounded pool of threads.

    Parameters
    ----------
    register : callable
        Adds the servicer to the server.
    address : Address
        Where to listen; port 0 takes any free one.
    token : str
    workers : int
        Threads at most; they are made when needed.
    tls : NodeTls, optional
        Speak TLS, and nothing else, with this certificate.

    Raises
    ------
    PortTaken, InvalidOption
        The port is in use, or the address is not this machine's.
    """

    def __init__(
        self,
        register: Callable[[grpc.Server], None],
        address: Address,
        token: str,
        *,
        name: str,
        workers: int,
        tls: NodeTls | None = None,
    ) -> None:
        check = _TokenCheck(token)
        self._pool = futures.ThreadPoolExecutor(workers, thread_name_prefix=f"{name}-rpc")
        self._server = grpc.server(self._pool, interceptors=[check], options=_SERVER_OPTIONS)
        register(self._server)
        try:
            port = self._add_port(str(address), tls)
        except RuntimeError:
            port = 0
        if port == 0:
            self._pool.shutdown(wait=False)
            listen(address).close()  # gRPC does not say why: the attempt by hand raises the reason
            raise PortTaken(address=str(address))
        self.address = check.address = Address(address.host, port)
        with PROCESSOR.together():
            self._server.start()

    def _add_port(self, address: str, tls: NodeTls | None) -> int:
        if tls is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, grpc.ssl_server_credentials([(tls.key, tls.certificate)]))

    def cut(self) -> threading.Event:
        """Close the port and every connection at once; return the event of having done so."""
        return self._server.stop(grace=0)

    def join(self, timeout_s: float) -> None:
        """Wait until the threads are gone."""
        self._server.wait_for_termination(timeout_s)
        self._pool.shutdown(wait=True)


def _sendable(token: str, address: Address) -> str:
    """Return the token if it can be sent at all: gRPC takes printable ASCII only, and so are all tokens."""
    if not isinstance(token, str) or not token.isascii() or not (token == "" or token.isprintable()):
        raise BadToken(address=str(address))
    return token


def _channel(address: str, ca: bytes | None) -> grpc.Channel:
    if ca is None:
        return grpc.insecure_channel(address, options=_CHANNEL_OPTIONS)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca), options=_CHANNEL_OPTIONS)


class _Channel:
    """A channel that makes what calls a method when that is first called: few of a stub's many are.

    gRPC crashes when that is made of a closed channel; a call of one it refuses with a ValueError, and so does this.
    """

    def __init__(self, address: str, ca: bytes | None) -> None:
        self._channel = _channel(address, ca)
        self._lock = threading.Lock()
        self._is_closed = False

    def unary_unary(self, *what: Any, **how: Any) -> functools.partial[Any]:
        """Take the place of `grpc.Channel.unary_unary` for a generated stub: return what makes the method."""
        return functools.partial(self._make, *what, **how)

    def _make(self, *what: Any, **how: Any) -> Any:
        with self._lock:
            if self._is_closed:
                raise ValueError("the channel is closed")
            return self._channel.unary_unary(*what, **how)

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._is_closed = True
        self._channel.close()


class RpcClient:
    """A channel to one server, whose calls raise this project's errors.

    Parameters
    ----------
    stub : callable
        Makes the generated stub from a channel.
    address : Address
    token : str
    nic : Nic
        The calling node's network card, with its gate if it is a node that can be killed.
    keeper : str
        The name of the keeper at the other end; empty when it is the master.
    ca : bytes, optional
        The authority, in PEM, by whose certificate the server is known; without it no TLS is spoken.
    """

    def __init__(
        self,
        stub: Callable[[Any], Any],
        address: Address,
        token: str,
        nic: Nic,
        *,
        keeper: str = "",
        ca: bytes | None = None,
    ) -> None:
        self.address, self._is_secure = address, ca is not None
        self._keeper = keeper
        self._peer = keeper or MASTER
        self._metadata = ((TOKEN_KEY, _sendable(token, address)),)
        self._nic, self._gate = nic, nic.gate
        self._channel = _Channel(str(address), ca)
        self._stub = stub(self._channel)
        if self._gate is not None:
            self._gate.enter(self, self._channel.close)

    def call(self, method: str, request: Any, timeout_s: float, *, changes: bool = True) -> Any:
        """Call and wait; `changes` tells whether the call may change something, for the words of an error."""
        if self._gate is not None:
            self._gate.check()
        deadline = time.monotonic() + timeout_s
        try:
            self._nic.request(self._peer, deadline)
            try:
                left_s = max(0.001, deadline - time.monotonic())
                reply = self._method(method)(request, timeout=left_s, metadata=self._metadata)
            finally:
                self._nic.reply(self._peer, deadline)
        except TimeoutError:  # of the emulated network: gRPC's own is an RpcError
            raise self._unreachable(NO_ANSWER, definite=not changes) from None
        except (grpc.RpcError, ValueError) as error:
            self._raise_if_down()
            raise self._translate(error, changes) from None
        if self._gate is not None:
            self._gate.check()
        return reply

    def _method(self, name: str) -> Any:
        """Return what calls a method of the server."""
        method = getattr(self._stub, name)
        if isinstance(method, functools.partial):
            method = method()
            setattr(self._stub, name, method)
        return method

    def _raise_if_down(self) -> None:
        if self._gate is not None and self._gate.is_cut:
            raise NodeDown("this node was killed") from None

    @property
    def is_plain(self) -> bool:
        """True while no emulated network lies on its way."""
        return self._nic.is_plain

    def send(
        self,
        method: str,
        request: Any,
        timeout_s: float,
        on_error: Callable[[DfsError], None],
        on_reply: Callable[[Any], None] = lambda reply: None,
    ) -> None:
        """Call without waiting; one of the two gets what comes of it, on a thread of gRPC's or the network's."""
        if self._nic.is_plain:
            self._send(method, request, timeout_s, on_error, on_reply)
            return
        self._nic.post(
            self._peer,
            timeout_s,
            lambda left_s: self._send(method, request, left_s, on_error, on_reply),
            lambda: on_error(self._unreachable(NO_ANSWER, definite=False)),
        )

    def _send(
        self,
        method: str,
        request: Any,
        timeout_s: float,
        on_error: Callable[[DfsError], None],
        on_reply: Callable[[Any], None],
    ) -> None:
        try:
            future = self._method(method).future(request, timeout=timeout_s, metadata=self._metadata)
        except ValueError as error:  # the channel was closed meanwhile
            self._raise_if_down()
            on_error(self._translate(error, changes=True))
            return

        def done(finished: Any) -> None:
            if finished.code() is grpc.StatusCode.OK:
                on_reply(finished.result())
            else:
                on_error(self._translate(finished, changes=True))

        future.add_done_callback(done)

    def _translate(self, error: Any, changes: bool) -> DfsError:
        if isinstance(error, ValueError):  # what grpc raises for a channel that was closed meanwhile
            return self._unreachable("this client is closed", definite=True)
        for key, value in error.trailing_metadata() or ():
            if key == ERROR_KEY:
                return error_from(pb.Error.FromString(value), str(self.address))
        code, details = error.code(), error.details() or ""
        if code is grpc.StatusCode.UNAVAILABLE:
            unsent = "failed to connect" in details
            if unsent and (reason := self._tls_problem(details)):
                return TlsFailed(address=str(self.address), reason=reason)
            reason = "nobody listens there" if unsent else "the connection broke"
            return self._unreachable(reason, definite=unsent or not changes)
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._unreachable(NO_ANSWER, definite=not changes)
        if code is grpc.StatusCode.CANCELLED:
            return self._unreachable("the call was cancelled", definite=not changes)
        return ProtocolError(reason=f"{self.address} answered {code.name}: {details}")

    def _tls_problem(self, details: str) -> str:
        """Return what gRPC's words mean if it is TLS on which the connection failed; else nothing."""
        if self._is_secure and "handshake" in details:
            if "WRONG_VERSION_NUMBER" in details:
                return "it does not speak TLS"
            return "its certificate is not by that authority, or not for that host"
        ends_at_once = "Socket closed" in details or "reset" in details
        if not self._is_secure and ends_at_once and speaks_tls(self.address.host, self.address.port, PROBE_S):
            return "it speaks TLS only"
        return ""

    def _unreachable(self, reason: str, *, definite: bool) -> DfsError:
        if self._keeper:
            return KeeperUnreachable(keeper=self._keeper, reason=reason)
        return MasterUnavailable(address=str(self.address), reason=reason, definite=definite)

    def close(self) -> None:
        """Close the channel."""
        if self._gate is not None:
            self._gate.leave(self)
        self._channel.close()
