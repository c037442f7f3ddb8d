"""The chain that counts keepers that are down: against closed formulas, and against lives drawn keeper by keeper."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.errors import InvalidOption
from dfslab.core.predict import (
    Bursts,
    Fleet,
    RepairChain,
    chance_interval,
    first_loss_s,
    mean_time_to_loss_s,
    share_lost_by,
    simulate_losses,
)

DAY = 86_400.0
YEAR = 365 * DAY
SURE = 5.2
"""Standard deviations that leave out one in five million."""


# -- the chain ----------------------------------------------------------------------------------


def test_a_single_copy_is_lost_when_its_keeper_fails() -> None:
    assert RepairChain(1, 100.0, 10.0).loss_within(30.0) == pytest.approx(-math.expm1(-0.3), rel=1e-12)


@pytest.mark.parametrize("time_s", [1e-3, 1.0, 50.0, 1000.0, 20_000.0])
def test_two_copies_are_lost_as_the_quadratic_equation_of_their_chain_has_it(time_s: float) -> None:
    """Both eigenvalues of its transient part; Trivedi's textbook and the appendices of RAID papers have this form."""
    failing, making = 1 / 100.0, 1 / 10.0
    middle, root = 3 * failing + making, math.sqrt(failing**2 + 6 * failing * making + making**2)
    fast, slow = (middle + root) / 2, (middle - root) / 2
    lost = (fast * -math.expm1(-slow * time_s) - slow * -math.expm1(-fast * time_s)) / (fast - slow)

    assert RepairChain(2, 100.0, 10.0).loss_within(time_s) == pytest.approx(lost, rel=1e-9 if time_s > 0.1 else 1e-6)


@pytest.mark.parametrize("replicas", [2, 3, 5])
def test_the_smallest_chances_are_as_exact_as_the_large_ones(replicas: int) -> None:
    """In no time at all there is no repair: all of them fail, one after the other, in any order."""
    time_s = 1e-3

    lost = RepairChain(replicas, 1000.0, 10.0).loss_within(time_s)

    assert lost == pytest.approx((time_s / 1000.0) ** replicas, rel=1e-3)
    assert lost < 1e-11


def test_a_rare_loss_comes_at_the_rate_of_one_over_its_mean_time() -> None:
    chain = RepairChain(3, 1000 * DAY, DAY / 24, keepers=30)

    assert chain.loss_within(YEAR) == pytest.approx(YEAR / chain.mean_time_to_loss_s, rel=1e-3)
    assert chain.loss_within(YEAR) < 1e-4


def test_what_has_not_been_lost_adds_up_to_the_mean_time() -> None:
    """The mean is the integral of the chance to live on."""
    chain, step_s = RepairChain(3, 10.0, 4.0), 1.0
    survives = [1 - chain.loss_within((number + 0.5) * step_s) for number in range(800)]

    assert sum(survives) * step_s == pytest.approx(chain.mean_time_to_loss_s, rel=1e-3)


def test_a_groups_mean_time_is_that_of_the_raid_paper() -> None:
    """Patterson, Gibson & Katz: MTTF² / (n (n - 1) MTTR) for n disks, one of which may fail."""
    chain = RepairChain(2, mtbf_s=30_000.0, recovery_s=1.0, keepers=11)

    assert chain.mean_time_to_loss_s == pytest.approx(30_000.0**2 / (11 * 10 * 1.0), rel=1e-3)


def test_one_files_mean_time_is_what_it_always_was() -> None:
    assert mean_time_to_loss_s(4, 50.0, 10.0) == RepairChain(4, 50.0, 10.0, keepers=4).mean_time_to_loss_s


@given(st.integers(1, 5), st.integers(0, 20), st.floats(1.0, 1e9), st.floats(0.1, 1e6), st.floats(0.0, 1e12))
def test_chances_are_chances_and_time_never_takes_a_loss_back(
    replicas: int, more: int, mtbf_s: float, recovery_s: float, time_s: float
) -> None:
    chain = RepairChain(replicas, mtbf_s, recovery_s, replicas + more)

    chances = chain.state_chances(time_s)

    assert all(0 <= one <= 1 for one in chances)
    assert sum(chances) == pytest.approx(1, abs=1e-9)
    assert chain.loss_within(2 * time_s) >= chances[-1] * (1 - 1e-9)


# -- lives, keeper by keeper --------------------------------------------------------------------

CHAINS = [
    (RepairChain(1, 10.0, 1.0), 5.0),
    (RepairChain(2, 10.0, 5.0), 20.0),
    (RepairChain(3, 10.0, 4.0), 60.0),
    (RepairChain(2, 40.0, 2.0, keepers=8), 40.0),
    (RepairChain(3, 60 * DAY, 2 * DAY, keepers=12), YEAR / 4),
]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("chain", "time_s"), CHAINS, ids=[str(chain) for chain, _ in CHAINS])
def test_as_many_lives_lose_a_file_as_the_chain_says(chain: RepairChain, time_s: float, seed: int) -> None:
    losses = simulate_losses(chain, random.Random(seed), time_s, runs=1500)

    for part in (0.5, 1.0):
        hits = sum(loss <= part * time_s for loss in losses)
        low, high = chance_interval(hits, len(losses), SURE)
        assert low < chain.loss_within(part * time_s) < high
    assert share_lost_by(losses, time_s) == sum(loss < math.inf for loss in losses) / len(losses)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lives_last_as_long_as_the_mean_time_on_average(seed: int) -> None:
    chain = RepairChain(3, 10.0, 4.0)

    losses = simulate_losses(chain, random.Random(seed), runs=2000)

    mean_s = sum(losses) / len(losses)
    deviation_s = math.sqrt(sum((loss - mean_s) ** 2 for loss in losses) / len(losses))
    assert mean_s == pytest.approx(chain.mean_time_to_loss_s, abs=SURE * deviation_s / math.sqrt(len(losses)))


def test_the_same_seed_lives_the_same_lives() -> None:
    chain = RepairChain(2, 10.0, 5.0)

    assert simulate_losses(chain, random.Random(7), runs=50) == simulate_losses(chain, random.Random(7), runs=50)
    assert first_loss_s(chain, random.Random(7)) != first_loss_s(chain, random.Random(8))


def test_a_recovery_that_always_takes_the_same_time_loses_as_the_window_says() -> None:
    """Two copies: each failure is followed by a window in which the other fails with 1 - exp(-W / MTBF)."""
    chain = RepairChain(2, mtbf_s=10.0, recovery_s=5.0)
    in_window = -math.expm1(-5.0 / 10.0)

    losses = simulate_losses(chain, random.Random(5), runs=3000, fixed_recovery=True)

    per_cycle_s = 10.0 / 2 + 10.0 * in_window  # until a failure, and on average from there to recovery or loss
    mean_s = sum(losses) / len(losses)
    assert mean_s == pytest.approx(per_cycle_s / in_window, rel=0.1)
    assert mean_s < chain.mean_time_to_loss_s * 0.95


def test_failures_that_come_together_lose_what_independent_ones_would_not() -> None:
    chain = RepairChain(3, 1000 * DAY, DAY / 10, keepers=12)
    apart = simulate_losses(chain, random.Random(1), YEAR, runs=200)
    together = simulate_losses(chain, random.Random(1), YEAR, runs=200, bursts=Bursts(every_s=YEAR, keepers=4))

    assert share_lost_by(apart, YEAR) < 0.02
    assert 0.4 < share_lost_by(together, YEAR) < 0.85  # 1 - exp(-1), and room for five deviations
    assert chain.loss_within(YEAR) < 1e-3


def test_a_chance_lies_within_its_interval_as_often_as_it_says() -> None:
    rng, inside = random.Random(11), 0
    for _ in range(400):
        low, high = chance_interval(sum(rng.random() < 0.1 for _ in range(200)), 200)
        inside += low < 0.1 < high

    assert 0.90 < inside / 400 < 0.99


# -- a fleet ------------------------------------------------------------------------------------


def test_a_fleet_stores_and_recovers_as_arithmetic_has_it() -> None:
    fleet = Fleet(keepers=5, replicas=2, mtbf_s=DAY, data_bytes=10e9, repair_mb_s=10, detection_s=3.0)

    assert fleet.stored_bytes == pytest.approx(4e9)
    assert fleet.recovery_s == pytest.approx(3.0 + 100.0)
    assert fleet.chain == RepairChain(2, DAY, fleet.recovery_s, 5)
    assert fleet.loss_within(YEAR) == fleet.chain.loss_within(YEAR)


# -- bad input ----------------------------------------------------------------------------------


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(InvalidOption, match="keepers"):
        RepairChain(3, 1.0, 1.0, keepers=2)
    with pytest.raises(InvalidOption, match="recovery_s"):
        RepairChain(3, 1.0, 0.0)
    with pytest.raises(InvalidOption, match="time_s"):
        RepairChain(3, 1.0, 1.0).loss_within(-1.0)
    with pytest.raises(InvalidOption, match="keepers"):
        Fleet(keepers=3, replicas=3, mtbf_s=1.0, data_bytes=1.0, repair_mb_s=1.0)
    with pytest.raises(InvalidOption, match="repair_mb_s"):
        Fleet(keepers=4, replicas=3, mtbf_s=1.0, data_bytes=1.0, repair_mb_s=0.0)
    with pytest.raises(InvalidOption, match="every_s"):
        Bursts(0.0, 1)
    with pytest.raises(InvalidOption, match=r"bursts\.keepers"):
        first_loss_s(RepairChain(2, 1.0, 1.0), random.Random(1), bursts=Bursts(1.0, 3))
    with pytest.raises(InvalidOption, match="runs"):
        simulate_losses(RepairChain(2, 1.0, 1.0), random.Random(1), 1.0, runs=0)
