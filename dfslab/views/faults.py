"""What a trace says was done to the nodes, in the words and looks in which every picture shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfslab.core.fault_periods import fault_periods
from dfslab.core.faults import ACTIONS, LINK_CHANGED, PARTITIONED
from dfslab.core.links import link_words
from dfslab.core.nodes import short_name
from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.snapshot import in_natural_order

MANY_NODES = 3


@dataclass
class Fault:
    """Something done to one or several nodes at almost the same moment, with the words for it.

    Attributes
    ----------
    what : str
        What a period is called ("dead", see `dfslab.core.fault_periods.FaultPeriod`), or the action that a
        moment was ("corrupt").
    start_s : float
        When it began.
    spans : list of (float, float)
        From when to when, one a node; infinite ends last. Empty for a moment.
    nodes : list of str
    rest : str
        What the nodes' names alone do not tell.
    """

    what: str
    start_s: float
    spans: list[tuple[float, float]] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    rest: str = ""

    def label(self, *, short: bool = False) -> str:
        """Return the words: the nodes, or how many these are, and what they are; `short` leaves "keeper-" out."""
        if self.what == PARTITIONED:
            return f"apart: {self.rest.replace('keeper-', '')}" if short else f"apart: {self.rest}"
        names = _names(self.nodes, short=short)
        if self.what == LINK_CHANGED:
            return f"{names} {self.rest}"
        return f"{names} {self.what}" if self.spans else f"{self.what} {names}{self.rest}"


def faults_of(events: Iterable[TraceEvent], close_s: float = 0.0) -> list[Fault]:
    """Return what was done to nodes, by time; the same done to several within `close_s` is one.

    An action that only ends something is told by the end of what it ends.
    """
    lines = [event for event in events if event.kind is Kind.FAULT]
    singles = [
        Fault(one.what, one.start_s, [(one.start_s, one.end_s)], [one.node], _rest(one.what, one.detail))
        for one in fault_periods(lines)
    ]
    singles += [_moment(event) for event in lines if _is_moment(event)]
    return _gather(sorted(singles, key=lambda one: one.start_s), close_s)


def done_to(what: str) -> str:
    """Return what was done to a node that suffers from a fault: a node is killed, and only then found dead."""
    return "killed" if what == "dead" else what


def _is_moment(event: TraceEvent) -> bool:
    kind = ACTIONS.get(str(event.detail.get("action")))
    return kind is None or (not kind.begins and (not kind.ends or event.detail["action"] == "decommission"))


def _moment(event: TraceEvent) -> Fault:
    action = str(event.detail.get("action", "fault")).removesuffix("_keeper")
    return Fault(action, event.time_s, nodes=[event.peer])


def _gather(singles: Sequence[Fault], close_s: float) -> list[Fault]:
    """Put the same done to several nodes within `close_s` of the first into one."""
    faults: list[Fault] = []
    newest: dict[tuple[str, str], Fault] = {}
    for one in singles:
        fault = newest.get((one.what, one.rest))
        if fault is None or one.what == PARTITIONED or one.start_s - fault.start_s > close_s:
            newest[one.what, one.rest] = one
            faults.append(one)
        else:
            fault.nodes += one.nodes
            fault.spans += one.spans
    return faults


def _rest(what: str, detail: Mapping[str, Any]) -> str:
    if what == PARTITIONED:
        between = " → " if detail.get("one_way") else " | "
        return between.join(_names(detail.get(side, ()), short=False) for side in ("a", "b"))
    if what == LINK_CHANGED:
        to = f"↔ {detail['other']} " if detail.get("other") else ""
        return to + link_words(detail)
    return ""


def _names(nodes: Iterable[str], *, short: bool) -> str:
    names = in_natural_order(nodes)
    if len(names) > MANY_NODES:
        return f"{len(names)} nodes"
    whole = 0 if short else 1
    return ", ".join([*names[:whole], *map(short_name, names[whole:])])
