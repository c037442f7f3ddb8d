"""A data connection as one end has it: every message and every byte passes the node's network card."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import struct
from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import Message

from dfslab.runtime import frames, sockets
from dfslab.runtime.network import Nic

M = TypeVar("M", bound=Message)
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class PacedSocket:
    """A connected socket behind a `Nic`.

    Parameters
    ----------
    sock : socket
        It waits at most `stall_timeout_s`: `sockets.wait_at_most`.
    nic : Nic
        This end's.
    peer : str
        The node at the other end; empty when it did not say.
    stall_timeout_s : float
        Longest silence.
    """

    def __init__(self, sock: socket.socket, nic: Nic, peer: str, stall_timeout_s: float) -> None:
        self.sock, self.peer = sock, peer
        self._nic, self._stall_timeout_s = nic, stall_timeout_s
        self._breaks_in: int | None = None
        self._buffer_bytes = 0
        self.given_up: Callable[[], bool] = lambda: False

    def expect(self, size: int) -> None:
        """Begin a request of so many bytes, which a lossy path may break off."""
        self._breaks_in = self._nic.break_after(self.peer, size)
        self.fit_buffers()

    def fit_buffers(self) -> None:
        """Let no more lie in the kernel than a slow link holds; else what was handed over seems to have arrived."""
        size = self._nic.buffer_bytes(self.peer)
        if size and size != self._buffer_bytes:
            self._buffer_bytes = size
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                self.sock.setsockopt(socket.SOL_SOCKET, option, size)

    def send_message(self, message: Message, *, more: bool = False) -> None:
        """Send a frame; with `more`, it goes out with the bytes behind it."""
        self.begin()
        sockets.send(self.sock, frames.encode(message), more=more)

    def receive_message(self, kind: type[M]) -> M:
        """Return the next frame's message."""
        return frames.receive_message(self.sock, kind)

    def begin(self) -> None:
        """Wait as long as the first byte of what comes next takes on its way."""
        self._nic.message(self.peer, self._stall_timeout_s, self.given_up)

    def send(self, view: memoryview) -> None:
        """Send bytes of a file."""
        if self._passes_all():
            sockets.send(self.sock, view)
            return
        done = 0
        while done < len(view):
            part = view[done : done + self._nic.quantum(self.peer, len(view) - done)]
            self._pass(len(part), outbound=True)
            sockets.send(self.sock, part)
            done += len(part)

    def send_file(self, fd: int, offset: int, count: int) -> int:
        """Send part of a file without copying it through Python; return how much the socket took.

        Raises TimeoutError when the peer takes nothing for the socket's timeout, ConnectionError when
        the file became shorter.
        """
        count = self._nic.quantum(self.peer, count)
        self._pass(count, outbound=True)
        if isinstance(self.sock, ssl.SSLSocket):
            return self._send_file_encrypted(fd, offset, count)
        sockets.send_file(self.sock, fd, offset, count)
        return count

    def _send_file_encrypted(self, fd: int, offset: int, count: int) -> int:
        """As `send_file`, for bytes that Python has to see: the kernel has no key to encrypt them with."""
        with frames.buffer() as buffer:
            got = os.preadv(fd, [buffer[:count]], offset)
            if got == 0:
                raise ConnectionError("the replica became shorter while it was sent")
            sockets.send(self.sock, buffer[:got])
        return got

    def receive_into(self, view: memoryview) -> None:
        """Fill `view` with bytes of a file; raise ConnectionError when the connection ends before."""
        if self._passes_all():
            sockets.receive(self.sock, view)
            return
        got = 0
        while got < len(view):
            count = self._nic.quantum(self.peer, len(view) - got)
            sockets.receive(self.sock, view[got : got + count])
            self._pass(count, outbound=False)
            got += count

    def _passes_all(self) -> bool:
        """Return True when nothing is emulated: most transfers are such, and this is asked for every megabyte."""
        return self._nic.network.is_plain and self._breaks_in is None

    def _pass(self, count: int, *, outbound: bool) -> None:
        self._nic.pass_bytes(self.peer, count, self._stall_timeout_s, outbound=outbound, given_up=self.given_up)
        if self._breaks_in is not None:
            self._breaks_in -= count
            if self._breaks_in <= 0:
                self._reset()

    def _reset(self) -> None:
        """Break the connection off as a network does that has lost too much of it: both ends see a reset."""
        with contextlib.suppress(OSError):  # it was shut already, which is as good
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        self.sock.close()
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
