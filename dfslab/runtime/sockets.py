"""Sockets, plain or under TLS: how they are ended, and how many a process may have."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
from collections.abc import Callable
from functools import cache, partial

WANTED_DESCRIPTORS = 65536
"""As many as any cluster needs; without this, some systems allow a process 256 or 1,024."""
RECEIVED_BYTES = 4 * 1024 * 1024
SENT_BYTES = 1024 * 1024
"""What the kernel may hold of a transfer, on a connection on this machine, at either end; Linux makes twice that of it.
With half of it to send, a sender sleeps half as often again; with twice as much, segments overtake each other again.
"""


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
        count = _patiently(partial(sock.recv_into, view, 0, flags))
        if count == 0:
            raise ConnectionError("the connection ended in the middle of a transfer")
        view = view[count:]


def send(sock: socket.socket, data: bytes | memoryview) -> None:
    """Send all of `data`; raise TimeoutError when the other end takes nothing of it for too long."""
    left = memoryview(data)
    while left:
        left = left[_patiently(partial(sock.send, left)) :]


def send_file(sock: socket.socket, fd: int, offset: int, count: int) -> None:
    """Send part of a file without copying it through Python; errors as in `send`.

    Raises ConnectionError, too, when the file became shorter.
    """
    end = offset + count
    while offset < end:
        sent = _patiently(partial(os.sendfile, sock.fileno(), fd, offset, end - offset))
        if sent == 0:
            raise ConnectionError("the replica became shorter while it was sent")
        offset += sent


def _patiently(call: Callable[[], int]) -> int:
    """Call again when the kernel has waited in vain; raise TimeoutError when it has so twice."""
    try:
        return call()
    except BlockingIOError:
        pass
    try:
        return call()
    except BlockingIOError:
        raise TimeoutError("the other end is silent") from None


def stay_on_this_machine(sock: socket.socket) -> None:
    """Let TCP send as fast as the other end takes it, on a connection that does not leave this machine.

    Where the system's congestion control is one that paces (BBR), it looks for the rate of a path that has none, and
    costs half of it. Reno is always there on Linux; a system that has no such choice keeps what it has.
    """
    choice = getattr(socket, "TCP_CONGESTION", None)
    if choice is not None:
        with contextlib.suppress(OSError):  # it is not allowed here: the bytes pass all the same
            sock.setsockopt(socket.IPPROTO_TCP, choice, b"reno")


def widen(sock: socket.socket, *, serves: bool) -> bool:
    """Give who asks on this machine a wide window, and who `serves` less to send; return False where that can't be.

    Loopback has a queue for each processor. What the sending thread hands over goes out in its order; but where TCP
    waits for the window, the next acknowledgement sends, on whichever processor it came, and overtakes. TCP takes
    that for a loss, sends again, and halves its rate: ten times in a download of 256 MiB from one holder. So the
    receiver's window is made wider from the start than all that the sender may have under way. An upload, which Python
    sends a buffer at a time, gains nothing by that: its direction is left to the system.
    """
    if may_widen():
        option, size = (socket.SO_SNDBUF, SENT_BYTES) if serves else (socket.SO_RCVBUF, RECEIVED_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, option, size)
    return may_widen()


@cache
def may_widen() -> bool:
    """Return whether the system allows such buffers: one that was given less would not be tuned by it any more."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock, contextlib.suppress(OSError):
        wanted = {socket.SO_RCVBUF: RECEIVED_BYTES, socket.SO_SNDBUF: SENT_BYTES}
        for option, size in wanted.items():
            sock.setsockopt(socket.SOL_SOCKET, option, size)
        return all(sock.getsockopt(socket.SOL_SOCKET, option) >= size for option, size in wanted.items())
    return False


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
