"""Turns at moving bytes: of many transfers in one process, only a few are busy at a time, readers and writers first.

Each transfer has a thread at either end, and every call that moves bytes gives the interpreter lock away and
wants it back. Hundreds of threads that want it wake each other thousands of times a second, and their buffers push each
other out of the processor's cache. On two processors, 48 chunks at a time pass at half the rate of 3, of a single file,
and those of 16 files best by twos.

Copies that keepers make of each other's replicas go behind: while somebody uploads or downloads, one at a time, with
a rest after each stretch, so that a client hardly notices a repair, and it does not stand still. A copy that an upload
waits for is that client's.
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
"""A turn in which nothing has moved for so long keeps nobody waiting: its peer may be slow, or frozen. A client
that has moved nothing for so long is not there any more."""
STRETCH_BYTES = 16 * 1024 * 1024
COPY_STRETCH_BYTES = 4 * 1024 * 1024
"""What may be moved in one turn while others wait."""
COPY_REST = 3.0
"""How long copies rest after a turn while a client is there, as a multiple of what it took."""


class Turn:
    """Leave to move bytes now; tell it of every run of them. Without `turns`, nobody waits for its end."""

    def __init__(self, turns: Turns | None = None, *, is_copy: bool = False) -> None:
        self._turns, self.is_copy = turns, is_copy
        self._stretch = COPY_STRETCH_BYTES if is_copy else STRETCH_BYTES
        self.began_at = self._moved_at = time.monotonic()
        self._moved_bytes = 0

    def moved(self, count: int) -> None:
        """Note that so many bytes have moved; after a long stretch, let those go first who wait."""
        self._moved_at = time.monotonic()
        self._moved_bytes += count
        if self._turns is not None and self._moved_bytes >= self._stretch:
            self._moved_bytes = 0
            self._turns.go_behind(self)

    def is_idle(self, now: float) -> bool:
        """Return True when nothing has moved for a while."""
        return now - self._moved_at >= IDLE_S

    def begin(self) -> None:
        """Note that it is just beginning."""
        self.began_at = self._moved_at = time.monotonic()


class Turns:
    """Hands out `at_once` turns, first come, first served, to clients before copies. Idle ones do not count.

    While a crowd waits there is one less.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._taken: dict[Turn, None] = {}
        self._waiting = {is_copy: collections.deque[threading.Lock]() for is_copy in (False, True)}
        self._last_client: Turn | None = None
        self._copies_rest_until = 0.0

    @contextmanager
    def turn(self, *, is_copy: bool = False) -> Iterator[Turn]:
        """Wait for a turn, and have it in the block; `is_copy` for one keeper's copy of another's replica."""
        turn = Turn(self, is_copy=is_copy)
        self._take(turn)
        try:
            yield turn
        finally:
            self._give_back(turn)

    def waiting(self) -> int:
        """Return how many wait."""
        return sum(map(len, self._waiting.values()))

    def go_behind(self, turn: Turn) -> None:
        """Give a turn to a client that waits, and wait for it again; a copy rests while a client is there.

        To other copies it gives nothing: they are done the sooner one by one, and none is of use before it is done.
        """
        if self._waiting[False] or (turn.is_copy and self._is_client_there(time.monotonic())):
            self._give_back(turn)
            self._take(turn)

    def _give_back(self, turn: Turn) -> None:
        with self._lock:
            self._taken.pop(turn, None)
            if turn.is_copy:
                now = time.monotonic()
                self._copies_rest_until = now + min(IDLE_S, COPY_REST * (now - turn.began_at))
            self._call_the_next()

    def _take(self, turn: Turn) -> None:
        queue = self._waiting[turn.is_copy]
        with self._lock:
            if not queue and self._has_room_for(turn):
                self._begin(turn)
                return
            called = threading.Lock()
            called.acquire()
            queue.append(called)
        try:
            while not self._came_up(called, turn):
                called.acquire(timeout=self._patience_s(turn))
        finally:
            with self._lock:
                queue.remove(called)
                self._call_the_next()

    def _came_up(self, called: threading.Lock, turn: Turn) -> bool:
        with self._lock:
            came_up = self._waiting[turn.is_copy][0] is called and self._has_room_for(turn)
            if came_up:
                self._begin(turn)
            return came_up

    def _patience_s(self, turn: Turn) -> float:
        """Return how soon to look again, unless called."""
        rest_s = self._copies_rest_until - time.monotonic()
        return rest_s if turn.is_copy and 0.0 < rest_s < IDLE_S else IDLE_S

    def _has_room_for(self, turn: Turn) -> bool:
        now = time.monotonic()
        busy = [taken for taken in self._taken if not taken.is_idle(now)]
        copies = sum(taken.is_copy for taken in busy)
        if not turn.is_copy:
            return len(busy) - min(copies, 1) < self._places()
        if self._is_client_there(now):
            return copies == 0 and now >= self._copies_rest_until
        return len(busy) < self._places()

    def _places(self) -> int:
        """Return how many turns there are: one less while a crowd of clients waits: one of them is always ready."""
        return max(1, self._at_once - (len(self._waiting[False]) > self._at_once))

    def _is_client_there(self, now: float) -> bool:
        return bool(self._waiting[False]) or not (self._last_client is None or self._last_client.is_idle(now))

    def _begin(self, turn: Turn) -> None:
        turn.begin()
        self._taken[turn] = None
        if not turn.is_copy:
            self._last_client = turn

    def _call_the_next(self) -> None:
        for queue in self._waiting.values():
            if queue and queue[0].locked():
                queue[0].release()
