"""Actions as data: checked, shown as Python, read back from the trace; and the periods in which faults last."""

import inspect
import json
import math
from typing import Any

import numpy as np
import pytest

from dfslab.cluster import Cluster
from dfslab.core.errors import InvalidOption
from dfslab.core.fault_periods import FaultPeriod, fault_periods, lasting_by_node, state_of
from dfslab.core.faults import ACTIONS, Action
from dfslab.core.trace import Kind, TraceEvent, Tracer

tracer = Tracer("lab", "t")


def fault(time_s: float, action: str, peer: str = "", **detail: Any) -> TraceEvent:
    return tracer.event(Kind.FAULT, time_s, peer=peer, action=action, **detail)


@pytest.mark.parametrize("kind", ACTIONS)
def test_every_action_is_a_method_of_the_cluster_with_the_same_arguments(kind: str) -> None:
    taken = inspect.signature(getattr(Cluster, kind)).parameters

    for parameter in ACTIONS[kind].parameters:
        assert parameter.name in taken
        optional = taken[parameter.name].default is not inspect.Parameter.empty
        assert optional == parameter.optional


def test_an_action_is_shown_as_the_line_of_python_that_does_it() -> None:
    assert Action("kill", {"keeper": "keeper-3"}).python == 'cluster.kill("keeper-3")'
    assert Action("restart", {"keeper": 3, "wipe": True}).python == "cluster.restart(3, wipe=True)"
    assert Action("partition", {"a": [1], "b": [2, "master"]}).python == 'cluster.partition([1], [2, "master"])'
    assert Action("set_link", {"node": 2, "rate_mb_s": None}).python == "cluster.set_link(2, rate_mb_s=None)"
    assert Action("corrupt", {"name": 'a"b\\', "keeper": 1}).python == 'cluster.corrupt("a\\"b\\\\", 1)'
    assert Action("heal").python == "cluster.heal()"


@pytest.mark.parametrize(
    ("kind", "arguments", "option"),
    [
        ("explode", {}, "action"),
        ("kill", {}, "kill.keeper"),
        ("kill", {"keeper": 1, "hard": True}, "kill.hard"),
        ("heal", {"keeper": 1}, "heal.keeper"),
        ("corrupt", {"keeper": 1}, "corrupt.name"),
        ("corrupt", {"name": "a", "keeper": 1, "how": "burn"}, "corrupt.how"),
        ("restart", {"keeper": 1, "wipe": "no"}, "restart.wipe"),
        ("partition", {"a": [1], "b": [2], "one_way": 1}, "partition.one_way"),
        ("set_link", {"node": 1, "rate_mb_s": -5}, "set_link.rate_mb_s"),
        ("set_link", {"node": 1, "loss": 2}, "set_link.loss"),
        ("set_link", {"node": 1, "delay_ms": None}, "set_link.delay_ms"),
        (["kill"], {}, "action"),
        ("kill", [1], "kill.arguments"),
        ("kill", None, "kill.arguments"),
    ],
)
def test_an_action_that_there_is_not_names_its_part(kind: Any, arguments: Any, option: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        Action(kind, arguments)
    assert caught.value.fields["option"] == option


def test_numbers_of_numpy_in_an_action_become_plain_ones() -> None:
    action = Action("set_link", {"node": np.int64(2), "rate_mb_s": np.float32(0.5), "delay_ms": np.int64(3)})

    assert action.python == "cluster.set_link(2, rate_mb_s=0.5, delay_ms=3)"
    assert json.loads(json.dumps(action.as_dict())) == action.as_dict()
    assert Action("partition", {"a": [np.int64(1)], "b": [2]}).python == "cluster.partition([1], [2])"


@pytest.mark.parametrize(
    ("event", "action"),
    [
        (fault(1, "kill", "keeper-3"), Action("kill", {"keeper": "keeper-3"})),
        (fault(1, "kill", "master"), Action("kill_master")),
        (fault(1, "restart", "master"), Action("restart_master")),
        (fault(1, "restart", "keeper-1", wipe=True), Action("restart", {"keeper": "keeper-1", "wipe": True})),
        (fault(1, "add_keeper", "keeper-7"), Action("add_keeper")),
        (
            fault(1, "partition", a=["keeper-1"], b=["master"], one_way=True),
            Action("partition", {"a": ["keeper-1"], "b": ["master"], "one_way": True}),
        ),
        (fault(1, "set_link", "client", loss=0.1), Action("set_link", {"node": "client", "loss": 0.1})),
        (
            tracer.event(Kind.FAULT, 1, peer="keeper-2", file_name="a", version="v1", action="corrupt", how="swap"),
            Action("corrupt", {"name": "a", "keeper": "keeper-2", "how": "swap"}),
        ),
    ],
)
def test_an_action_is_read_back_from_its_line_in_the_trace(event: TraceEvent, action: Action) -> None:
    assert Action.from_event(event) == action


def test_a_fault_lasts_until_it_is_undone_and_those_that_are_not_last_for_ever() -> None:
    events = [
        fault(1, "kill", "keeper-1"),
        fault(2, "pause", "keeper-2"),
        fault(3, "restart", "keeper-1", wipe=False),
        fault(4, "kill", "keeper-2"),
    ]

    periods = [(one.what, one.node, one.start_s, one.end_s) for one in fault_periods(events)]

    assert periods == [
        ("dead", "keeper-1", 1, 3),
        ("paused", "keeper-2", 2, 4),
        ("dead", "keeper-2", 4, math.inf),
    ]


def test_partitions_end_together_and_a_link_until_it_is_changed_again() -> None:
    events = [
        fault(1, "partition", a=["keeper-1"], b=["keeper-2"]),
        fault(2, "partition", a=["keeper-3"], b=["master"]),
        fault(3, "set_link", "keeper-1", rate_mb_s=5),
        fault(4, "set_link", "keeper-1", other="keeper-2", delay_ms=5),
        fault(5, "heal"),
        fault(6, "set_link", "keeper-1", rate_mb_s=2),
        fault(7, "set_link", "keeper-1", rate_mb_s=None, restored=True),
    ]

    found = fault_periods(events)

    assert [(one.what, one.start_s, one.end_s) for one in found] == [
        ("partitioned", 1, 5),
        ("partitioned", 2, 5),
        ("link changed", 3, 6),
        ("link changed", 4, math.inf),
        ("link changed", 6, 7),
    ]
    assert found[0] == FaultPeriod("partitioned", "", 1, 5, events[0].id, events[0].detail)


def test_other_lines_of_the_trace_and_unknown_actions_are_no_faults() -> None:
    assert fault_periods([tracer.event(Kind.HEARTBEAT, 1.0, peer="keeper-1"), fault(2, "dance", "keeper-1")]) == []


def test_a_partition_silences_who_can_not_reach_the_master_whichever_side_that_is() -> None:
    apart = fault_periods(
        [
            fault(1.0, "partition", a=["keeper-1"], b=["master", "keeper-2"]),
            fault(2.0, "partition", a=["master"], b=["keeper-3"], one_way=True),
            fault(3.0, "partition", a=["keeper-4"], b=["master"], one_way=True),
            fault(4.0, "partition", a=["keeper-5"], b=["keeper-6"]),
        ]
    )

    heard = [[one for one in range(1, 7) if not period.silences(f"keeper-{one}")] for period in apart]
    assert heard == [[2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [1, 2, 3, 5, 6], [1, 2, 3, 4, 5, 6]]


def test_a_lasting_fault_is_one_of_every_node_that_suffers_from_it() -> None:
    periods = fault_periods(
        [
            fault(1.0, "pause", "keeper-1"),
            fault(2.0, "partition", a=["keeper-1"], b=["master"]),
            fault(3.0, "kill", "keeper-1"),
            fault(4.0, "kill", "keeper-2"),
            fault(5.0, "restart", "keeper-2"),
        ]
    )

    lasting = {node: [one.what for one in faults] for node, faults in lasting_by_node(periods).items()}
    assert lasting == {"keeper-1": ["partitioned", "dead"], "master": ["partitioned"]}
    assert state_of(lasting["keeper-1"], seen="alive") == "dead"
    assert state_of((), seen="dead") == "running"
    assert state_of((), seen="decommissioned") == "decommissioned"
