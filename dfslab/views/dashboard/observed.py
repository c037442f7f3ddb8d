"""What has been observed: a trace folded once, brought up to each new event, for all parts of the dashboard."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from dfslab.core.fault_periods import FaultPeriod, fault_periods, lasting_by_node, state_of
from dfslab.core.history import Table
from dfslab.core.nodes import MASTER, is_keeper
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.copies import CopiesFold
from dfslab.views.dashboard.rates import Rates
from dfslab.views.dashboard.told import Told, tell
from dfslab.views.snapshot import in_natural_order, load_by_keeper
from dfslab.views.source import Source
from dfslab.views.transfers import Transfer, TransferFold

FEED = 200
FINISHED_KEPT = 40
FAULTS_KEPT = 5_000
STEPS_KEPT = 2_000

_serials = itertools.count()

_QUIET = frozenset({Kind.CHUNK_FETCHED, Kind.PROGRESS, Kind.SCAN, Kind.SCRUB_DONE})
"""Kinds that change nothing in the lookup table or among the nodes, as heartbeats do not either."""


@dataclass(frozen=True)
class Node:
    """A node as the topology shows it.

    Attributes
    ----------
    name : str
    state : str
        What is really so: "running", "dead", "paused" or "decommissioned".
    seen : str
        What the master believes: "alive", "dead", "unseen", ...; for the master itself the same as `state`.
    troubles : tuple of str
        Other faults that last: "disk full", "heartbeats dropped", "partitioned", "link changed".
    replicas : int
    """

    name: str
    state: str
    seen: str
    troubles: tuple[str, ...] = ()
    replicas: int = 0


class Observed:
    """Everything that the dashboard shows, as of the last event that it was given; bounded in memory.

    Parameters
    ----------
    base : Table
        The table before the first event.
    setup : Setup
    since_s : float
        When that was.
    """

    def __init__(self, base: Table, setup: Setup, since_s: float = 0.0) -> None:
        self.setup = setup
        self.table = base.copy()
        self.copies = CopiesFold(base, since_s)
        self.transfers = TransferFold()
        self.rates = Rates()
        self.feed: deque[Told] = deque(maxlen=FEED)
        self.beats: dict[str, int] = {}
        self._serial = next(_serials)
        self._changes = 0
        self._faults: deque[TraceEvent] = deque(maxlen=FAULTS_KEPT)
        self._periods: list[FaultPeriod] | None = []

    @classmethod
    def of(cls, source: Source) -> tuple[int, Observed]:
        """Return how many events there have been, and what was observed by them."""
        seen, base, events = source.kept()
        observed = cls(base, source.setup, events[0].time_s if events else 0.0)
        observed.extend(events)
        return seen, observed

    def extend(self, events: Iterable[TraceEvent]) -> None:
        """Take in new events, oldest first."""
        for event in events:
            self._apply(event)
        self.copies.flush()
        self.transfers.forget(FINISHED_KEPT)
        self.copies.forget(STEPS_KEPT)

    def _apply(self, event: TraceEvent) -> None:
        if event.kind is Kind.HEARTBEAT:  # most of a trace
            self.table.apply(event)
            self.beats[event.peer] = self.beats.get(event.peer, 0) + 1
            return
        told = tell(event, self.table)
        if told is not None:
            self.feed.append(told)
        for fold in (self.table, self.copies, self.transfers, self.rates):
            fold.apply(event)
        if event.kind is Kind.FAULT:
            self._faults.append(event)
            self._periods = None
        if event.kind not in _QUIET:
            self._changes += 1

    @property
    def version(self) -> tuple[int, int]:
        """What changes whenever the lookup table or the nodes may have: these are made anew only then."""
        return self._serial, self._changes

    @property
    def periods(self) -> list[FaultPeriod]:
        """The faults, those that last ending at infinity."""
        if self._periods is None:
            self._periods = fault_periods(self._faults)
        return self._periods

    def nodes(self) -> list[Node]:
        """Return the master and the keepers, these in natural order."""
        lasting = {node: [one.what for one in faults] for node, faults in lasting_by_node(self.periods).items()}
        load = load_by_keeper(self.table)
        master = lasting.get(MASTER, [])
        dead = "dead" if "dead" in master else "running"
        nodes = [Node(MASTER, dead, dead, _others(master))]
        for name in in_natural_order([*self.table.keepers, *filter(is_keeper, lasting)]):
            row = self.table.keepers.get(name)
            seen = row.state if row else "unknown"
            state = state_of(lasting.get(name, []), seen)
            nodes.append(Node(name, state, seen, _others(lasting.get(name, [])), load[name].replicas))
        return nodes

    def moving(self, now: float, recent_s: float = 1.5) -> list[Transfer]:
        """Return the transfers that run, or were over only a moment ago: many are shorter than a look."""
        return [row for row in self.transfers.rows.values() if row.state == "running" or now - row.end_s <= recent_s]


def _others(suffers: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(what for what in suffers if what not in ("dead", "paused")))
