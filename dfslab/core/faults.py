"""The laboratory's actions as data: what may be done to a cluster, what each breaks and what ends it.

A method call, a click, a step of a scenario and a nemesis's choice are all an `Action`; each leaves
one line of kind `fault` in the trace, from which the same action can be read back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dfslab.core.checks import check_flag, is_number, plain
from dfslab.core.errors import InvalidOption
from dfslab.core.links import LINK_FIELDS, check_link_field
from dfslab.core.nodes import MASTER
from dfslab.core.trace import TraceEvent

PARTITIONED, LINK_CHANGED = "partitioned", "link changed"


def _as_given(option: str, value: Any) -> Any:
    """Return a value as it is, but for numbers of NumPy, which JSON does not know."""
    if isinstance(value, list | tuple):
        return [_as_given(option, one) for one in value]
    return plain(value) if is_number(value) else value


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an action; `default` is None where it must be given, unless it is `optional`.

    `check(option, value)` returns the value, or raises InvalidOption for one that can't be meant, in
    whatever state the cluster is.
    """

    name: str
    default: Any = None
    optional: bool = False
    check: Callable[[str, Any], Any] = _as_given


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


DAMAGES = ("bitflip", "truncate", "swap", "checksum")
"""How a replica may be damaged."""


def check_how(option: str, how: str) -> str:
    """Return a way to damage a replica; raise InvalidOption for another."""
    if how not in DAMAGES:
        raise InvalidOption(option=option, value=repr(how), reason=f"known are {', '.join(DAMAGES)}")
    return how


def _link_field(name: str) -> Parameter:
    return Parameter(name, optional=True, check=lambda option, value: check_link_field(name, value, option))


_KEEPER = Parameter("keeper")

ACTIONS: Mapping[str, ActionKind] = MappingProxyType(
    {
        "kill": ActionKind((_KEEPER,), begins="dead", ends=("paused",)),
        "restart": ActionKind((_KEEPER, Parameter("wipe", False, optional=True, check=check_flag)), ends=("dead",)),
        "pause": ActionKind((_KEEPER,), begins="paused"),
        "resume": ActionKind((_KEEPER,), ends=("paused",)),
        "partition": ActionKind(
            (Parameter("a"), Parameter("b"), Parameter("one_way", False, optional=True, check=check_flag)),
            begins=PARTITIONED,
        ),
        "heal": ActionKind(ends=(PARTITIONED,)),
        "set_link": ActionKind(
            (
                Parameter("node"),
                Parameter("other", None, optional=True),
                *map(_link_field, LINK_FIELDS),
            ),
            begins=LINK_CHANGED,
        ),
        "corrupt": ActionKind(
            (Parameter("name"), _KEEPER, Parameter("how", "bitflip", optional=True, check=check_how))
        ),
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
        For a kind that is unknown, an argument that it does not take, one that is missing, or one whose
        value can't be meant, such as a negative rate.
    """

    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in ACTIONS:
            raise InvalidOption(option="action", value=repr(self.kind), reason=f"known are {', '.join(ACTIONS)}")
        if not isinstance(self.arguments, Mapping):
            reason = "they must be a mapping of names to values"
            raise InvalidOption(option=f"{self.kind}.arguments", value=repr(self.arguments), reason=reason)
        parameters = ACTIONS[self.kind].parameters
        known = [parameter.name for parameter in parameters]
        for name in self.arguments:
            if name not in known:
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise InvalidOption(option=f"{self.kind}.{name}", value=repr(self.arguments[name]), reason=takes)
        checked = dict(self.arguments)
        for parameter in parameters:
            option = f"{self.kind}.{parameter.name}"
            if parameter.name in checked:
                checked[parameter.name] = parameter.check(option, checked[parameter.name])
            elif not parameter.optional:
                raise InvalidOption(option=option, value="None", reason="it must be given")
        object.__setattr__(self, "arguments", checked)

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
