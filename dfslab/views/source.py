"""Where views look: a trace up to a moment, live or saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from dfslab.core.checks import check_moment
from dfslab.core.history import Table
from dfslab.core.setup import Setup
from dfslab.core.trace import TraceEvent


@dataclass(frozen=True)
class Source:
    """What a view may ask.

    Attributes
    ----------
    events : callable
        Returns the events of the trace, oldest first.
    table : callable
        `table()` returns the table as it is, `table(at)` as it was `at` seconds after the start.
    now : callable
        Returns the seconds since the start: of the moment that is looked at.
    setup : Setup
        The settings of the cluster that the trace comes from.
    since : callable, optional
        `since(seen)` returns how many events there have been, and those behind the first `seen`; what
        makes watching a long trace cheap.
    begin : callable
        Returns the earliest moment whose table is still known: 0 until old events fall out.
    """

    events: Callable[[], Sequence[TraceEvent]]
    table: Callable[..., Table]
    now: Callable[[], float]
    setup: Setup = field(default_factory=Setup)
    since: Callable[[int], tuple[int, Sequence[TraceEvent]]] | None = None
    begin: Callable[[], float] = lambda: 0.0

    def news(self, seen: int) -> tuple[int, Sequence[TraceEvent]]:
        """Return how many events there have been, and those behind the first `seen`, as far as they are still kept."""
        if self.since is not None:
            return self.since(seen)
        events = self.events()
        return len(events), events[seen:]

    def moment(self, option: str, time_s: float) -> float:
        """Return a time that the trace covers, or raise InvalidOption naming `option`."""
        return check_moment(option, time_s, self.now(), self.begin())

    def at(self, time_s: float) -> Source:
        """Return the same trace as it stood `time_s` seconds after the start."""

        def table(at: float | None = None) -> Table:
            return self.table(time_s if at is None else min(at, time_s))

        return replace(self, events=lambda: _until(self.events(), time_s), table=table, now=lambda: time_s, since=None)

    def history(self) -> tuple[Table, Sequence[TraceEvent]]:
        """Return the table before the first event that is kept, and the events."""
        _, base, events = self.kept()
        return base, events

    def kept(self) -> tuple[int, Table, Sequence[TraceEvent]]:
        """Return how many events there have been, the table before those that are kept, and these.

        They belong together also when old events fall out meanwhile.
        """
        while True:
            count, events = self.news(0)
            base = self.table(-math.inf)
            if list(self.events()[:1]) == list(events[:1]):
                return count, base, events


def _until(events: Sequence[TraceEvent], time_s: float) -> Sequence[TraceEvent]:
    """Return the events up to a moment; nodes write their lines nearly, but not strictly, in order of time."""
    return [event for event in events if event.time_s <= time_s]
