"""What the emulated links make of a flow of bytes and of a message: the arithmetic that all transfers share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from dfslab.core.errors import InvalidOption
from dfslab.core.links import BURST_S, Link, LinkTable, Path

EARLY, MEAN, LATE = -1, 0, 1
"""Whether jitter is taken at its best, not at all, or at its worst."""


@dataclass(frozen=True)
class Wires:
    """The links between some nodes, and the rate that the machine reaches where a link sets no limit.

    Attributes
    ----------
    links : LinkTable
        Not to be changed from here on: paths are looked up once.
    machine_mb_s : float or None
        What one node moves in one direction without a limit; None: not known.
    kept : collection of (str, str)
        Who has a connection to whose data port that rests from an earlier transfer.
    """

    links: LinkTable = field(default_factory=LinkTable)
    machine_mb_s: float | None = None
    kept: Collection[tuple[str, str]] = frozenset()
    _paths: dict[tuple[str, str], Path] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, nodes: dict[str, Link], machine_mb_s: float | None = None, *, connected: bool = False) -> Wires:
        """Return the wires between nodes with these links, `connected` or not by earlier transfers."""
        links = LinkTable()
        for node, link in nodes.items():
            if not isinstance(link, Link):
                raise InvalidOption(option=node, value=repr(link), reason="it must be a dfslab.Link(...)")
            links.set_link(node, link)
        return cls(links, machine_mb_s, frozenset(itertools.product(nodes, nodes)) if connected else frozenset())

    def rate(self, *nodes: str) -> float:
        """Return the rate in bytes/s of a flow that has these nodes' cards to itself; infinite where nothing limits it.

        A flow is as fast as its narrowest point: max-min fairness with one flow (Bertsekas &
        Gallager, Data Networks, "Max-min flow control").
        """
        limits = [self.links.link(node).rate_mb_s for node in nodes] + [self.machine_mb_s]
        return min((limit * 1e6 for limit in limits if limit is not None), default=math.inf)

    def delay(self, a: str, b: str, when: int = MEAN) -> float:
        """Return the seconds that a message takes from one node to another."""
        path = self._path(a, b)
        return max(0.0, path.delay_s + when * path.jitter_s)

    def round_trip(self, a: str, b: str, when: int = MEAN) -> float:
        """Return the seconds that a message and its answer take."""
        return 2 * self.delay(a, b, when)

    def handshake(self, caller: str, keeper: str, when: int = MEAN) -> float:
        """Return the seconds until a connection is there: none if one rests from before, which at best is always so."""
        if when == EARLY or (when == MEAN and (caller, keeper) in self.kept):
            return 0.0
        return self.round_trip(caller, keeper, when)

    def loss(self, a: str, b: str) -> float:
        """Return the chance that a request between two nodes breaks off."""
        return self._path(a, b).loss

    def _path(self, a: str, b: str) -> Path:
        path = self._paths.get((a, b))
        if path is None:
            path = self._paths[a, b] = self.links.path(a, b)
        return path

    def burst(self, *nodes: str) -> float:
        """Return how much of a flow's time is already saved up in idle buckets: nothing where the machine is the limit.

        All buckets on the way save up for `BURST_S` at most, so the narrowest has that much in store.
        """
        return BURST_S if any(self.links.link(node).rate_mb_s is not None for node in nodes) else 0.0


def fair_shares(rate: float, limits: Sequence[float]) -> list[float]:
    """Share a rate out among flows that each have a limit: max-min fairness, by filling up from the lowest limit.

    >>> fair_shares(40.0, [2.0, 100.0, 30.0])
    [2.0, 19.0, 19.0]
    """
    shares = [0.0] * len(limits)
    left = rate
    order = sorted(range(len(limits)), key=lambda flow: limits[flow])
    for done, flow in enumerate(order):
        shares[flow] = min(limits[flow], left / (len(limits) - done))
        left -= shares[flow] if math.isfinite(shares[flow]) else 0.0
    return shares


def tries(loss: float) -> float:
    """Return by what a time grows when each try breaks off with this chance, at a place that is evenly spread.

    A try succeeds with 1 - p, so p / (1 - p) tries fail on average (the geometric distribution), and
    each has cost half a transfer when it breaks: 1 + p / (2 (1 - p)).
    """
    return math.inf if loss >= 1 else 1 + loss / (2 * (1 - loss))


def named(links: Sequence[Link], what: str) -> dict[str, Link]:
    """Return links by names made from `what`: `holders[0]`, `holders[1]` ..."""
    return {f"{what}[{index}]": link for index, link in enumerate(links)}
