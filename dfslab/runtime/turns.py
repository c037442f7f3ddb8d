"""Turns at moving bytes: of many transfers in one process, only a few are busy at a time.

Each transfer has a thread at either end, and every call that moves bytes gives the interpreter lock away and
wants it back. Hundreds of threads that want it wake each other thousands of times a second, and their buffers push each
other out of the processor's cache: 48 chunks at a time pass at half the rate of 3.
"""

from __future__ import annotations

import collections
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = max(3, (os.cpu_count() or 1) + 1)
IDLE_S = 0.05
"""A turn in which nothing has moved for so long keeps nobody waiting: its peer may be slow, or frozen."""
STRETCH_BYTES = 16 * 1024 * 1024
"""What may be moved in one turn while others wait."""


class Turn:
    """Leave to move bytes now; tell it of every run of them. Without `turns`, nobody waits for its end."""

    def __init__(self, turns: Turns | None = None) -> None:
        self._turns = turns
        self._moved_at, self._moved_bytes = time.monotonic(), 0

    def moved(self, count: int) -> None:
        """Note that so many bytes have moved; after a long stretch, let those go first who wait."""
        self._moved_at = time.monotonic()
        self._moved_bytes += count
        if self._turns is not None and self._moved_bytes >= STRETCH_BYTES:
            self._moved_bytes = 0
            self._turns.go_behind(self)

    def is_idle(self, now: float) -> bool:
        """Return True when nothing has moved for a while."""
        return now - self._moved_at >= IDLE_S

    def begin(self) -> None:
        """Note that it is just beginning."""
        self._moved_at = time.monotonic()


class Turns:
    """Hands out `at_once` turns, first come, first served. Idle ones do not count."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._taken: dict[Turn, None] = {}
        self._waiting: collections.deque[threading.Lock] = collections.deque()

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Wait for a turn, and have it in the block."""
        turn = Turn(self)
        self._take(turn)
        try:
            yield turn
        finally:
            self._give_back(turn)

    def go_behind(self, turn: Turn) -> None:
        """Give a turn to who waits longest, and wait for it again."""
        if self._waiting:
            self._give_back(turn)
            self._take(turn)

    def _give_back(self, turn: Turn) -> None:
        with self._lock:
            self._taken.pop(turn, None)
            self._call_the_first()

    def _take(self, turn: Turn) -> None:
        with self._lock:
            if not self._waiting and self._is_free():
                self._begin(turn)
                return
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        try:
            while not self._came_up(called, turn):
                called.acquire(timeout=IDLE_S)
        finally:
            with self._lock:
                self._waiting.remove(called)
                self._call_the_first()

    def _came_up(self, called: threading.Lock, turn: Turn) -> bool:
        with self._lock:
            came_up = self._waiting[0] is called and self._is_free()
            if came_up:
                self._begin(turn)
            return came_up

    def _is_free(self) -> bool:
        if len(self._taken) < self._at_once:
            return True
        now = time.monotonic()
        return sum(not turn.is_idle(now) for turn in self._taken) < self._at_once

    def _begin(self, turn: Turn) -> None:
        turn.begin()
        self._taken[turn] = None

    def _call_the_first(self) -> None:
        if self._waiting and len(self._taken) < self._at_once and self._waiting[0].locked():
            self._waiting[0].release()
