"""A scenario is checked as a whole, and is the same after it was saved and read."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dfslab
from dfslab.core.errors import InvalidOption, TargetMissing
from dfslab.core.faults import ACTIONS, Action
from dfslab.core.scenario import Step, steps_of_trace
from dfslab.core.trace import Kind, Tracer
from dfslab.lab.playing import check_nodes
from dfslab.lab.scenario import Scenario

PLAY = [
    (0, "add_keeper"),
    (1.5, "partition", (1, "keeper-2"), ["master"], {"one_way": True}),
    (2.0, "kill", 3),
    (2.0, "kill", {"keeper": "keeper-4"}),
    (3, Action("corrupt", {"name": "a/ü.mp4", "keeper": 2, "how": "swap"})),
    (4.25, "set_link", "client", {"rate_mb_s": None, "loss": 0.25}),
]


def test_steps_are_given_in_order_by_name_both_or_as_actions() -> None:
    scenario = dfslab.Scenario(PLAY)

    assert [step.time_s for step in scenario] == [0.0, 1.5, 2.0, 2.0, 3.0, 4.25]
    assert [step.action for step in scenario][1:5] == [
        Action("partition", {"a": [1, "keeper-2"], "b": ["master"], "one_way": True}),
        Action("kill", {"keeper": 3}),
        Action("kill", {"keeper": "keeper-4"}),
        Action("corrupt", {"name": "a/ü.mp4", "keeper": 2, "how": "swap"}),
    ]
    assert scenario.duration_s == 4.25
    assert Scenario(list(scenario)) == scenario
    assert len(scenario) == 6
    assert scenario[2] == Step(2.0, Action("kill", {"keeper": 3}))
    assert scenario[2:4] == Scenario(PLAY[2:4])


def test_it_is_the_same_after_it_was_saved_and_read(tmp_path: Path) -> None:
    scenario = Scenario(PLAY)
    text = scenario.to_json(tmp_path / "play.json")

    assert Scenario.from_json(text) == scenario
    assert Scenario.from_json(tmp_path / "play.json") == scenario
    assert Scenario.from_json(str(tmp_path / "play.json")) == scenario
    assert json.loads(text)["steps"][2] == {"time_s": 2.0, "action": "kill", "keeper": 3}
    assert Scenario.from_json(Scenario().to_json()) == Scenario()


nodes = st.one_of(st.integers(1, 9), st.sampled_from(["keeper-1", "master", "client"]))


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(["kill", "pause", "fill_disk"]), nodes), max_size=8))
def test_any_scenario_is_the_same_after_it_was_saved_and_read(steps: list[tuple[float, str, Any]]) -> None:
    scenario = Scenario(sorted(steps, key=lambda step: step[0]))

    assert Scenario.from_json(scenario.to_json()) == scenario


def test_it_is_printed_one_line_a_step_with_the_line_of_python() -> None:
    assert str(Scenario(PLAY[2:5])) == (
        "    2.0 s  cluster.kill(3)\n"
        '    2.0 s  cluster.kill("keeper-4")\n'
        '    3.0 s  cluster.corrupt("a/ü.mp4", 2, how="swap")'
    )
    assert str(Scenario()) == "(nothing is done)"
    assert repr(Scenario(PLAY)) == "<dfslab scenario: 6 steps in 4.2 s>"
    assert "cluster.corrupt(&quot;a" in Scenario(PLAY)._repr_html_()


@pytest.mark.parametrize(
    ("step", "option"),
    [
        ((1, "explode", 3), "scenario[1].action"),
        ((1, ["kill"], 3), "scenario[1].action"),
        ((1, "kill"), "scenario[1].kill.keeper"),
        ((1, "kill", 3, 4), "scenario[1].kill"),
        ((1, "heal", 3), "scenario[1].heal"),
        ((1, "kill", {"keeper": 3, "hard": True}), "scenario[1].kill.hard"),
        ((1, "kill", 3, {"keeper": 3}), "scenario[1].kill.keeper"),
        ((1, "kill", {"keeper": object()}), "scenario[1].kill.keeper"),
        ((1, "kill", {"keeper": float("nan")}), "scenario[1].kill.keeper"),
        ((1, Action("kill", {"keeper": 3}), 4), "scenario[1].action"),
        ((-1, "kill", 3), "scenario[1].time_s"),
        (("soon", "kill", 3), "scenario[1].time_s"),
        ((True, "kill", 3), "scenario[1].time_s"),
        ((float("inf"), "kill", 3), "scenario[1].time_s"),
        ((0.4, "kill", 3), "scenario[1].time_s"),
        ("kill", "scenario[1]"),
        (7, "scenario[1]"),
        ((1,), "scenario[1]"),
    ],
)
def test_what_is_wrong_with_a_step_is_named(step: Any, option: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        Scenario([(0.5, "heal"), step])
    assert caught.value.fields["option"] == option


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("{", "scenario"),
        ("[]", "scenario"),
        ('{"format": 1}', "scenario"),
        ('{"format": 2, "steps": []}', "scenario.format"),
        ('{"format": 1, "steps": [7]}', "scenario[0]"),
        ('{"format": 1, "steps": [{"action": "heal"}]}', "scenario[0].time_s"),
        ('{"format": 1, "steps": [{"time_s": 1}]}', "scenario[0].action"),
        ('{"format": 1, "steps": [{"time_s": 1, "action": "explode"}]}', "scenario[0].action"),
    ],
)
def test_a_document_that_is_no_scenario_says_where(text: str, option: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        Scenario.from_json(text)
    assert caught.value.fields["option"] == option


def test_files_that_can_not_be_read_or_written_say_so(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing.json", tmp_path, tmp_path / "binary"):
        with pytest.raises(InvalidOption, match="path="):
            Scenario.from_json(path)
    with pytest.raises(TargetMissing, match=r"folder\.json"):
        Scenario(PLAY).to_json(tmp_path / "no" / "folder.json")


def test_what_was_done_is_read_from_the_trace_in_lesson_time() -> None:
    tracer = Tracer("lab", "t")
    events = [
        tracer.event(Kind.FAULT, 1.0, peer="keeper-1", action="kill"),
        tracer.event(Kind.HEARTBEAT, 1.5, peer="keeper-2"),
        tracer.event(Kind.FAULT, 3.0, peer="keeper-1", action="restart", wipe=True),
    ]

    assert steps_of_trace(events, speed=4.0) == (
        Step(4.0, Action("kill", {"keeper": "keeper-1"})),
        Step(12.0, Action("restart", {"keeper": "keeper-1", "wipe": True})),
    )
    assert [step.time_s for step in steps_of_trace(events, speed=4.0, since_s=2.0)] == [4.0]


def test_keepers_that_there_are_not_are_found_before_anything_is_done() -> None:
    keepers = ["keeper-1", "keeper-2"]
    check_nodes(Scenario([(0, "add_keeper"), (1, "kill", 3), (2, "partition", ["client", 1], ["master"])]), keepers)

    for step, option in [
        ((0, "kill", 3), "scenario[0].kill.keeper"),
        ((0, "kill", "master"), "scenario[0].kill.keeper"),
        ((0, "partition", [1, 9], [2]), "scenario[0].partition.a"),
        ((0, "set_link", 1, 5, {"loss": 0}), "scenario[0].set_link.other"),
    ]:
        with pytest.raises(InvalidOption) as caught:
            check_nodes(Scenario([step, (1, "add_keeper")]), keepers)
        assert caught.value.fields["option"] == option


def test_no_argument_of_an_action_is_called_as_a_part_of_a_step_is() -> None:
    names = {parameter.name for kind in ACTIONS.values() for parameter in kind.parameters}

    assert not names & {"time_s", "action"}
