"""What a name may mean: the history of uploads and deletions, some of which nobody knows the outcome of."""

from __future__ import annotations

import enum
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

GONE = "no file"
"""In place of a content's hash: the name means nothing."""


class Outcome(enum.Enum):
    """What is known of a change."""

    UNKNOWN = "may have happened, or happen yet"
    ACKNOWLEDGED = "has happened"
    REFUSED = "has not happened, and will not"


@dataclass
class Change:
    """One upload or deletion, and the moments between which it took place, if it did."""

    content: str
    began_s: float
    ended_s: float = math.inf
    outcome: Outcome = Outcome.UNKNOWN


class Changes:
    """The changes of every name. Several threads may write it."""

    def __init__(self) -> None:
        self._of: dict[str, list[Change]] = {}
        self._lock = threading.Lock()

    def begin(self, name: str, content: str) -> Change:
        """Note that a change is asked for; until `end` says otherwise, it may happen at any time."""
        change = Change(content, time.monotonic())
        with self._lock:
            self._of.setdefault(name, []).append(change)
        return change

    def end(self, change: Change, outcome: Outcome) -> None:
        """Note how it ended; one that is unknown stays open for ever."""
        with self._lock:
            change.outcome = outcome
            if outcome is not Outcome.UNKNOWN:
                change.ended_s = time.monotonic()

    def names(self) -> list[str]:
        """Return every name that was ever asked for."""
        with self._lock:
            return list(self._of)

    def acknowledged(self) -> int:
        """Return how many changes were acknowledged."""
        with self._lock:
            return sum(one.outcome is Outcome.ACKNOWLEDGED for changes in self._of.values() for one in changes)

    def possible(self, name: str, since_s: float, until_s: float) -> set[str]:
        """Return every content that a reader may find between two moments (of the monotonic clock).

        A content is ruled out by an acknowledged change that began after it had ended, and that had
        itself ended before the reader began.
        """
        with self._lock:
            known = [Change(GONE, -math.inf, -math.inf, Outcome.ACKNOWLEDGED), *self._open(name, until_s)]
            certain = [one for one in known if one.outcome is Outcome.ACKNOWLEDGED and one.ended_s <= since_s]
            return {one.content for one in known if not any(one.ended_s < other.began_s for other in certain)}

    def _open(self, name: str, until_s: float) -> Iterator[Change]:
        for one in self._of.get(name, ()):
            if one.outcome is not Outcome.REFUSED and one.began_s <= until_s:
                yield one
