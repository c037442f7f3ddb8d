"""Named points at which a test has a node fail: killed there, frozen there, or met by an error of the disk.

    failpoints.hit("keeper.data-renamed")

does nothing until a test arms that point, in this process with `arm`, in a process that it starts with
the environment variable DFSLAB_FAILPOINTS ("name=action" or "name=action@3", several with commas).
Where nothing is armed, a point costs one look at an empty dict.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator

from dfslab.core.keeper.shelf import DELETE, PUBLISH

VARIABLE = "DFSLAB_FAILPOINTS"


class _Point:
    """An armed point: what happens there, and at which passage."""

    def __init__(self, action: Callable[[], None], at: int) -> None:
        self.action, self.at, self.passed = action, at, 0


_armed: dict[str, _Point] = {}
_lock = threading.Lock()


def hit(name: str) -> None:
    """Pass a point, unless a test wants otherwise."""
    if _armed:
        _strike(name)


def _strike(name: str) -> None:
    with _lock:
        point = _armed.get(name)
        if point is None:
            return
        point.passed += 1
        strikes = point.passed == point.at
    if strikes:
        point.action()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    # To this thread: one sent to the process may be taken by another, while this one goes on for a moment.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def _error(number: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


POINTS = frozenset(
    {
        *(f"keeper.{step}" for step in (*PUBLISH, *DELETE)),
        *(f"keeper.before.{step}" for step in (*PUBLISH, *DELETE)),
        *(f"keeper.{what}" for what in ("receiving", "serving", "scrubbing", "before-report")),
        *(f"keeper.before.{what}" for what in ("allocate", "write")),
        *(f"master.{what}" for what in ("before-commit", "in-commit", "after-commit")),
        "client.sending",
    }
)
"""Every point there is."""

ACTIONS: dict[str, Callable[[], None]] = {
    "kill": _kill,
    "stop": _stop,
    "EIO": _error(errno.EIO),
    "ENOSPC": _error(errno.ENOSPC),
}
"""What may happen at a point, by name."""


def arm(name: str, action: str | Callable[[], None], at: int = 1) -> None:
    """Have `action` happen at the `at`-th passage of a point, once."""
    with _lock:
        _armed[name] = _Point(ACTIONS[action] if isinstance(action, str) else action, at)


def disarm(name: str) -> int:
    """Let everything pass a point again; return how often it was passed since it was armed."""
    with _lock:
        return _armed.pop(name).passed


@contextlib.contextmanager
def armed(name: str, action: str | Callable[[], None], at: int = 1) -> Iterator[Callable[[], int]]:
    """Arm a point for a while; the value says, also afterwards, how often it was passed so far."""
    arm(name, action, at)
    point = _armed[name]
    try:
        yield lambda: point.passed
    finally:
        disarm(name)


def arm_from_environment() -> None:
    """Arm what DFSLAB_FAILPOINTS names; a node's process calls this at its start. Raises ValueError for nonsense."""
    for text in filter(None, os.environ.get(VARIABLE, "").split(",")):
        name, equals, rest = text.partition("=")
        action, _, at = rest.partition("@")
        if not equals or action not in ACTIONS or not (at or "1").isdecimal():
            raise ValueError(
                f"{VARIABLE}: {text!r} is not name=action or name=action@n, with one of {', '.join(ACTIONS)}"
            )
        arm(name, action, int(at or 1))
