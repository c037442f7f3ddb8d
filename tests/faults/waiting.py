"""Waiting on conditions of real systems: with a deadline, and with the names of what was still missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

POLL_S = 0.02

T = TypeVar("T")


def until_none(what: str, problems: Callable[[], Iterable[str]], timeout_s: float) -> None:
    """Return once there are no `problems` any more; fail at the deadline, listing those that are left."""
    deadline = time.monotonic() + timeout_s
    while left := list(problems()):
        assert time.monotonic() < deadline, f"{what}: after {timeout_s:.0f} s still {'; '.join(left)}"
        time.sleep(POLL_S)


def until(what: str, condition: Callable[[], T], timeout_s: float = 20.0) -> T:
    """Return the first truthy answer of `condition`; fail, saying what was waited for, at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s in vain for {what}"
        time.sleep(POLL_S)
    return answer
