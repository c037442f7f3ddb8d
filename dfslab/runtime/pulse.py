"""How often a transfer tells the trace how far it is."""

from __future__ import annotations

from collections.abc import Callable

PROGRESS_S = 0.25
"""Seldom enough that an hour of transfers stays a small trace, often enough for a bar to move."""


class Pulse:
    """Calls `tell(done_bytes)` once in `PROGRESS_S` at most; a short transfer says nothing at all."""

    def __init__(self, now: Callable[[], float], tell: Callable[[int], None]) -> None:
        self._now, self._tell = now, tell
        self._next = now() + PROGRESS_S

    def beat(self, done: int) -> None:
        """Note that so many bytes are done."""
        if self._now() >= self._next:
            self._next = self._now() + PROGRESS_S
            self._tell(done)
