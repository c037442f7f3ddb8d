"""The limit: what sockets, checksums and fsyncs allow on this machine when there is no file system around them.

Keepers are threads of this process that listen on loopback and store a file as dfslab does: checked
against the sender's CRC32C, written into preallocated space (the disk begins while bytes still come), synced,
its checksums written beside it and synced, both renamed, the folder synced. An upload ends with a record
in a log that is synced as well, in place of the catalog. Nothing else is done: a request is 25 bytes, and
there are no tokens, heartbeats, timeouts, retries, traces or versions.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

from crc32c import crc32c

from dfslab.runtime.writeback import WRITEBACK_BYTES, begin_writeback  # a system call that Python does not have

HOST = "127.0.0.1"
BUFFER_BYTES = 1 << 20
PART_BYTES = 4 << 20
Source = Path | bytes

_REQUEST = struct.Struct(">cQQQ")
"""What is asked for, a file's number, an argument, a size."""
_STORE, _FETCH, _COPY, _REPLICA = b"S", b"F", b"C", b"R"
_DONE = b"."
_CHECKSUM = struct.Struct(">I")


class RawFailed(RuntimeError):
    """The baseline itself is broken: bytes were lost or changed on the way."""


@dataclass(frozen=True)
class Stored:
    """A stored file: its number, its size in bytes, the packed checksum of each buffer, and who has it."""

    number: int
    size: int
    checksums: bytes
    holders: tuple[RawKeeper, ...]


class Links:
    """Connections, kept: one to each port."""

    def __init__(self) -> None:
        self._open: dict[int, socket.socket] = {}

    def to(self, port: int) -> socket.socket:
        """Return the connection to a port of loopback."""
        if port not in self._open:
            self._open[port] = socket.socket()
            _tune(self._open[port])
            self._open[port].connect((HOST, port))
        return self._open[port]

    def close(self) -> None:
        """Close all."""
        for link in self._open.values():
            link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class RawKeeper:
    """A folder behind a port of loopback, with a thread for each connection."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.successor: RawKeeper | None = None
        self._directory = os.open(folder, os.O_RDONLY)
        self._listener = socket.create_server((HOST, 0))
        _tune(self._listener)  # and with it what it accepts
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="raw-accept")]
        self._threads[0].start()

    def close(self) -> None:
        """End every thread and close every socket; clients are closed before."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):  # the client has closed it, and so has its thread
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        os.close(self._directory)

    def path(self, number: int) -> Path:
        """Return where a file is."""
        return self.folder / str(number)

    def delete(self, number: int) -> None:
        """Take a file and its checksums away."""
        self.path(number).unlink()
        self.path(number).with_suffix(".crc").unlink()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # it was shut down
                return
            self._connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,), name="raw-serve"))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        """Carry one request out after the other, until the other side closes."""
        buffer = memoryview(bytearray(BUFFER_BYTES))
        request = memoryview(bytearray(_REQUEST.size))
        with connection, Links() as links:
            while _receive(connection, request, may_end=True):
                kind, number, argument, size = _REQUEST.unpack(request)
                if kind == _FETCH:
                    self._send(connection, self.path(number), argument, size)
                elif kind == _REPLICA:
                    self._send(connection, self.path(number), 0, size)
                    checksums = self.path(number).with_suffix(".crc")
                    self._send(connection, checksums, 0, checksums.stat().st_size)
                elif kind == _COPY:  # the argument is the source's port
                    source = links.to(argument)
                    source.sendall(_REQUEST.pack(_REPLICA, number, 0, size))
                    self._store(number, size, source, None, buffer)
                    connection.sendall(_DONE)
                else:  # to store; the argument says how many copies there are to be from here on
                    onward = links.to(self.successor.port) if self.successor and argument > 1 else None
                    if onward is not None:
                        onward.sendall(_REQUEST.pack(_STORE, number, argument - 1, size))
                    self._store(number, size, connection, onward, buffer)
                    connection.sendall(_DONE)

    def _send(self, connection: socket.socket, path: Path, offset: int, size: int) -> None:
        with path.open("rb", buffering=0) as file:
            end = offset + size
            while offset < end:
                offset += os.sendfile(connection.fileno(), file.fileno(), offset, end - offset)

    def _store(
        self, number: int, size: int, source: socket.socket, onward: socket.socket | None, buffer: memoryview
    ) -> None:
        """Make durable what comes: the bytes, then their checksums. `onward` is sent the same, and waited for."""
        data, crcs = f"{number}", f"{number}.crc"
        with self._aside(data) as fd:
            if size:
                os.posix_fallocate(fd, 0, size)
            checksums = bytearray()
            for offset in range(0, size, BUFFER_BYTES):
                view = buffer[: min(BUFFER_BYTES, size - offset)]
                _receive(source, view)
                if onward is not None:
                    onward.sendall(view)
                checksums += _CHECKSUM.pack(crc32c(view))
                _write(fd, view, offset)
                if offset and offset % WRITEBACK_BYTES == 0:
                    begin_writeback(fd, offset - WRITEBACK_BYTES, WRITEBACK_BYTES)
            told = memoryview(bytearray(len(checksums)))
            _receive(source, told)
            if told != checksums:
                raise RawFailed(f"file {number}: the checksums differ from the sender's")
            if onward is not None:
                onward.sendall(told)
            os.fsync(fd)
        with self._aside(crcs) as fd:
            _write(fd, memoryview(checksums), 0)
            os.fsync(fd)
        for name in (crcs, data):
            os.rename(f"{name}.tmp", name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        os.fsync(self._directory)
        if onward is not None:
            _receive(onward, memoryview(bytearray(1)))

    @contextlib.contextmanager
    def _aside(self, name: str) -> Iterator[int]:
        fd = os.open(f"{name}.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._directory)
        try:
            yield fd
        finally:
            os.close(fd)


class CommitLog:
    """A file with a record an upload; those who come while it is being synced share the next sync."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._written = self._synced = 0
        self._writing, self._syncing = threading.Lock(), threading.Lock()

    def append(self, record: bytes) -> None:
        """Return once a record is durable."""
        with self._writing:
            os.write(self._fd, record)
            self._written += 1
            mine = self._written
        with self._syncing:
            if self._synced < mine:
                covered = self._written
                os.fdatasync(self._fd)
                self._synced = covered

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)


class RawClient:
    """Uploads and downloads over connections that are kept; one transfer at a time."""

    def __init__(self, log: CommitLog, keepers: Sequence[RawKeeper]) -> None:
        self._log = log
        self._keepers = keepers
        self._links = Links()
        self._buffers: list[memoryview] = []

    def close(self) -> None:
        """Close its connections."""
        self._links.close()

    def upload(self, source: Source, number: int, *, copies: int = 1, chained: bool = False) -> Stored:
        """Store a file on so many keepers, and return when all have it durably.

        Copies are sent to each keeper at the same time, or in a chain from one keeper to the next.
        """
        first = number % len(self._keepers)
        holders = tuple(self._keepers[(first + place) % len(self._keepers)] for place in range(copies))
        receivers = holders[:1] if chained else holders
        links = [self._links.to(holder.port) for holder in receivers]
        with _reading(source, self._buffer(0)) as (size, views):
            for link in links:
                link.sendall(_REQUEST.pack(_STORE, number, copies if chained else 1, size))
            checksums = bytearray()
            for view in views:
                checksums += _CHECKSUM.pack(crc32c(view))
                for link in links:
                    link.sendall(view)
            for link in links:
                link.sendall(checksums)
        for link in links:
            _receive(link, memoryview(bytearray(1)))
        self._log.append(b"%d %d\n" % (number, size))
        return Stored(number, size, bytes(checksums), holders)

    def download(self, stored: Stored, to: Path, *, holders: int = 3) -> None:
        """Fetch a file from so many of its holders: each serves the next part of one queue; every buffer is checked."""
        parts: SimpleQueue[int] = SimpleQueue()
        for offset in range(0, stored.size, PART_BYTES):
            parts.put(offset)
        serving = stored.holders[: max(1, min(holders, parts.qsize()))]
        aside = to.with_name(f"{to.name}.tmp")
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if stored.size:
                os.posix_fallocate(fd, 0, stored.size)
            in_parallel(
                [
                    partial(_fetch, stored, parts, self._links.to(holder.port), self._buffer(place), fd)
                    for place, holder in enumerate(serving)
                ]
            )
        finally:
            os.close(fd)
        aside.rename(to)

    def _buffer(self, place: int) -> memoryview:
        while len(self._buffers) <= place:
            self._buffers.append(memoryview(bytearray(BUFFER_BYTES)))
        return self._buffers[place]


def _fetch(stored: Stored, parts: SimpleQueue[int], link: socket.socket, buffer: memoryview, fd: int) -> None:
    while True:
        try:
            start = parts.get_nowait()
        except Empty:
            return
        end = min(start + PART_BYTES, stored.size)
        link.sendall(_REQUEST.pack(_FETCH, stored.number, start, end - start))
        for offset in range(start, end, BUFFER_BYTES):
            view = buffer[: min(BUFFER_BYTES, end - offset)]
            _receive(link, view)
            (wanted,) = _CHECKSUM.unpack_from(stored.checksums, offset // BUFFER_BYTES * _CHECKSUM.size)
            if crc32c(view) != wanted:
                raise RawFailed(f"file {stored.number}: wrong bytes at {offset}")
            _write(fd, view, offset)


class RawCluster:
    """Keepers in a folder, a log, and clients; ended by leaving `started()`."""

    def __init__(self, keepers: Sequence[RawKeeper], log: CommitLog, stack: ExitStack) -> None:
        self.keepers = keepers
        self._log, self._stack = log, stack

    def client(self) -> RawClient:
        """Return one more client."""
        return self._stack.enter_context(contextlib.closing(RawClient(self._log, self.keepers)))

    def copy(self, copies: Sequence[tuple[Stored, RawKeeper, RawKeeper]], streams: int) -> None:
        """Copy each file from one keeper to another, so many at a time, and return when all are durable."""
        left: SimpleQueue[tuple[Stored, RawKeeper, RawKeeper]] = SimpleQueue()
        for one in copies:
            left.put(one)

        def work() -> None:
            with Links() as links:
                while True:
                    try:
                        stored, source, target = left.get_nowait()
                    except Empty:
                        return
                    link = links.to(target.port)
                    link.sendall(_REQUEST.pack(_COPY, stored.number, source.port, stored.size))
                    _receive(link, memoryview(bytearray(1)))

        in_parallel([work] * streams)


@contextlib.contextmanager
def started(folder: Path, keepers: int = 6) -> Iterator[RawCluster]:
    """Start so many keepers in a new folder, in a ring: each one's successor in a chain is the next."""
    folder.mkdir()
    with ExitStack() as stack:
        made = [
            stack.enter_context(contextlib.closing(RawKeeper(folder / f"keeper-{number}"))) for number in range(keepers)
        ]
        for keeper, successor in zip(made, [*made[1:], made[0]], strict=True):
            keeper.successor = successor
        log = stack.enter_context(contextlib.closing(CommitLog(folder / "log")))
        yield RawCluster(made, log, stack)


def in_parallel(works: Sequence[Callable[[], object]]) -> None:
    """Do all at the same time, the last one in this thread, and raise what one of them raises."""
    with ThreadPoolExecutor(max(1, len(works) - 1)) as pool:
        others = [pool.submit(work) for work in works[:-1]]
        works[-1]()
        for other in others:
            other.result()


def _tune(link: socket.socket) -> None:
    """Send at once, and as fast as it goes: loopback has no path to be careful with, where BBR would pace and probe.

    It is for what is not connected yet: what has begun under BBR is paced for ever.
    """
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")  # every kernel has it, and lets everybody


def _receive(link: socket.socket, view: memoryview, *, may_end: bool = False) -> bool:
    """Fill a buffer. Return False when the other side has closed before its first byte, and that is all right."""
    got = 0
    while got < len(view):
        count = link.recv_into(view[got:], 0, socket.MSG_WAITALL)
        if not count:
            if may_end and not got:
                return False
            raise RawFailed(f"the connection was closed after {got} of {len(view)} bytes")
        got += count
    return True


def _write(fd: int, view: memoryview, offset: int) -> None:
    if os.pwrite(fd, view, offset) != len(view):
        raise RawFailed("a write was short: the disk is full")


@contextlib.contextmanager
def _reading(source: Source, buffer: memoryview) -> Iterator[tuple[int, Iterator[memoryview]]]:
    """Give a source's size and its bytes, buffer by buffer."""
    if isinstance(source, bytes):
        whole = memoryview(source)
        yield len(whole), (whole[start : start + BUFFER_BYTES] for start in range(0, len(whole), BUFFER_BYTES))
        return
    with source.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size

        def views() -> Iterator[memoryview]:
            for offset in range(0, size, BUFFER_BYTES):
                yield buffer[: os.preadv(file.fileno(), [buffer[: min(BUFFER_BYTES, size - offset)]], offset)]

        yield size, views()
