"""TCP ports for servers that must be told theirs before they start, or keep theirs when they start again."""

import itertools
import random
import socket
from pathlib import Path

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Return ports that are free, and none of those that the kernel gives to whoever asks for any.

    A port that the kernel chose for a probe goes to the next caller that asks, perhaps before the server starts.
    """
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range")  # Linux begins with 32,768, others with 49,152
    lowest = int(limits.read_text("ascii").split()[0]) if limits.exists() else 32_768
    candidates = random.SystemRandom().sample(range(10_000, lowest), lowest - 10_000)
    free = (port for port in candidates if _is_free(port))
    return list(itertools.islice(free, count))


def free_port() -> int:
    """Return one such port."""
    (port,) = free_ports(1)
    return port


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True
