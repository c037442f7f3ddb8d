"""When the keepers of a process speak: one thread wakes them in turn, and another takes over where it is held up.

A thread a keeper would do, but it takes a fifth more of the processor: each has to be woken, and those that are
woken together wait for each other.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Protocol

from dfslab.runtime.processor import PROCESSOR

HELD_UP_S = 0.05
"""How long a keeper may take before the others are woken by another thread."""
NOT_AGAIN_S = 0.005
"""The same while one has been held up already: what holds up one may hold up all of them."""


class Sleeper(Protocol):
    """What is woken."""

    def next_wake_s(self) -> float:
        """Return when to wake it next."""

    def wake(self) -> bool:
        """Let it do what is due, however long that takes; return False when it is not to be woken again."""


class Pacemaker:
    """Wakes sleepers at their times. It has no thread before it has somebody to wake, and one for each that is held up.

    Parameters
    ----------
    now : callable
        The clock of the times at which they want to be woken, seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._sleepers: dict[Sleeper, None] = {}
        self._due: list[tuple[float, int, Sleeper]] = []
        self._awake: dict[Sleeper, None] = {}
        self._threads: dict[threading.Thread, None] = {}
        self._leader: threading.Thread | None = None
        self._since: float | None = None  # when the leader woke a sleeper that it is still busy with
        self._held_up = 0  # threads that were taken over from, and are still busy
        self._closed = False

    def add(self, sleeper: Sleeper) -> None:
        """Wake one more from now on."""
        with self._changed:
            self._sleepers[sleeper] = None
            self._push(sleeper)
            self._have_one_to_take_over()
            self._changed.notify_all()

    def remove(self, sleeper: Sleeper, timeout_s: float) -> None:
        """Wake one no more, and wait until it is not awake."""
        with self._changed:
            self._sleepers.pop(sleeper, None)
            self._changed.wait_for(lambda: sleeper not in self._awake, timeout_s)

    def close(self) -> None:
        """Wake nobody any more, and wait until the threads have ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _push(self, sleeper: Sleeper) -> None:
        heapq.heappush(self._due, (sleeper.next_wake_s(), next(self._numbers), sleeper))

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name=f"pacemaker-{next(self._numbers)}", daemon=True)
        self._threads[thread] = None
        with PROCESSOR.together():
            thread.start()

    def _run(self) -> None:
        me = threading.current_thread()
        while (sleeper := self._next(me)) is not None:
            goes_on = sleeper.wake()
            self._has_woken(sleeper, me, goes_on=goes_on)

    def _next(self, me: threading.Thread) -> Sleeper | None:
        """Wait until somebody is to be woken by this thread; None when it is not needed any more."""
        with self._changed:
            while not self._closed:
                now = self._now()
                if self._leader is not me and self._is_to_take_over(now):
                    self._held_up += self._since is not None
                    self._leader, self._since = me, None
                if self._leader is me and self._is_due(now):
                    return self._take(now)
                if self._leader is not me and len(self._threads) > self._wanted():
                    break
                self._wait(me, now)
            del self._threads[me]
            return None

    def _is_due(self, now: float) -> bool:
        while self._due and self._due[0][2] not in self._sleepers:
            heapq.heappop(self._due)
        return bool(self._due) and self._due[0][0] <= now

    def _is_to_take_over(self, now: float) -> bool:
        if self._leader is None:
            return True
        return self._since is not None and self._is_due(now) and now - self._since >= self._patience_s()

    def _patience_s(self) -> float:
        return NOT_AGAIN_S if self._held_up else HELD_UP_S

    def _wanted(self) -> int:
        """Return how many threads there should be: those held up, one that leads, and one to take over from it."""
        return self._held_up + 2

    def _take(self, now: float) -> Sleeper:
        _, _, sleeper = heapq.heappop(self._due)
        self._since, self._awake[sleeper] = now, None
        if self._due:
            self._have_one_to_take_over()
        return sleeper

    def _have_one_to_take_over(self) -> None:
        """Start a thread for those who wait, unless the leader is free for them or another is there already."""
        if not self._threads or (self._since is not None and len(self._threads) < self._wanted()):
            self._start_thread()

    def _wait(self, me: threading.Thread, now: float) -> None:
        until_s = self._due[0][0] if self._due else None
        if until_s is not None and self._leader is not me:
            until_s = max(until_s, self._since or now) + self._patience_s()
        self._changed.wait(None if until_s is None else max(0.0, until_s - now))

    def _has_woken(self, sleeper: Sleeper, me: threading.Thread, *, goes_on: bool) -> None:
        with self._changed:
            del self._awake[sleeper]
            if self._leader is me:
                self._since = None
            else:
                self._held_up -= 1
            if goes_on and sleeper in self._sleepers:
                self._push(sleeper)
            if self._leader is not me or sleeper not in self._sleepers:
                self._changed.notify_all()  # the leader, or whoever waits for it to leave
