"""Taking turns: only so many checks at a time as the machine has cores for, whoever on it asks.

Thirty students who check at once on four cores would each get a verdict on the server, not on what they wrote.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator

PATIENCE_S = 180.0
"""After so long without a turn, a check goes on without one: somebody may be holding the places."""
POLL_S = 0.05


def places() -> int:
    """Return how many checks may run at a time: one a core, and two more, as they also wait for timers."""
    return len(os.sched_getaffinity(0)) + 2


@contextlib.contextmanager
def turn(group: str = "checks", patience_s: float = PATIENCE_S) -> Iterator[bool]:
    """Wait for a place, and keep it inside; True if it is one.

    A place is a name among the machine's abstract sockets (unix(7)): at most one process has it, of any user, and
    nobody when that process has ended, however it did. Containers with a network of their own have their own places.
    """
    until = time.monotonic() + patience_s
    with socket.socket(socket.AF_UNIX) as held:
        while not (taken := any(_take(held, f"dfslab-{group}-{place}") for place in range(places()))):
            if time.monotonic() >= until:
                break
            time.sleep(POLL_S)
        yield taken


def _take(held: socket.socket, name: str) -> bool:
    try:
        held.bind(f"\0{name}")
    except OSError:  # somebody has it
        return False
    return True
