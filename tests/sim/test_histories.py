"""Whole histories: every guarantee holds for every seed, one seed is one history, and trouble does strike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dfslab.sim import Settings, Tally, simulate
from dfslab.sim.faults import KINDS

STEPS = 5000
SEEDS = 240
PART = 20


@pytest.fixture(scope="module")
def tally() -> Tally:
    """What all seeds of this module have come to."""
    return Tally()


@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_every_guarantee_holds_in_every_history(first: int, tally: Tally) -> None:
    """DESIGN §3, and the oracle of FAULTS, at every step of each seed."""
    part = Tally()
    for seed in range(first, first + PART):
        part.add(simulate(Settings(seed=seed, steps=STEPS)))
    tally.merge(part)

    assert [(f"dfslab sim --seed {one.seed} --steps {one.steps}", what) for one, what in part.broken] == []


def test_every_kind_of_fault_has_struck(tally: Tally) -> None:
    """FAULTS: a fault that never fired fails its test."""
    if tally.seeds < SEEDS:
        pytest.skip("some of the seeds were not run")
    messages = ("message: loss", "message: repeated", "message: cut", "message: slow link")

    assert {kind: tally.struck[kind] for kind in [*KINDS, *messages] if tally.struck[kind] < 10} == {}
    assert tally.acknowledged >= 20 * SEEDS


def test_one_seed_is_one_history_byte_for_byte_in_other_processes(tmp_path: Path) -> None:
    """DESIGN §4: the hash seeds differ, the histories do not."""
    traces = []
    for hash_seed in ("1", "2"):
        path = tmp_path / f"{hash_seed}.jsonl"
        command = [sys.executable, "-m", "dfslab.cli", "sim", "--seed", "42", "--steps", "5000", "--trace", str(path)]
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": hash_seed}, check=True, capture_output=True)
        traces.append(path.read_bytes())

    assert traces[0] == traces[1]
    assert len(traces[0].splitlines()) > 1000
