"""A failure is told so that somebody can mend it: cut down, with its story, and a command that repeats it."""

from __future__ import annotations

import json
import random

import pytest
from click.testing import CliRunner

from dfslab.cli.sim import sim
from dfslab.core.guarantees import Guarantee
from dfslab.core.keeper import shelf
from dfslab.sim import Settings, Tally, shrink, simulate, story_of
from dfslab.sim import keeper as sim_keeper
from dfslab.sim.faults import KINDS, Fault, schedule


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> int:
    """A keeper that forgets to sync, and a seed that finds out."""
    steps = tuple(step for step in shelf.PUBLISH if step is not shelf.Step.SYNC_DATA)
    monkeypatch.setattr(sim_keeper, "PUBLISH", steps)
    return next(seed for seed in range(50) if simulate(Settings(seed=seed, steps=2000)).broken)


def test_a_failure_is_cut_down_to_the_faults_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is lost by those who forget what is due to a dead keeper: two of the faults are enough to see it."""
    monkeypatch.setattr(sim_keeper, "leftovers", lambda names: [])
    outcome = next(one for seed in range(50) if (one := simulate(Settings(seed=seed, steps=3000))).broken)
    assert outcome.broken is not None

    small = shrink(outcome)

    assert small.broken is not None
    assert small.broken.guarantee is outcome.broken.guarantee
    assert 1 <= len(small.faults) < len(outcome.faults)
    numbers = tuple(fault.number for fault in small.faults)
    for left_out in numbers:
        fewer = Settings(seed=outcome.settings.seed, steps=3000, only=[one for one in numbers if one != left_out])
        broken = simulate(fewer).broken
        assert broken is None or broken.guarantee is not outcome.broken.guarantee


def test_the_story_tells_of_the_file_and_of_what_was_done_to_the_nodes(unsynced: int) -> None:
    outcome = simulate(Settings(seed=unsynced, steps=2000))
    assert outcome.broken is not None

    story = "\n".join(story_of(outcome.broken, outcome.trace))

    assert outcome.broken.version in story
    assert "slot_granted" in story


def test_the_command_tells_a_failure_and_how_to_repeat_it(unsynced: int) -> None:
    result = CliRunner().invoke(sim, ["--seed", str(unsynced), "--steps", "2000"])

    assert isinstance(result.exception, Exception)
    assert "guarantee 6: " in result.output or "guarantee 1: " in result.output
    assert "The story:" in result.output
    assert f"Again: dfslab sim --seed {unsynced} --steps 2000 --faults" in result.output


def test_a_sweep_in_two_processes_comes_to_the_same_as_in_one() -> None:
    runs = [CliRunner().invoke(sim, ["--seeds", "4", "--steps", "1500", "--jobs", jobs, "--json"]) for jobs in "12"]
    one, two = (Tally.from_dict(json.loads(run.output)) for run in runs)

    assert [run.exit_code for run in runs] == [0, 0]
    assert one.seeds == two.seeds == 4
    assert (one.acknowledged, one.core_events, one.struck) == (two.acknowledged, two.core_events, two.struck)
    assert one.virtual_s == pytest.approx(two.virtual_s)


def test_neither_one_seed_nor_many_is_a_wrong_use() -> None:
    assert CliRunner().invoke(sim, []).exit_code == 2
    assert CliRunner().invoke(sim, ["--seed", "1", "--seeds", "2"]).exit_code == 2
    assert CliRunner().invoke(sim, ["--seed", "1", "--faults", "one"]).exit_code == 2


def test_a_tally_counts_what_was_lost_and_what_was_wrong(unsynced: int) -> None:
    tally = Tally()
    outcome = simulate(Settings(seed=unsynced, steps=2000))
    tally.add(outcome)
    tally.merge(Tally.from_dict(tally.as_dict()))

    assert tally.seeds == 2
    assert len(tally.broken) == 2
    assert outcome.broken is not None
    assert (tally.lost == 2) == (outcome.broken.guarantee in (Guarantee.DURABLE, Guarantee.SURVIVES))


def test_faults_come_in_the_order_of_their_times_and_of_every_kind() -> None:
    faults: list[Fault] = []
    for fault in schedule(random.Random(1), 1.0):
        faults.append(fault)
        if len(faults) == 2000:
            break

    assert [fault.number for fault in faults] == list(range(2000))
    assert faults == sorted(faults, key=lambda fault: fault.at_s)
    assert {fault.kind for fault in faults} == set(KINDS)
