"""What one core, one disk and one socket do with bytes and nothing else: the ground under every other figure."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

BUFFER_BYTES = 1 << 20


def write_page_cache(path: Path, size: int) -> None:
    """Write a new file of a multiple of the buffer, of which nothing is synced."""
    buffer = os.urandom(BUFFER_BYTES)
    with path.open("xb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        for _ in range(0, size, BUFFER_BYTES):
            file.write(buffer)


def send_over_loopback(size: int) -> None:
    """Send so many bytes over TCP from one thread to another, which throws them away."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = threading.Thread(target=_send, args=(listener.getsockname()[1], size))
        sender.start()
        receiver, _ = listener.accept()
        with receiver:
            buffer = bytearray(BUFFER_BYTES)
            while receiver.recv_into(buffer, 0, socket.MSG_WAITALL):
                pass
        sender.join()


def _send(port: int, size: int) -> None:
    buffer = bytes(BUFFER_BYTES)
    with socket.create_connection(("127.0.0.1", port)) as link:
        for _ in range(0, size, BUFFER_BYTES):
            link.sendall(buffer)
