"""Scrubbing: every replica is read again now and then, so that damage is found while good copies are left.

In passes: each takes every replica that has been there for an interval, one at a time, the one that was
checked longest ago first. What was written just now was checked on its way in, and waits. Nothing is
remembered over a restart: the first pass then takes everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dfslab.core.model import CheckedReplica


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass that has ended.

    Attributes
    ----------
    asked : tuple of str
        Who asked for it; empty for one that was due.
    checked : tuple of CheckedReplica
    started_s : float
        When it began.
    """

    asked: tuple[str, ...]
    checked: tuple[CheckedReplica, ...]
    started_s: float


class Scrubber:
    """Which replica to read again next. The keeper says what there is, and what reading it has shown."""

    def __init__(self, versions: Iterable[str]) -> None:
        self._order: dict[str, float | None] = dict.fromkeys(versions)
        """By the time of the last check; the value is when a replica came, None once a pass may take it."""
        self._interval_s: float | None = None
        self._next_pass = 0.0
        self._started = 0.0
        self._queue: dict[str, None] | None = None
        self._asked: list[str] = []
        self._found: dict[str, CheckedReplica] = {}
        self._number, self._reading = 0, ""

    def every(self, interval_s: float | None) -> None:
        """Set the time from the begin of a pass to the next; None for never."""
        if self._interval_s is not None and interval_s is not None:
            self._next_pass += interval_s - self._interval_s
        self._interval_s = interval_s

    def came(self, version: str, now: float) -> None:
        """A replica was written, and checked on its way in."""
        self._order[version] = now

    def gone(self, version: str) -> None:
        """A replica is not there any more; what is still said of reading it is not heard.

        A bad one that this pass has found stays found: it may be replaced and deleted before the pass ends.
        """
        self._order.pop(version, None)
        if self._queue is not None:
            self._queue.pop(version, None)
        if version in self._found and not self._found[version].problem:
            del self._found[version]
        if self._reading == version:
            self._reading = ""

    def ask(self, who: str, now: float) -> None:
        """Begin a pass over everything at once; it takes the place of one under way."""
        self._asked.append(who)
        self._begin(list(self._order), now)
        self._reading = ""  # it was begun before the question

    def due_s(self) -> float | None:
        """Return when something is to be done next; None while a replica is being read, or never."""
        if self._reading:
            return None
        if self._queue is not None:
            return self._started
        return None if self._interval_s is None else self._next_pass

    def next(self, now: float) -> str | None:
        """Return the version to read or to skip now; None when one is being read, no pass is due, or this one ends."""
        due = self.due_s()
        if due is None or now < due:
            return None
        if self._queue is None:
            self._begin([version for version, since in self._order.items() if self._is_old(since, now)], now)
        return next(iter(self._queue or ()), None)

    def _is_old(self, since: float | None, now: float) -> bool:
        return since is None or self._interval_s is None or now - since >= self._interval_s

    def _begin(self, versions: Iterable[str], now: float) -> None:
        self._queue, self._found, self._started = dict.fromkeys(versions), {}, now
        self._next_pass = now + (self._interval_s or 0.0)

    def read(self, version: str) -> int:
        """Note that a version is being read; return the number under which to say what came of it."""
        self._number += 1
        self._reading = version
        return self._number

    def reading(self, number: int) -> str | None:
        """Return the version that is being read under a number, or None when that is not waited for any more."""
        return self._reading if self._reading and number == self._number else None

    def checked(self, result: CheckedReplica) -> None:
        """Note what reading a version has shown, or what was known of it before; its turn is over."""
        self.put_off(result.version)
        self._found[result.version] = result
        self._order.pop(result.version, None)
        self._order[result.version] = None

    def put_off(self, version: str) -> None:
        """Take a version from this pass; the next one begins with those that were checked longest ago."""
        self._reading = ""
        if self._queue is not None:
            self._queue.pop(version, None)

    def end(self) -> Pass | None:
        """Return the pass when it has nothing left, once."""
        if self._queue is None or self._queue or self._reading:
            return None
        ended = Pass(tuple(self._asked), tuple(self._found.values()), self._started)
        self._queue, self._asked, self._found = None, [], {}
        return ended
