"""What a keeper does on its data port: it serves replicas, and takes those of uploading clients."""

from __future__ import annotations

from collections.abc import Callable

from dfslab.core.blocks import MAX_BLOCK_BYTES
from dfslab.core.errors import BadReplica, ChecksumMismatch, NotRecorded, ProtocolError
from dfslab.core.keeper import events
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import failpoints, frames
from dfslab.runtime.gate import Gate
from dfslab.runtime.paced import PacedSocket
from dfslab.runtime.processor import PROCESSOR
from dfslab.runtime.storage import OpenReplica, Storage, check_version

SENDFILE_BYTES = 4 * 1024 * 1024
"""What the kernel sends in one call: each that returns waits for the interpreter lock, and meanwhile sends nothing.
It is also what a keeper that was just frozen still sends; four times as much was not measurably faster.
"""


class Serving:
    """Answers the requests of a keeper's data port.

    Parameters
    ----------
    name : str
        The keeper's.
    storage : Storage
    gate : Gate
    handle : callable
        Lets the keeper's core decide, and does what it wants; returns the master's answer to step 4.
    """

    def __init__(
        self,
        name: str,
        storage: Storage,
        gate: Gate,
        handle: Callable[[events.Event], pb.Recorded | None],
    ) -> None:
        self._name, self._storage, self._gate, self._handle = name, storage, gate, handle

    def answer(self, request: pb.DataRequest, wire: PacedSocket, reply: Callable[[int], None]) -> None:
        """Do what a request asks for, until its last byte has passed."""
        match request.WhichOneof("operation"):
            case "get":
                self._get(request.get, request.ticket, wire, reply)
            case "put":
                self._put(request.put, request.ticket, wire, reply)
            case _:
                raise ProtocolError(reason="a request with no operation")

    def _get(self, get: pb.Get, ticket: bytes, wire: PacedSocket, reply: Callable[[int], None]) -> None:
        check_version(get.version)
        self._handle(events.GetRequested(get.version, get.offset, get.length, ticket))
        replica = self._open(get.version)
        try:
            if get.offset + get.length > replica.size:
                reason = f"it has {replica.size} bytes, {get.offset + get.length} were asked for"
                raise BadReplica(keeper=self._name, version=get.version, reason=reason)
            wire.fit_buffers()
            PROCESSOR.settle(get.length)
            reply(get.length)
            self._send(replica, get, wire)
        finally:
            replica.close()

    def _open(self, version: str) -> OpenReplica:
        try:
            replica = self._storage.open(version)
        except BadReplica as error:
            self._handle(events.FoundBad(version, str(error.fields["reason"])))
            raise
        self._handle(events.ReplicaOpened(version, replica.size))
        return replica

    def _send(self, replica: OpenReplica, get: pb.Get, wire: PacedSocket) -> None:
        """Send what was asked for; when the disk fails in its midst, the reader sees the end, and goes elsewhere."""
        offset, end = get.offset, get.offset + get.length
        try:
            while offset < end:
                self._gate.check()
                failpoints.hit("keeper.serving")
                offset += wire.send_file(replica.fd, offset, min(SENDFILE_BYTES, end - offset))
        except OSError as error:
            if problem := replica.problem(error):
                self._handle(events.FoundBad(get.version, problem))
            raise

    def _put(self, put: pb.Put, ticket: bytes, wire: PacedSocket, reply: Callable[[int], None]) -> None:
        check_version(put.version)
        if not 1 <= put.block_size <= MAX_BLOCK_BYTES:
            raise ProtocolError(reason=f"blocks of {put.block_size} bytes, 1 to {MAX_BLOCK_BYTES} are allowed")
        self._handle(events.PutRequested(put.version, put.size, put.block_size, self._storage.free_bytes(), ticket))
        try:
            PROCESSOR.settle(put.size)
            written = self._receive(put, wire, reply)
        except BaseException:
            self._handle(events.WriteAborted(put.version))
            raise
        answer = self._handle(written)
        if answer is None or not answer.keep:
            reason = answer.reason if answer else "the master gave no answer"
            raise NotRecorded(keeper=self._name, version=put.version, reason=reason)
        self._gate.check()
        reply(put.size)

    def _receive(self, put: pb.Put, wire: PacedSocket, reply: Callable[[int], None]) -> events.ReplicaWritten:
        writer = self._storage.create(put.version, put.size, put.block_size)
        try:
            wire.fit_buffers()
            reply(put.size)
            left = put.size
            with frames.buffer() as buffer:
                step = len(buffer) // put.block_size * put.block_size
                while left:
                    view = buffer[: min(step, left)]
                    wire.receive_into(view)
                    self._gate.check()
                    failpoints.hit("keeper.receiving")
                    writer.write(view)
                    left -= len(view)
            bad = writer.first_difference(frames.receive(wire.sock, len(writer.checksums)))
            if bad is not None:
                raise ChecksumMismatch(where="the uploading client", block=bad)
            stored = writer.commit()
        except BaseException:
            writer.abort()
            raise
        return events.ReplicaWritten(stored, put.block_size, writer.checksums, cause=put.cause)
