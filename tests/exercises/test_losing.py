"""What chance allows a right simulation: so much that it is failed less than once in a million times."""

from __future__ import annotations

import math

import pytest

from dfslab.exercises.catalog.simulate_losses import RUNS, SEEDS, WITH_REPAIR, WITHOUT_REPAIR
from dfslab.exercises.worlds.losing import TAIL, Counted, File, allowed, log_chances

FILES = [*WITHOUT_REPAIR, *WITH_REPAIR]


def outside(runs: int, chance: float) -> float:
    """Return the chance of a count that is not allowed."""
    low, high = allowed(runs, chance)
    return sum(math.exp(one) for hits, one in enumerate(log_chances(runs, chance)) if not low <= hits <= high)


def test_a_right_simulation_is_failed_less_than_once_in_a_million_times() -> None:
    counts = sum(outside(SEEDS * RUNS, file.chance) for file in FILES)
    spread = 1e-8
    all_eight_alike = max(math.exp(one) for one in log_chances(RUNS, WITH_REPAIR[0].chance)) ** 7

    assert counts + spread + all_eight_alike < 1e-6
    assert all(math.isclose(sum(math.exp(one) for one in log_chances(400, chance)), 1.0) for chance in (0.01, 0.4))


@pytest.mark.parametrize("runs", [1, 30, 4000])
def test_what_is_allowed_leaves_out_no_more_than_both_tails(runs: int) -> None:
    assert outside(runs, 0.3) <= 2 * TAIL
    low, high = allowed(runs, 0.3)
    assert 0 <= low <= 0.3 * runs <= high <= runs


@pytest.mark.parametrize("file", WITH_REPAIR, ids=str)
def test_every_usual_mistake_that_matters_is_told_from_what_is_right(file: File) -> None:
    runs = SEEDS * RUNS
    for what, chance in file.mistaken().items():
        if abs(chance - file.chance) > 0.08:
            assert not Counted(file, round(runs * chance), runs).is_allowed, what
    assert Counted(file, round(runs * file.chance), runs).is_allowed
