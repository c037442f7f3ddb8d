"""The laboratory's actions as data: what may be done to a cluster, what each breaks and what ends it.

A method call, a click, a step of a scenario and a nemesis's choice are all an `Action`; each leaves
one line of kind `fault` in the trace, from which the same action can be read back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from dfslab.core.errors import InvalidOption
from dfslab.core.links import LINK_FIELDS
from dfslab.core.nodes import CLIENT as CLIENT
from dfslab.core.nodes import MASTER as MASTER
from dfslab.core.trace import Kind, TraceEvent

PARTITIONED, LINK_CHANGED = "partitioned", "link changed"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an action; `default` is None where it must be given, unless it is `optional`."""

    name: str
    default: Any = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ActionKind:
    """What an action needs, does and ends.

    Attributes
    ----------
    parameters : tuple of Parameter
        In the order of the method of `Cluster` that has the action's name.
    begins : str
        The fault that it begins, as a picture would call it; empty when it begins none.
    ends : tuple of str
        The faults that it ends on the same node.
    """

    parameters: tuple[Parameter, ...] = ()
    begins: str = ""
    ends: tuple[str, ...] = ()


_KEEPER = Parameter("keeper")

ACTIONS: Mapping[str, ActionKind] = MappingProxyType(
    {
        "kill": ActionKind((_KEEPER,), begins="dead", ends=("paused",)),
        "restart": ActionKind((_KEEPER, Parameter("wipe", False, optional=True)), ends=("dead",)),
        "pause": ActionKind((_KEEPER,), begins="paused"),
        "resume": ActionKind((_KEEPER,), ends=("paused",)),
        "partition": ActionKind(
            (Parameter("a"), Parameter("b"), Parameter("one_way", False, optional=True)), begins=PARTITIONED
        ),
        "heal": ActionKind(ends=(PARTITIONED,)),
        "set_link": ActionKind(
            (
                Parameter("node"),
                Parameter("other", None, optional=True),
                *(Parameter(name, None, optional=True) for name in LINK_FIELDS),
            ),
            begins=LINK_CHANGED,
        ),
        "corrupt": ActionKind((Parameter("name"), _KEEPER, Parameter("how", "bitflip", optional=True))),
        "fill_disk": ActionKind((_KEEPER,), begins="disk full"),
        "free_disk": ActionKind((_KEEPER,), ends=("disk full",)),
        "drop_heartbeats": ActionKind((_KEEPER,), begins="heartbeats dropped"),
        "restore_heartbeats": ActionKind((_KEEPER,), ends=("heartbeats dropped",)),
        "kill_master": ActionKind(begins="dead"),
        "restart_master": ActionKind(ends=("dead",)),
        "add_keeper": ActionKind(),
        "decommission": ActionKind((_KEEPER,), ends=("dead", "paused", "disk full", "heartbeats dropped")),
    }
)
"""Every action by its name, which is that of the method of `Cluster`."""

BREAKING = tuple(name for name, kind in ACTIONS.items() if kind.begins or name == "corrupt")
"""The actions that break something."""


@dataclass(frozen=True)
class Action:
    """One thing to do to a cluster: `Action("kill", {"keeper": "keeper-3"})`.

    Parameters
    ----------
    kind : str
        One of `ACTIONS`.
    arguments : mapping
        Plain JSON values by the names of the parameters; those that are left out keep their defaults.

    Raises
    ------
    InvalidOption
        For a kind that is unknown, an argument that it does not take, or one that is missing.
    """

    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in ACTIONS:
            raise InvalidOption(option="action", value=repr(self.kind), reason=f"known are {', '.join(ACTIONS)}")
        parameters = ACTIONS[self.kind].parameters
        known = [parameter.name for parameter in parameters]
        for name in self.arguments:
            if name not in known:
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise InvalidOption(option=f"{self.kind}.{name}", value=repr(self.arguments[name]), reason=takes)
        for parameter in parameters:
            if not parameter.optional and parameter.name not in self.arguments:
                raise InvalidOption(option=f"{self.kind}.{parameter.name}", value="None", reason="it must be given")

    @property
    def python(self) -> str:
        """The line of Python that does it, `cluster.kill("keeper-3")`."""
        parts = []
        for parameter in ACTIONS[self.kind].parameters:
            if parameter.name in self.arguments:
                text = _literal(self.arguments[parameter.name])
                parts.append(f"{parameter.name}={text}" if parameter.optional else text)
        return f"cluster.{self.kind}({', '.join(parts)})"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {"action": self.kind, **self.arguments}

    @classmethod
    def from_event(cls, event: TraceEvent) -> Action:
        """Return the action that left a line of kind `fault` in the trace."""
        detail = dict(event.detail)
        kind = str(detail.pop("action"))
        if event.peer == MASTER and kind in ("kill", "restart"):
            return cls(f"{kind}_master")
        parameters = [parameter.name for parameter in ACTIONS[kind].parameters] if kind in ACTIONS else []
        arguments = {name: detail[name] for name in parameters if name in detail}
        for name in ("keeper", "node"):
            if name in parameters:
                arguments[name] = event.peer
        if kind == "corrupt":
            arguments["name"] = event.file_name
        return cls(kind, {name: arguments[name] for name in parameters if name in arguments})


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(value)


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
