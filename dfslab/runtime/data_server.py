"""The data port of a keeper: one thread waits for requests, a bounded pool serves them.

A connection that has not sent a whole, proven header costs a few bytes here and no thread, so
that hundreds of slow or hostile ones do not keep a real client waiting.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import hmac
import select
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, Thread

from dfslab.core.errors import BadToken, DfsError, LimitReached, ProtocolError
from dfslab.core.model import Address
from dfslab.core.tickets import ProofKey
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import frames
from dfslab.runtime.gate import Gate, NodeDown
from dfslab.runtime.network import Nic
from dfslab.runtime.paced import PacedSocket
from dfslab.runtime.processor import PROCESSOR
from dfslab.runtime.rpc import listen
from dfslab.runtime.sockets import allow_many_descriptors, is_local, shut, stay_on_this_machine, wait_at_most
from dfslab.runtime.tls import NodeTls, server_context
from dfslab.runtime.wire import error_to, operation_bytes

HEADER_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 60.0
MAX_CONNECTIONS = 1024
"""Per data port. Beyond, who has waited longest for a request makes room; if nobody waits, the new one is refused."""
PAUSE_S = 0.2
"""How long nobody is taken in while the process has no descriptor left and no connection to close for one."""
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
WORKERS = 32
LINGERERS = WORKERS // 2
LINGER_S = 0.25
"""How long a thread that has served a request waits for the next one of the same connection, unless as many as
`LINGERERS` wait already. A request that finds its thread there spares two others' hand-overs.
"""


Reply = Callable[[int], None]


class _Caller:
    """A connection and what has come of its next header.

    A plain socket waits in the kernel, for a transfer; to look what is there, it is asked not to for a call. Python's
    own has to be told before each, and its kernel limits again behind it.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self.sock, self.deadline = sock, deadline
        self.greeting = isinstance(sock, ssl.SSLSocket)
        self._flags = 0 if self.greeting else socket.MSG_DONTWAIT
        self.head = bytearray()
        self.body = bytearray()
        self.length: int | None = None

    def wait_at_most(self, seconds: float) -> None:
        """Let a transfer wait for the other end: a plain socket does since it was taken in."""
        if isinstance(self.sock, ssl.SSLSocket):
            wait_at_most(self.sock, seconds)

    def wait_for_nothing(self) -> None:
        """Let `greeted` and `next_request` return with what is there."""
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.setblocking(False)

    def say(self, data: bytes) -> None:
        """Send what fits in the kernel's buffer, and wait for nothing."""
        self.sock.send(data, self._flags)

    def greeted(self) -> bool:
        """Go on with the TLS handshake, if it has one; return True when nothing is left of it to do."""
        if self.greeting and isinstance(self.sock, ssl.SSLSocket):
            try:
                self.sock.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            self.greeting = False
        return True

    def next_request(self) -> bytes | None:
        """Read what is there, not a byte beyond the header; return its body when it is whole."""
        if self.length is None:
            self._read(self.head, frames.HEAD.size)
            if len(self.head) < frames.HEAD.size:
                return None
            self.length = frames.body_length(bytes(self.head))
        if self.length:
            self._read(self.body, self.length)
        if len(self.body) < self.length:
            return None
        body = bytes(self.body)
        self.head, self.body, self.length = bytearray(), bytearray(), None
        return body

    def _read(self, into: bytearray, wanted: int) -> None:
        while len(into) < wanted:
            try:
                data = self.sock.recv(wanted - len(into), self._flags)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            if not data:
                raise ConnectionError("closed by the other side")
            into += data


class DataServer:
    """Listens on a data port and hands proven requests to `serve`.

    Parameters
    ----------
    address : Address
        Port 0 takes any free one.
    token : str
        The cluster's; requests and replies prove that both sides know it.
    serve : callable
        `serve(request, wire, reply)` on a thread of the pool; `reply(size)` sends a DataReply. An error
        that it raises is sent to the other side, and the connection closed.
    stall_timeout_s : float
        Longest silence in the middle of a transfer.
    tls : NodeTls, optional
        Speak TLS, and nothing else, with this certificate.

    Raises
    ------
    PortTaken, InvalidOption
        The port is in use, or the address is not this machine's.
    """

    def __init__(
        self,
        address: Address,
        token: str,
        gate: Gate,
        nic: Nic,
        serve: Callable[[pb.DataRequest, PacedSocket, Reply], None],
        *,
        name: str,
        stall_timeout_s: float,
        note_error: Callable[[str], None],
        tls: NodeTls | None = None,
    ) -> None:
        allow_many_descriptors()
        self._name, self._tls = name, server_context(tls) if tls else None
        self._proofs, self._gate, self._nic, self._serve = ProofKey(token.encode()), gate, nic, serve
        self._stall_timeout_s, self._note_error = stall_timeout_s, note_error
        self._listener = listen(address)
        if is_local(address.host):
            stay_on_this_machine(self._listener)  # and with it all that it takes in
        self._listener.setblocking(False)
        self.address = Address(address.host, self._listener.getsockname()[1])
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._returned: collections.deque[_Caller] = collections.deque()
        self._callers: dict[socket.socket, _Caller] = {}
        self._open: dict[socket.socket, None] = {}
        self._places = BoundedSemaphore(LINGERERS)
        self._accepts_at: float | None = None  # None: it is accepting
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix=f"{name}-data")
        self._thread = Thread(target=self._run, name=f"{name}-data", daemon=True)
        with PROCESSOR.together():
            self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                ready = self._selector.select(self._patience_s())
                self._gate.check()
                self._accept_again()
                for key, _ in ready:
                    self._on_ready(key.fileobj)
                self._close_late()
        except NodeDown:
            pass
        finally:
            self._close_all()

    def _on_ready(self, ready: object) -> None:
        if ready is self._listener:
            self._accept()
        elif ready is self._wake_in:
            self._wake_in.recv(4096)
            while self._returned:
                self._wait_for_request(self._returned.popleft(), IDLE_TIMEOUT_S)
        elif isinstance(ready, socket.socket) and ready in self._callers:
            self._on_data(self._callers[ready])

    def _patience_s(self) -> float | None:
        if self._accepts_at is not None:
            return max(0.0, self._accepts_at - time.monotonic())
        return 1.0 if self._callers else None

    def _accept(self) -> None:
        try:
            sock = self._taken_in()
        except OSError as error:  # gone again before it was taken; or there is no descriptor for it
            if error.errno in OUT_OF_DESCRIPTORS:
                self._make_room()
            return
        self._gate.enter(sock, lambda: shut(sock))
        caller = _Caller(sock, 0.0)
        if len(self._open) >= MAX_CONNECTIONS and not self._drop_the_idlest():
            self._open[sock] = None
            self._refuse_at_the_door(caller)
            return
        self._open[sock] = None
        self._wait_for_request(caller, HEADER_TIMEOUT_S)

    def _taken_in(self) -> socket.socket:
        sock, peer = self._listener.accept()
        try:
            wait_at_most(sock, self._stall_timeout_s)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if is_local(peer[0]):
                stay_on_this_machine(sock)
            if self._tls is not None:
                sock.setblocking(False)
                return self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError:
            sock.close()
            raise
        return sock

    def _drop_the_idlest(self) -> bool:
        """Close the connection that has waited longest for a request; return False when none is waiting."""
        for caller in self._callers.values():
            self._drop(caller)
            return True
        return False

    def _make_room(self) -> None:
        """Give a descriptor back, or take nobody in for a moment: the one who knocks would wake us without end."""
        if not self._drop_the_idlest():
            self._selector.unregister(self._listener)
            self._accepts_at = time.monotonic() + PAUSE_S

    def _accept_again(self) -> None:
        if self._accepts_at is not None and time.monotonic() >= self._accepts_at:
            self._accepts_at = None
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _refuse_at_the_door(self, caller: _Caller) -> None:
        error = LimitReached(node=self._name, what="connections at a time", limit=MAX_CONNECTIONS)
        self._say_why(caller, error)
        self._shut_down(caller.sock)

    def _wait_for_request(self, caller: _Caller, timeout_s: float) -> None:
        caller.wait_for_nothing()
        caller.deadline = time.monotonic() + timeout_s
        self._callers[caller.sock] = caller
        self._selector.register(caller.sock, selectors.EVENT_READ)
        if isinstance(caller.sock, ssl.SSLSocket) and caller.sock.pending():  # here already, and no select would tell
            self._on_data(caller)

    def _on_data(self, caller: _Caller) -> None:
        try:
            if not caller.greeted():
                return
            body = caller.next_request()
            if body is None:
                return
            request = self._proven(body)
        except DfsError as error:
            self._refuse(caller, error)
        except OSError:
            self._drop(caller)
        else:
            self._forget(caller)
            self._pool.submit(self._work, caller, request)

    def _proven(self, body: bytes) -> pb.DataRequest:
        """Return the request of a header; raise BadToken if whoever sent it does not know the token."""
        request = frames.decode(pb.DataRequest, body)
        proof = self._proofs.of_request(request.ticket, operation_bytes(request))
        if not hmac.compare_digest(proof, request.proof):
            raise BadToken(address=str(self.address))
        return request

    def _refuse(self, caller: _Caller, error: DfsError) -> None:
        self._say_why(caller, error)
        self._drop(caller)

    def _say_why(self, caller: _Caller, error: DfsError) -> None:
        if caller.greeting:  # there is no secure way to say anything yet
            return
        with contextlib.suppress(OSError):  # the other side does not listen any more; it is being closed anyway
            caller.say(frames.encode(pb.DataReply(error=error_to(error))))

    def _work(self, caller: _Caller, request: pb.DataRequest) -> None:
        try:
            wanted: pb.DataRequest | None = request
            while wanted is not None:
                self._gate.check()
                caller.wait_at_most(self._stall_timeout_s)
                self._answer(caller, wanted)
                self._gate.check()
                wanted = self._next_at_once(caller)
            self._returned.append(caller)
            self._wake()
        except (OSError, NodeDown):
            self._shut_down(caller.sock)
        except Exception as error:  # noqa: BLE001 - the boundary of a node: it is traced, the peer sees the end
            self._note_error(f"{type(error).__name__}: {error}")
            self._shut_down(caller.sock)

    def _next_at_once(self, caller: _Caller) -> pb.DataRequest | None:
        """Return the caller's next request if it comes whole and while nobody waits for this thread; else None.

        A download asks for its next chunk as soon as it has one: this spares two threads' hand-overs a chunk.
        """
        if isinstance(caller.sock, ssl.SSLSocket) or not self._places.acquire(blocking=False):
            return None
        try:
            poll = select.poll()
            poll.register(caller.sock, select.POLLIN)
            if not poll.poll(LINGER_S * 1000):
                return None
        finally:
            self._places.release()
        body = caller.next_request()
        if body is None:
            return None
        self._gate.check()
        try:
            return self._proven(body)
        except DfsError as error:
            self._say_why(caller, error)
            raise ConnectionError("ended by an error") from None

    def _answer(self, caller: _Caller, request: pb.DataRequest) -> None:
        wire = PacedSocket(caller.sock, self._nic, request.node, self._stall_timeout_s)
        proof = self._proofs.of_reply(request.proof)
        try:
            follow = request.HasField("get") and request.get.length > 0
            self._serve(
                request, wire, lambda size: wire.send_message(pb.DataReply(size=size, proof=proof), more=follow)
            )
        except DfsError as error:
            self._gate.check()
            wire.send_message(pb.DataReply(error=error_to(error), proof=proof))
            raise ConnectionError("ended by an error") from None

    def _close_late(self) -> None:
        now = time.monotonic()
        for caller in [caller for caller in self._callers.values() if caller.deadline <= now]:
            if caller.head or caller.body:
                self._refuse(caller, ProtocolError(reason="a header that took too long"))
            else:
                self._drop(caller)

    def _forget(self, caller: _Caller) -> None:
        del self._callers[caller.sock]
        self._selector.unregister(caller.sock)

    def _drop(self, caller: _Caller) -> None:
        self._forget(caller)
        self._shut_down(caller.sock)

    def _shut_down(self, sock: socket.socket) -> None:
        self._open.pop(sock, None)
        self._gate.leave(sock)
        sock.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is being woken already; or closed: nobody is left to wake
            self._wake_out.send(b"!")

    def _close_all(self) -> None:
        self._selector.close()
        for caller in self._callers.values():
            self._shut_down(caller.sock)
        self._listener.close()
        self._wake_in.close()

    def cut(self) -> None:
        """Make the threads see that the gate is cut."""
        self._wake()

    def join(self) -> None:
        """Wait until the threads are gone and the port is closed."""
        self._thread.join()
        self._pool.shutdown(wait=True)
        while self._returned:  # by a worker that passed the gate just before it was cut
            self._shut_down(self._returned.popleft().sock)
        self._wake_out.close()
