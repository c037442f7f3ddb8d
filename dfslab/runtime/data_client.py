"""The caller's side of the data plane: pooled connections, GET and PUT."""

from __future__ import annotations

import contextlib
import hmac
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dfslab.core.blocks import CHECKSUM_BYTES, block_count
from dfslab.core.errors import (
    BadToken,
    ChecksumMismatch,
    DfsError,
    KeeperUnreachable,
    ProtocolError,
    SourceUnreadable,
    TlsFailed,
)
from dfslab.core.keeper.insisting import PATIENCE_S
from dfslab.core.model import Address
from dfslab.core.retrieval import NO_ANSWER
from dfslab.core.tickets import ProofKey
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import failpoints, frames, sockets
from dfslab.runtime.checksum import block_crcs, first_bad_block
from dfslab.runtime.gate import NodeDown
from dfslab.runtime.network import Nic
from dfslab.runtime.paced import PacedSocket
from dfslab.runtime.sockets import is_local, shut
from dfslab.runtime.tls import client_context
from dfslab.runtime.turns import Turn, Turns
from dfslab.runtime.wire import error_from, operation_bytes

CONNECT_TIMEOUT_S = 2.0
_TURNS = Turns()
STRANGER = "who answers there does not prove to know the cluster's token"


class Connection:
    """One connection to a keeper's data port, once it was opened."""

    def __init__(
        self, keeper: str, address: Address, stall_timeout_s: float, nic: Nic, tls: ssl.SSLContext | None = None
    ) -> None:
        self.keeper, self.address, self._tls = keeper, address, tls
        self._stall_timeout_s, self._nic = stall_timeout_s, nic
        self._wire: PacedSocket | None = None
        self._aborted = False
        self._expected_proof = b""
        self.is_plain = True

    def open(self) -> None:
        """Connect; raise an OSError when nobody answers, TlsFailed when it is not who it should be."""
        self._nic.connect(self.keeper, CONNECT_TIMEOUT_S, self._is_aborted)
        self.is_plain = self._nic.is_plain
        sock = sockets.connect(self.address.host, self.address.port, CONNECT_TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            sock = self._secured(sock, self._tls)
        sockets.wait_at_most(sock, self._stall_timeout_s)
        self._wire = PacedSocket(sock, self._nic, self.keeper, self._stall_timeout_s)
        self._wire.given_up = self._is_aborted
        if self._aborted:  # while it was being opened, when there was nothing to shut yet
            self.close()
            raise ConnectionError("the transfer was given up")

    def _secured(self, sock: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        try:
            return tls.wrap_socket(sock, server_hostname=self.address.host)
        except ssl.SSLError as error:
            raise TlsFailed(address=str(self.address), reason=error.reason or str(error)) from None
        except OSError:
            sock.close()
            raise

    @property
    def wire(self) -> PacedSocket:
        """The open connection."""
        if self._wire is None:
            raise ConnectionError("it was never opened")
        return self._wire

    def _is_aborted(self) -> bool:
        return self._aborted

    def wait_at_most(self, seconds: float) -> None:
        """Set the longest silence."""
        sockets.wait_at_most(self.wire.sock, seconds)

    def abort(self) -> None:
        """End the connection under whoever is using it."""
        self._aborted = True
        self._nic.network.wake()
        with contextlib.suppress(ConnectionError):  # never opened
            shut(self.wire.sock)

    def close(self) -> None:
        """Close it."""
        if self._wire is not None:
            self._wire.sock.close()

    def ask(self, request: pb.DataRequest, expected_proof: bytes) -> pb.DataReply:
        """Send a request's header and return the reply; raise the error in it, if there is one."""
        self._expected_proof = expected_proof
        self.wire.send_message(request)
        return self.read_reply()

    def read_reply(self) -> pb.DataReply:
        """Return the next reply; raise the error in it, if there is one.

        Whoever listens there now must prove to be of the cluster, before a byte of a file is sent to him
        or an error of his believed: the keeper may be dead, and its port a stranger's.
        """
        reply = self.wire.receive_message(pb.DataReply)
        error = error_from(reply.error, self.keeper) if reply.HasField("error") else None
        is_proven = hmac.compare_digest(reply.proof, self._expected_proof)
        if not is_proven and not isinstance(error, BadToken | ProtocolError):
            raise KeeperUnreachable(keeper=self.keeper, reason=STRANGER)
        if error is not None:
            raise error
        return reply


@dataclass(frozen=True)
class Range:
    """A run of whole blocks of a version, with the checksums it must have."""

    version: str
    offset: int
    length: int
    block_size: int
    checksums: bytes


class DataClient:
    """Reads from and writes to data ports, over connections that are kept for the next request.

    Parameters
    ----------
    token : str
    stall_timeout_s : float
        Longest silence in the middle of a transfer.
    nic : Nic
        The calling node's network card, with its gate if it is a node that can be killed.
    idle_per_address : int
        Connections to one keeper that are kept for the next request.
    ca : bytes, optional
        The authority, in PEM, by whose certificates keepers are known; without it no TLS is spoken.
    """

    def __init__(
        self,
        token: str,
        stall_timeout_s: float,
        nic: Nic,
        *,
        idle_per_address: int = 16,
        ca: bytes | None = None,
    ) -> None:
        self._tls = None if ca is None else client_context(ca)
        self._idle_per_address = idle_per_address
        self._stall_timeout_s, self._nic, self._gate = stall_timeout_s, nic, nic.gate
        self._proofs = ProofKey(token.encode())
        self._idle: dict[Address, list[Connection]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def _take(self, address: Address) -> Connection | None:
        """Return one that rests; once the network is emulated, none whose wide window lets a sender run ahead."""
        with self._lock:
            idle = self._idle.get(address)
            connection = idle.pop() if idle else None
        if connection is not None and connection.is_plain and not self._nic.is_plain:
            self._discard(connection)
            return self._take(address)
        return connection

    def _connect(self, keeper: str, address: Address, on_connection: Callable[[Connection], None]) -> Connection:
        if self._gate is not None:
            self._gate.check()
        connection = Connection(keeper, address, self._stall_timeout_s, self._nic, self._tls)
        on_connection(connection)
        try:
            connection.open()
        except OSError as error:
            if isinstance(error, DfsError):
                raise
            raise KeeperUnreachable(keeper=keeper, reason=_reason(error)) from None
        if self._gate is not None:
            self._gate.enter(connection, connection.abort)
        return connection

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            idle = self._idle.setdefault(connection.address, [])
            if not self._closed and len(idle) < self._idle_per_address:
                idle.append(connection)
                return
        self._discard(connection)

    def _discard(self, connection: Connection) -> None:
        if self._gate is not None:
            self._gate.leave(connection)
        connection.close()

    def get(
        self,
        keeper: str,
        address: Address,
        wanted: Range,
        sink: Callable[[memoryview, int], None],
        ticket: bytes,
        *,
        on_connection: Callable[[Connection], None] = lambda connection: None,
        is_behind: bool = False,
    ) -> None:
        """Fetch a range, check every block, and hand it to `sink(bytes, offset)` in runs of whole blocks.

        `ticket` is the master's leave to read the version from that keeper. What is a copy between keepers that
        nobody waits for `is_behind` what clients move.

        Raises
        ------
        KeeperUnreachable
            The keeper does not answer, or broke off.
        TicketRefused
            The ticket has lapsed, or is not for this.
        NoSuchReplica
            It does not hold the version.
        ChecksumMismatch
            A block is not what was uploaded; `sink` has not seen it.
        """
        request = pb.DataRequest(
            node=self._nic.node,
            ticket=ticket,
            get=pb.Get(version=wanted.version, offset=wanted.offset, length=wanted.length),
        )
        with self._turn(address, is_copy=is_behind) as turn:
            connection = self._asked(keeper, address, request, on_connection)
            with self._borrowed(connection):
                self._receive(connection, wanted, sink, turn)

    def put(
        self,
        keeper: str,
        address: Address,
        order: pb.Put,
        source: Callable[[memoryview], int],
        ticket: bytes,
        sent: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Send a version (step 3) and return once the keeper has stored it and the master has recorded it.

        Parameters
        ----------
        source : callable
            Fills a buffer with the next bytes of the file and returns how many; it must yield
            exactly `order.size` bytes in all.
        ticket : bytes
            The master's leave to send the version to that keeper.
        sent : callable
            Told the number of bytes sent so far, after each buffer.

        Raises
        ------
        KeeperUnreachable
            The keeper does not answer, or broke off.
        TicketRefused, NotReady, StorageFailed, ChecksumMismatch, NotRecorded
            The keeper says why it has not stored the file.
        """
        request = pb.DataRequest(node=self._nic.node, ticket=ticket, put=order)
        connection = self._asked(keeper, address, request, lambda connection: None)
        with self._borrowed(connection):
            try:
                with self._turn(address) as turn:
                    checksums = self._send_blocks(connection, order, source, sent, turn)
                sockets.send(connection.wire.sock, checksums)
            except OSError as error:
                if isinstance(error, DfsError):
                    raise
                _raise_what_the_keeper_said(connection)
                raise
            connection.wait_at_most(self._stall_timeout_s + PATIENCE_S)
            try:
                connection.read_reply()
            except OSError as error:  # it has every byte, and may have stored them
                if isinstance(error, DfsError):
                    raise
                raise KeeperUnreachable(keeper=keeper, reason=_reason(error), definite=False) from None
            connection.wait_at_most(self._stall_timeout_s)

    def _asked(
        self, keeper: str, address: Address, request: pb.DataRequest, on_connection: Callable[[Connection], None]
    ) -> Connection:
        """Return a connection on which the request was sent and answered without an error.

        A pooled connection may have been closed by the keeper while it rested; then a new one is
        tried. Nothing but a header was sent, so nothing can have happened twice.
        """
        request.proof = self._proofs.of_request(request.ticket, operation_bytes(request))
        expected = self._proofs.of_reply(request.proof)
        pooled = self._take(address)
        if pooled is not None:
            try:
                on_connection(pooled)
                pooled.ask(request, expected)
                return pooled
            except OSError as error:
                self._discard(pooled)
                self._discard_idle(address)
                if isinstance(error, DfsError):
                    raise
                if isinstance(error, TimeoutError):  # it is there and says nothing: a new one would wait as long
                    raise KeeperUnreachable(keeper=keeper, reason=NO_ANSWER) from None
        connection = self._connect(keeper, address, on_connection)
        with self._borrowed(connection, keep=True):
            connection.ask(request, expected)
        return connection

    @contextlib.contextmanager
    def _borrowed(self, connection: Connection, *, keep: bool = False) -> Iterator[None]:
        """Give the connection back at the end, unless `keep`; after an error it is closed, and the error typed."""
        try:
            yield
        except BaseException as error:
            self._discard(connection)
            if isinstance(error, OSError) and not isinstance(error, DfsError | NodeDown):
                raise KeeperUnreachable(keeper=connection.keeper, reason=_reason(error)) from None
            raise
        if not keep:
            self._give_back(connection)

    def _turn(self, address: Address, *, is_copy: bool = False) -> contextlib.AbstractContextManager[Turn]:
        """Wait for leave to move bytes: both ends are on this machine, maybe with many others, and nothing is slow."""
        if is_local(address.host) and self._nic.network.is_plain:
            return _TURNS.turn(is_copy=is_copy)
        return contextlib.nullcontext(Turn())

    def _receive(
        self, connection: Connection, wanted: Range, sink: Callable[[memoryview, int], None], turn: Turn
    ) -> None:
        connection.wire.expect(wanted.length)
        done = 0
        with frames.buffer() as buffer:
            step = max(1, len(buffer) // wanted.block_size) * wanted.block_size
            while done < wanted.length:
                view = buffer[: min(step, wanted.length - done)]
                connection.wire.receive_into(view)
                if self._gate is not None:
                    self._gate.check()
                _check_blocks(view, done, wanted, connection.keeper)
                sink(view, wanted.offset + done)
                done += len(view)
                turn.moved(len(view))

    def _send_blocks(
        self,
        connection: Connection,
        order: pb.Put,
        source: Callable[[memoryview], int],
        sent: Callable[[int], None],
        turn: Turn,
    ) -> bytes:
        checksums = bytearray()
        connection.wire.expect(order.size)
        connection.wire.begin()
        done = 0
        with frames.buffer() as buffer:
            step = max(1, len(buffer) // order.block_size) * order.block_size
            while done < order.size:
                view = buffer[: min(step, order.size - done)]
                _fill(view, source)
                checksums += block_crcs(view, order.block_size)
                if self._gate is not None:
                    self._gate.check()
                failpoints.hit("client.sending")
                connection.wire.send(view)
                done += len(view)
                turn.moved(len(view))
                sent(done)
        return bytes(checksums)

    def _discard_idle(self, address: Address) -> None:
        with self._lock:
            idle = self._idle.pop(address, [])
        for connection in idle:
            self._discard(connection)

    def close(self) -> None:
        """Close every connection that rests; those in use are closed when they are done."""
        with self._lock:
            self._closed = True
            addresses = list(self._idle)
        for address in addresses:
            self._discard_idle(address)


def _fill(view: memoryview, source: Callable[[memoryview], int]) -> None:
    got = 0
    while got < len(view):
        count = source(view[got:])
        if count == 0:
            raise SourceUnreadable(path="the source", reason="it became shorter while it was read")
        got += count


def _check_blocks(view: memoryview, done: int, wanted: Range, keeper: str) -> None:
    first = done // wanted.block_size * CHECKSUM_BYTES
    end = first + block_count(len(view), wanted.block_size) * CHECKSUM_BYTES
    bad = first_bad_block(view, wanted.block_size, wanted.checksums[first:end])
    if bad is not None:
        raise ChecksumMismatch(where=keeper, block=(wanted.offset + done) // wanted.block_size + bad)


def _raise_what_the_keeper_said(connection: Connection) -> None:
    """After a failed send, raise the keeper's own error if it sent one before it closed the connection."""
    try:
        connection.wait_at_most(1.0)
        connection.read_reply()
    except OSError as error:
        if isinstance(error, DfsError):
            raise


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return NO_ANSWER
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    return error.strerror or str(error)
