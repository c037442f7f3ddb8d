"""What a case must not leave behind on this machine, nor use up: threads, ports, child processes, memory."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass
class Before:
    """What there was before a case began."""

    threads: set[threading.Thread] = field(default_factory=lambda: set(threading.enumerate()))
    children: set[int] = field(default_factory=lambda: {child.pid for child in _children()})

    def left(self, ports: Iterable[int]) -> Iterator[str]:
        """Yield, in words, what there is now and was not before."""
        gc.collect()
        for thread in set(threading.enumerate()) - self.threads:
            if thread.is_alive():
                yield f"the thread {thread.name}"
        for child in _children():
            if child.pid not in self.children:
                yield f"the process {child}"
        for port in ports:
            if _answers(port):
                yield f"the port {port}, which still listens"


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _answers(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1.0)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def peak_memory_bytes(pid: int) -> int:
    """Return the most memory that a process has ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
