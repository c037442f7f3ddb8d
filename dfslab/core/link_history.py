"""The emulated links of a past moment, from what the trace says of them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import Any

from dfslab.core.links import LINK_FIELDS, Link, LinkTable
from dfslab.core.nodes import keeper_name
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind, TraceEvent


class LinkHistory:
    """Which links were in force when.

    Parameters
    ----------
    events : iterable of TraceEvent
        In order of time, nearly.
    setup : Setup
        Says what every keeper's link was at the start.
    """

    def __init__(self, events: Iterable[TraceEvent], setup: Setup) -> None:
        self._keepers = dict.fromkeys(keeper_name(number) for number in range(1, setup.n + 1))
        self._link = setup.link
        self._changes: list[TraceEvent] = []
        for event in events:
            if event.kind is Kind.KEEPER_REGISTERED:
                self._keepers[event.peer] = None
            elif event.kind is Kind.FAULT and event.detail.get("action") == "set_link":
                self._changes.append(event)
        self._times = [event.time_s for event in self._changes]
        self._tables: dict[int, LinkTable] = {}

    def at(self, time_s: float) -> LinkTable:
        """Return the links in force at a moment; not to be changed."""
        count = bisect.bisect_right(self._times, time_s)
        if count not in self._tables:
            self._tables[count] = self._after(count)
        return self._tables[count]

    def changes(self, start_s: float, end_s: float) -> list[float]:
        """Return when links changed within a span of time, in order."""
        return sorted({time_s for time_s in self._times if start_s < time_s < end_s})

    def _after(self, count: int) -> LinkTable:
        table = LinkTable()
        for keeper in self._keepers:
            table.set_link(keeper, self._link)
        for event in self._changes[:count]:
            other = event.detail.get("other")
            if other:
                table.set_pair(event.peer, other, None if event.detail.get("restored") else _link_of(event.detail))
            else:
                table.set_link(event.peer, _link_of(event.detail))
        return table


def _link_of(detail: Any) -> Link:
    return Link(**{name: detail[name] for name in LINK_FIELDS if detail.get(name) is not None})
