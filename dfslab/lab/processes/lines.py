"""Lines over a pipe, at either end: written whole, by a deadline; read as they come."""

from __future__ import annotations

import os
import select
import time

READ_BYTES = 64 * 1024
MAX_READS = 64
"""How much is read at a time, so that one who never stops to write does not keep its reader."""


def write_all(fd: int, data: bytes, timeout_s: float) -> None:
    """Write all of `data` to a pipe that does not block.

    Raises
    ------
    TimeoutError
        Nobody took it in time.
    BrokenPipeError
        Nobody reads any more.
    """
    deadline = time.monotonic() + timeout_s
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1e3):
                raise TimeoutError("nobody reads the pipe") from None


class Reader:
    """The reading end of a pipe, which does not block.

    Attributes
    ----------
    at_end : bool
        True when nobody can write any more, and all was read.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.at_end = False

    def read(self) -> bytes:
        """Return what has come, which may be nothing."""
        parts: list[bytes] = []
        while not self.at_end and len(parts) < MAX_READS:
            try:
                part = os.read(self.fd, READ_BYTES)
            except BlockingIOError:
                break
            self.at_end = not part
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close it."""
        self.at_end = True
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class LineReader(Reader):
    """The same, by whole lines. What is left without its end, when the writer was killed in its middle, is no line."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self._rest = b""

    def lines(self) -> list[bytes]:
        """Return the whole lines that have come."""
        came = self.read()
        if not came:
            return []
        *lines, self._rest = (self._rest + came).split(b"\n")
        return lines
