"""A data port's connection without a socket: it hands out bytes in the pieces in which they came."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import cast

from dfslab.core.errors import ProtocolError
from dfslab.runtime import frames
from dfslab.runtime.data_server import _Caller

LIMIT = frames.HEAD.size + frames.MAX_MESSAGE_BYTES


class Stream:
    """Stands for a non-blocking socket's reading half.

    `next_piece` makes a piece available; when it is read up, a read would block, and after the last
    one the other side has closed.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._coming = list(pieces)
        self._there = b""
        self.taken = 0
        self.largest_read = 0

    def next_piece(self) -> bool:
        """Let the next piece arrive; False when there is none."""
        if not self._coming:
            return False
        self._there += self._coming.pop(0)
        return True

    def recv(self, count: int, flags: int) -> bytes:
        """Return at most `count` bytes, as `socket.recv` does."""
        assert count > 0
        assert flags & socket.MSG_DONTWAIT
        self.largest_read = max(self.largest_read, count)
        if not self._there:
            if self._coming:
                raise BlockingIOError
            return b""
        data, self._there = self._there[:count], self._there[count:]
        self.taken += len(data)
        return data


def requests_in(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bodies that a data port makes of a stream, until it is refused or ends; check what it may take."""
    stream = Stream(pieces)
    caller = _Caller(cast(socket.socket, stream), deadline=0.0)
    begin = 0
    while True:
        try:
            body = caller.next_request()
        except (ProtocolError, ConnectionError):
            return
        assert len(caller.head) + len(caller.body) <= LIMIT, "more was kept than a header may have"
        assert stream.largest_read <= frames.MAX_MESSAGE_BYTES
        if body is not None:
            assert stream.taken - begin == frames.HEAD.size + len(body), "bytes behind the header were taken"
            begin = stream.taken
            yield body
        elif not stream.next_piece():
            return
