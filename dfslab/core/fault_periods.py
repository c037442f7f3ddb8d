"""From when to when each fault lasted, and what it did meanwhile: a fold of the lines of kind `fault`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dfslab.core.faults import ACTIONS, PARTITIONED
from dfslab.core.nodes import MASTER
from dfslab.core.trace import Kind, TraceEvent

_SILENCING = ("dead", "paused", "heartbeats dropped")
"""What keeps a keeper from being heard, besides a partition."""


@dataclass(frozen=True, slots=True)
class FaultPeriod:
    """A fault from its beginning to its end.

    Attributes
    ----------
    what : str
        "dead", "paused", "partitioned", "link changed", "disk full" or "heartbeats dropped".
    node : str
        The keeper, "master", or "" for a partition, whose sides are in `detail`.
    start_s, end_s : float
        `end_s` is infinite while it lasts.
    event : str
        The id of the line of the trace that began it.
    detail : mapping
        What else that line says.
    """

    what: str
    node: str
    start_s: float
    end_s: float
    event: str
    detail: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What a short label calls it, such as "keeper-3 dead" or "partitioned"."""
        return f"{self.node} {self.what}".strip()

    @property
    def lasts(self) -> bool:
        """True when the trace does not tell of its end."""
        return math.isinf(self.end_s)

    def covers(self, time_s: float) -> bool:
        """Return True for a moment at which it lasted."""
        return self.start_s <= time_s < self.end_s

    @property
    def sides(self) -> tuple[Sequence[str], Sequence[str]]:
        """Both sides of a partition; empty for another fault."""
        return self.detail.get("a", ()), self.detail.get("b", ())

    def cuts_off(self, source: str, target: str) -> bool:
        """Return True for a partition that lets nothing pass from one node to another."""
        a, b = self.sides
        return (source in a and target in b) or (not self.detail.get("one_way") and target in a and source in b)

    def silences(self, keeper: str) -> bool:
        """Return True when it keeps what a keeper says from the master."""
        return self.cuts_off(keeper, MASTER) or (self.node == keeper and self.what in _SILENCING)


def lasting_by_node(periods: Iterable[FaultPeriod]) -> dict[str, list[FaultPeriod]]:
    """Return the faults that last, by the node that suffers from them; both sides of a partition do."""
    lasting: dict[str, list[FaultPeriod]] = {}
    for period in periods:
        if period.lasts:
            a, b = period.sides
            for node in [period.node] if period.node else [*a, *b]:
                lasting.setdefault(node, []).append(period)
    return lasting


def state_of(whats: Iterable[str], seen: str) -> str:
    """Return what is really so of a keeper: "dead", "paused", "decommissioned" or "running".

    Parameters
    ----------
    whats : iterable of str
        What it suffers from.
    seen : str
        Its state in the lookup table.
    """
    suffers = list(whats)
    for state in ("dead", "paused"):
        if state in suffers:
            return state
    return "decommissioned" if seen == "decommissioned" else "running"


def fault_periods(events: Iterable[TraceEvent]) -> list[FaultPeriod]:
    """Return the faults that a trace tells of, in the order in which they began; those that last end at infinity.

    A link that is changed again ends one period and begins another, unless the change `restored` what
    it was at the start.
    """
    periods: list[FaultPeriod] = []
    lasting: dict[tuple[str, str, str], int] = {}  # what, node, and the other end or the partition -> its period

    def end(key: tuple[str, str, str], time_s: float) -> None:
        index = lasting.pop(key)
        periods[index] = replace(periods[index], end_s=time_s)

    for event in events:
        kind = ACTIONS.get(str(event.detail.get("action"))) if event.kind is Kind.FAULT else None
        if kind is None:
            continue
        for key in [key for key in lasting if key[0] in kind.ends and key[1] == event.peer]:
            end(key, event.time_s)
        if not kind.begins:
            continue
        apart = event.id if kind.begins == PARTITIONED else str(event.detail.get("other") or "")
        key = (kind.begins, event.peer, apart)
        if key in lasting:
            end(key, event.time_s)
        if not event.detail.get("restored"):
            lasting[key] = len(periods)
            periods.append(FaultPeriod(kind.begins, event.peer, event.time_s, math.inf, event.id, event.detail))
    return periods
