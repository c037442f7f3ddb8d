"""Sockets, plain or under TLS: how they are ended, and how many a process may have."""

from __future__ import annotations

import contextlib
import socket

WANTED_DESCRIPTORS = 65536
"""As many as any cluster needs; without this, some systems allow a process 256 or 1,024."""


def shut(sock: socket.socket) -> None:
    """End a connection under whoever is using it.

    The plain way, under TLS too: Python's own takes the encryption off first, so that what another
    thread is just sending would go out in the clear.
    """
    with contextlib.suppress(OSError):  # not connected (any more), which is what is wanted
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def stay_on_this_machine(sock: socket.socket) -> None:
    """Let TCP send as fast as the other end takes it, on a connection that does not leave this machine.

    Where the system's congestion control is one that paces (BBR), it looks for the rate of a path that has none, and
    costs half of it. Reno is always there on Linux; a system that has no such choice keeps what it has.
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
