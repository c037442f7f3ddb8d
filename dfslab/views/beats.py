"""Signs of life, keeper by keeper: heartbeats that arrived and that did not, and what the master made of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from dfslab.core.history import Table
from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.snapshot import in_natural_order

SUSPICION = 1.5
"""A keeper is suspected once it has been silent for so many heartbeat intervals."""

Span = tuple[float, float]


@dataclass
class KeeperBeats:
    """What the master heard of one keeper; times in seconds since the start.

    Attributes
    ----------
    beats : list of float
        When a heartbeat arrived.
    registered : list of float
        When it registered.
    missed : list of float
        When a heartbeat should have arrived, counted on from the last one, and none did.
    suspected : list of (float, float)
        From 1.5 intervals after the last sign of life until the next, or its death, or now.
    dead : list of (float, float)
        From when it was declared dead until it registered again, or now.
    """

    keeper: str
    beats: list[float] = field(default_factory=list)
    registered: list[float] = field(default_factory=list)
    missed: list[float] = field(default_factory=list)
    suspected: list[Span] = field(default_factory=list)
    dead: list[Span] = field(default_factory=list)


def fold_beats(base: Table, events: Iterable[TraceEvent], interval_s: float, now: float) -> list[KeeperBeats]:
    """Return what a trace tells of every keeper's heartbeats, in the natural order of their names.

    Parameters
    ----------
    base : Table
        The table before the first event.
    events : iterable of TraceEvent
    interval_s : float
        The time between two heartbeats, seconds.
    now : float
        Until when, seconds since the start.
    """
    lanes: dict[str, _Lane] = {}
    for row in base.keepers.values():
        lanes[row.keeper] = _Lane(row.keeper, interval_s)
        lanes[row.keeper].begin(row.state, row.last_heartbeat_s)
    for event in events:
        if event.kind in _SIGNS:
            lane = lanes.get(event.peer)
            if lane is None:
                lane = lanes[event.peer] = _Lane(event.peer, interval_s)
            lane.apply(event)
    for lane in lanes.values():
        lane.silence_until(now)
        lane.bury_until(now)
    return [lanes[keeper].told for keeper in in_natural_order(lanes)]


_SIGNS = frozenset({Kind.HEARTBEAT, Kind.KEEPER_REGISTERED, Kind.KEEPER_DEAD, Kind.KEEPER_DECOMMISSIONED})


class _Lane:
    """One keeper as its events come."""

    def __init__(self, keeper: str, interval_s: float) -> None:
        self.told = KeeperBeats(keeper)
        self._interval_s = interval_s
        self._last: float | None = None  # the last sign of life of a keeper that is expected to speak
        self._died: float | None = None

    def begin(self, state: str, last_s: float | None) -> None:
        """Take up a keeper whose first events the trace no longer has."""
        if state in ("alive", "draining"):
            self._last = last_s
        elif state == "dead":
            self._died = 0.0

    def apply(self, event: TraceEvent) -> None:
        time_s = event.time_s
        self.silence_until(time_s, sign=event.kind in (Kind.HEARTBEAT, Kind.KEEPER_REGISTERED))
        if event.kind is Kind.HEARTBEAT:
            self.told.beats.append(time_s)
            self._last = time_s
        elif event.kind is Kind.KEEPER_REGISTERED:
            self.bury_until(time_s)
            self.told.registered.append(time_s)
            self._last = time_s
        else:
            self._last = None
            if event.kind is Kind.KEEPER_DEAD:
                self._died = time_s

    def silence_until(self, time_s: float, *, sign: bool = False) -> None:
        """Note the heartbeats that should have come by now, if it is that long since the last sign of life.

        The one that was due within half an interval of the next `sign` is that sign, a little off.
        """
        last, interval = self._last, self._interval_s
        if last is None or time_s - last <= SUSPICION * interval:
            return
        end = time_s - interval / 2 if sign else time_s
        count = math.ceil((end - last) / interval) - 1
        self.told.missed += [last + number * interval for number in range(1, count + 1)]
        self.told.suspected.append((last + SUSPICION * interval, time_s))

    def bury_until(self, time_s: float) -> None:
        if self._died is not None:
            self.told.dead.append((self._died, time_s))
            self._died = None
