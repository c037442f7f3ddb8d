"""A scenario as data: what to do to a cluster, and when; checked as a whole before anything is done.

Times are seconds of lesson time from the scenario's beginning; a cluster that was started with
`speed=4` plays them four times as fast.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfslab.core.checks import is_number, plain
from dfslab.core.errors import InvalidOption
from dfslab.core.faults import ACTIONS, Action
from dfslab.core.trace import Kind, TraceEvent

SCENARIO_FORMAT = 1
"""Raised when a reader of older scenarios would misread newer ones."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Attributes
    ----------
    time_s : float
        Seconds of lesson time from the beginning.
    action : Action
    """

    time_s: float
    action: Action

    def __str__(self) -> str:
        return f"{self.time_s:7.1f} s  {self.action.python}"


def steps_of(given: Iterable[Any]) -> tuple[Step, ...]:
    """Return the steps of `(2.0, "kill", 3)`, `(2.0, "kill", {"keeper": 3})` and `(2.0, Action(...))`.

    Raises
    ------
    InvalidOption
        Naming the step and its part, such as `scenario[3].action`.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        reason = "it must be a list of steps (time_s, action, arguments...)"
        raise InvalidOption(option="scenario", value=repr(given), reason=reason)
    steps: list[Step] = []
    for index, one in enumerate(given):
        steps.append(_step_of(index, one))
        if index and steps[index].time_s < steps[index - 1].time_s:
            reason = f"the step before it is at {steps[index - 1].time_s:g} s; put them in order of time"
            raise _refused(index, "time_s", steps[index].time_s, reason)
    return tuple(steps)


def _step_of(index: int, given: Any) -> Step:
    if isinstance(given, Step):
        given = (given.time_s, given.action)
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) < 2:
        raise InvalidOption(
            option=f"scenario[{index}]", value=repr(given), reason="a step is (time_s, action, arguments...)"
        )
    time_s, action, *arguments = given
    if not is_number(time_s) or time_s < 0:
        raise _refused(index, "time_s", time_s, "it must be a number of seconds, 0 or more")
    if isinstance(action, Action):
        if arguments:
            raise _refused(index, "action", arguments, "an Action carries its arguments itself")
        return Step(float(time_s), _action_of(index, action.kind, [action.arguments]))
    return Step(float(time_s), _action_of(index, action, arguments))


def _action_of(index: int, kind: Any, arguments: Sequence[Any]) -> Action:
    named: dict[str, Any] = {}
    if arguments and isinstance(arguments[-1], Mapping):
        *arguments, last = arguments
        named = dict(last)
    if not isinstance(kind, str) or kind not in ACTIONS:
        raise _refused(index, "action", kind, f"known are {', '.join(ACTIONS)}")
    parameters = [parameter.name for parameter in ACTIONS[kind].parameters]
    if len(arguments) > len(parameters):
        takes = f"it takes {', '.join(parameters)}" if parameters else "it takes none"
        raise _refused(index, kind, tuple(arguments), takes)
    for name, value in zip(parameters, arguments, strict=False):
        if name in named:
            raise _refused(index, f"{kind}.{name}", value, "it is given twice")
        named[name] = value
    plain = {str(name): _plain(index, f"{kind}.{name}", value) for name, value in named.items()}
    try:
        return Action(kind, plain)
    except InvalidOption as error:
        option, value, reason = (error.fields[name] for name in ("option", "value", "reason"))
        raise InvalidOption(option=f"scenario[{index}].{option}", value=value, reason=reason) from None


def _plain(index: int, name: str, value: Any) -> Any:
    """Return a value as JSON has it, so that a scenario equals itself when it was saved and read."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if is_number(value):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain(index, name, one) for one in value]
    raise _refused(index, name, value, "it must be a number, a text, None or a list of these")


def _refused(index: int, part: str, value: Any, reason: str) -> InvalidOption:
    return InvalidOption(option=f"scenario[{index}].{part}", value=repr(value), reason=reason)


def steps_as_json(steps: Iterable[Step]) -> str:
    """Return the steps as a JSON document, one line a step."""
    lines = [json.dumps({"time_s": one.time_s, **one.action.as_dict()}, ensure_ascii=False) for one in steps]
    body = ",\n    ".join(lines)
    return f'{{\n  "format": {SCENARIO_FORMAT},\n  "steps": [' + (f"\n    {body}\n  " if lines else "") + "]\n}\n"


def steps_from_json(text: str) -> tuple[Step, ...]:
    """Read what `steps_as_json` wrote; raise InvalidOption naming what can't be read."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InvalidOption(option="scenario", value=repr(text[:40]), reason=f"it is not JSON: {error}") from None
    if not isinstance(document, Mapping) or not isinstance(document.get("steps"), list):
        reason = 'it must be an object with a list of "steps"'
        raise InvalidOption(option="scenario", value=repr(text[:40]), reason=reason)
    if document.get("format") != SCENARIO_FORMAT:
        reason = f"this version reads format {SCENARIO_FORMAT}"
        raise InvalidOption(option="scenario.format", value=repr(document.get("format")), reason=reason)
    return steps_of(_unpacked(index, one) for index, one in enumerate(document["steps"]))


def _unpacked(index: int, step: Any) -> tuple[Any, ...]:
    if not isinstance(step, Mapping):
        raise InvalidOption(option=f"scenario[{index}]", value=repr(step), reason="a step is an object")
    arguments = dict(step)
    for name in ("time_s", "action"):
        if name not in arguments:
            raise _refused(index, name, None, "it must be given")
    return arguments.pop("time_s"), arguments.pop("action"), arguments


def steps_of_trace(events: Iterable[TraceEvent], *, speed: float = 1.0, since_s: float = 0.0) -> tuple[Step, ...]:
    """Return what was done to a cluster, in lesson time from `since_s`, a time of the trace, on."""
    faults = [event for event in events if event.kind is Kind.FAULT and event.time_s >= since_s]
    faults.sort(key=lambda event: event.time_s)
    return tuple(Step(round((event.time_s - since_s) * speed, 6), Action.from_event(event)) for event in faults)
