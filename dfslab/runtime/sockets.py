"""Sockets, plain or under TLS: how they are ended, and how many a process may have."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
from collections.abc import Callable
from functools import partial

WANTED_DESCRIPTORS = 65536
"""As many as any cluster needs; without this, some systems allow a process 256 or 1,024."""


def shut(sock: socket.socket) -> None:
    """End a connection under whoever is using it.

    The plain way, under TLS too: Python's own takes the encryption off first, so that what another
    thread is just sending would go out in the clear.
    """
    with contextlib.suppress(OSError):  # not connected (any more), which is what is wanted
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def wait_at_most(sock: socket.socket, seconds: float) -> None:
    """Let `receive`, `send` and `send_file` wait for the other end, so long without a byte.

    A plain socket waits in the kernel. Python's own timeout asks for the state of the socket before every call, and
    returns with whatever is there: several calls a buffer, each of which gives the interpreter lock away. The
    kernel's limit is for a whole call, whose first byte may be long ago; so it is half of the time, and a silence ends
    a transfer when a second call brings nothing: after `seconds`, and half as much again at most.
    """
    if isinstance(sock, ssl.SSLSocket):
        sock.settimeout(seconds)
        return
    sock.settimeout(None)
    microseconds = max(1, round(seconds * 1e6 / 2))
    limit = struct.pack("@ll", *divmod(microseconds, 1_000_000))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, limit)


def receive(sock: socket.socket, view: memoryview) -> None:
    """Fill `view`; raise ConnectionError when the connection ends before, TimeoutError when nothing comes."""
    flags = 0 if isinstance(sock, ssl.SSLSocket) else socket.MSG_WAITALL
    while view:
        try:
            count = sock.recv_into(view, 0, flags)
        except BlockingIOError:
            count = _once_more(partial(sock.recv_into, view, 0, flags))
        if count == 0:
            raise ConnectionError("the connection ended in the middle of a transfer")
        view = view[count:]


def send(sock: socket.socket, data: bytes | memoryview, *, more: bool = False) -> None:
    """Send all of `data`; raise TimeoutError when the other end takes nothing of it for too long.

    With `more`, it goes out with what is sent next, so that whoever waits for both wakes once.
    """
    flags = socket.MSG_MORE if more and not isinstance(sock, ssl.SSLSocket) else 0
    left = memoryview(data)
    while left:
        try:
            count = sock.send(left, flags)
        except BlockingIOError:
            count = _once_more(partial(sock.send, left, flags))
        left = left[count:]


def send_file(sock: socket.socket, fd: int, offset: int, count: int) -> None:
    """Send part of a file without copying it through Python; errors as in `send`.

    Raises ConnectionError, too, when the file became shorter.
    """
    end = offset + count
    while offset < end:
        try:
            sent = os.sendfile(sock.fileno(), fd, offset, end - offset)
        except BlockingIOError:
            sent = _once_more(partial(os.sendfile, sock.fileno(), fd, offset, end - offset))
        if sent == 0:
            raise ConnectionError("the replica became shorter while it was sent")
        offset += sent


def _once_more(call: Callable[[], int]) -> int:
    """Call again, the kernel having waited in vain once; raise TimeoutError when it does again."""
    try:
        return call()
    except BlockingIOError:
        raise TimeoutError("the other end is silent") from None


def connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connection, as `socket.create_connection` does; one that stays on this machine begins unpaced."""
    if not is_local(host):
        return socket.create_connection((host, port), timeout_s)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        stay_on_this_machine(sock)
        sock.settimeout(timeout_s)
        sock.connect((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def stay_on_this_machine(sock: socket.socket) -> None:
    """Let TCP send as fast as the other end takes it, on a connection that does not leave this machine.

    Where the system's congestion control is one that paces (BBR), it looks for the rate of a path that has none. Reno
    is always there on Linux; a system that has no such choice keeps what it has. The choice is to be made before
    there is a connection, on the one end before it connects and on the other by the socket that listens: Linux goes
    on to pace one that has begun under BBR, with a timer that costs a quarter of a download and has segments overtake
    each other (`sk_pacing_status` is set by `bbr_init`, and by nobody taken back).
    """
    choice = getattr(socket, "TCP_CONGESTION", None)
    if choice is not None:
        with contextlib.suppress(OSError):  # it is not allowed here: the bytes pass all the same
            sock.setsockopt(socket.IPPROTO_TCP, choice, b"reno")


def is_local(host: str) -> bool:
    """Return True for an address of this very machine."""
    return host == "localhost" or host.startswith("127.")


def allow_many_descriptors() -> int:
    """Let this process open as many files and sockets as it may; return how many that are."""
    try:
        import resource
    except ImportError:  # not a Unix
        return WANTED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
