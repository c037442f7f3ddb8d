"""Predictions of deaths and repairs, held against the master's own decisions in virtual time."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.errors import InvalidOption
from dfslab.core.links import BURST_S, Link
from dfslab.core.liveness import Liveness
from dfslab.core.options import Options
from dfslab.core.predict import (
    Prediction,
    detection_s,
    loss_probability,
    mean_time_to_loss_s,
    recovery_s,
    repair_s,
)

from .worlds import Copy, Lab, lab, orders

MB = 1_000_000
TEN = Link(rate_mb_s=10)
GOLDEN = 0.618034
"""Its multiples fall evenly into 0 to 1, at no period of any timer."""
OPTIONS = [
    Options(heartbeat_interval_s=1.0, heartbeat_timeout_s=3.0),
    Options(heartbeat_interval_s=0.5, heartbeat_timeout_s=4.0),
    Options(heartbeat_interval_s=0.1, heartbeat_timeout_s=0.3, replication_interval_s=1.0),
]


def moments(options: Options, until: float, tick_phase: float) -> list[tuple[float, str]]:
    """Return when heartbeats and ticks come, in order."""
    beats = [(n * options.heartbeat_interval_s, "beat") for n in range(math.ceil(until / options.heartbeat_interval_s))]
    ticks = [((n + tick_phase) * options.tick_s, "tick") for n in range(math.ceil(until / options.tick_s))]
    return sorted(beats + ticks)


def live_on(world: Lab, killed_at: float, tick_phase: float) -> tuple[float, float]:
    """Kill keeper-1 and let the others beat on; return when it was declared dead and when the last copy was ordered."""
    options, dead_at, ordered_at = world.options, math.nan, math.nan
    until = killed_at + options.heartbeat_timeout_s + options.replication_interval_s + 1
    for time_s, what in moments(options, until, tick_phase):
        said = []
        for keeper in [f"keeper-{number}" for number in range(1, 5)] if what == "beat" else []:
            if keeper != "keeper-1" or time_s <= killed_at:
                said += world.beat(keeper, at=time_s)
        if what == "tick":
            said += world.tick(time_s)
        if math.isnan(dead_at) and world.liveness("keeper-1") is Liveness.DEAD:
            dead_at = time_s
        if any(isinstance(order, Copy) for order in orders(said)):
            ordered_at = time_s
    return dead_at, ordered_at


def detections(options: Options) -> list[float]:
    """Return how long deaths at every phase of the heartbeat went unnoticed."""
    times = []
    for part in range(20):
        for tick_phase in (0.01, 0.5, 0.99):
            world = lab(keepers=4, **_as_dict(options))
            killed_at = (10 + (part + 0.01) / 20) * options.heartbeat_interval_s
            times.append(live_on(world, killed_at, tick_phase)[0] - killed_at)
    return times


def _as_dict(options: Options) -> dict[str, Any]:
    names = ("heartbeat_interval_s", "heartbeat_timeout_s", "replication_interval_s", "repair")
    return {name: getattr(options, name) for name in names}


# -- detection ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS)
def test_a_death_at_any_phase_is_detected_within_the_prediction_and_both_ends_are_reached(options: Options) -> None:
    predicted = detection_s(options, slack_s=0.0)

    seen = detections(options)

    assert all(time_s in predicted for time_s in seen)
    width = predicted.high - predicted.low
    assert min(seen) < predicted.low + 0.1 * width
    assert max(seen) > predicted.high - 0.1 * width
    assert sum(seen) / len(seen) == pytest.approx(predicted.typical, abs=0.05 * width)


def test_the_default_timers_detect_in_2_to_3_seconds_and_a_bit() -> None:
    assert detection_s(Options(), slack_s=0.0) == Prediction(2.0, 2.55, 3.1, "s")


def test_slack_widens_both_ends() -> None:
    assert detection_s(Options(), slack_s=0.5) == Prediction(1.5, 2.55, 3.6)


# -- repair -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["eager", "scan"])
def test_copies_are_ordered_when_the_repair_mode_has_it(mode: str) -> None:
    """With free links, recovery is detection and the wait for the scan; both ends of that range are reached."""
    options = Options(repair=mode, replication_interval_s=4.3)  # type: ignore[arg-type]  # one of the two
    predicted = recovery_s([25], sources=[Link()], options=options, machine_mb_s=1e6, slack_s=0.0)
    waits = []
    for part in range(48):
        world = lab(keepers=4, **_as_dict(options))
        world.store("a.mp4")
        for copy in [one for one in orders(world.scan()) if isinstance(one, Copy)]:
            world.arrive(copy)
        killed_at = 8.0 + 4.3 * (part * GOLDEN % 1)
        waits.append(live_on(world, killed_at, 0.5)[1] - killed_at)

    assert all(wait in predicted for wait in waits), (predicted, waits)
    assert max(waits) - min(waits) > 0.75 * (predicted.high - predicted.low)


def test_one_lost_copy_takes_its_size_over_the_slower_of_two_cards() -> None:
    slow = Link(rate_mb_s=5)

    predicted = repair_s([20 * MB], sources=[TEN], targets=[slow], slack_s=0.0)

    assert predicted.typical == pytest.approx(4.0 - BURST_S)
    assert predicted.low == predicted.typical
    assert predicted.high == pytest.approx(4.0 * 1.05)


def test_many_copies_are_shared_out_among_the_cards_of_both_sides() -> None:
    few = repair_s([10 * MB] * 6, sources=[TEN] * 2, targets=[TEN] * 6)
    many = repair_s([10 * MB] * 6, sources=[TEN] * 6, targets=[TEN] * 6)

    assert few.typical == pytest.approx(3.0, abs=0.05)
    assert many.typical == pytest.approx(1.0, abs=0.05)


def test_where_links_differ_it_is_the_mean_over_where_copies_go_to() -> None:
    slow = Link(rate_mb_s=2)

    one = repair_s([10 * MB], sources=[TEN], targets=[TEN, TEN, slow], slack_s=0.0)
    all_three = repair_s([10 * MB] * 3, sources=[TEN] * 3, targets=[TEN, TEN, slow], slack_s=0.0)

    assert one.typical == pytest.approx((1.0 + 1.0 + 5.0) / 3, abs=0.03)
    assert [one.low, one.high] == pytest.approx([1.0, 5.0 * 1.05], abs=0.03)
    assert all_three.typical == pytest.approx(5.0, abs=0.03)


def test_without_eager_repair_each_further_round_waits_for_another_scan() -> None:
    """The scan orders `copies_per_keeper` copies a keeper at most; nothing between scans orders the rest."""
    options = Options(repair="scan", copies_per_keeper=2, replication_interval_s=10.0)
    one_round = repair_s([MB] * 4, sources=[TEN] * 2, options=options, slack_s=0.0)
    three_rounds = repair_s([MB] * 12, sources=[TEN] * 2, options=options, slack_s=0.0)

    assert three_rounds.typical - one_round.typical == pytest.approx(20.0, abs=1.0)


def test_delays_cost_an_order_a_handshake_a_request_and_a_report() -> None:
    near = repair_s([MB], sources=[TEN], targets=[TEN], slack_s=0.0)
    far = replace(TEN, delay_ms=50)

    predicted = repair_s([MB], sources=[far], targets=[far], slack_s=0.0)

    assert predicted.typical - near.typical == pytest.approx(4 * 0.1 + 2 * 0.05)


def test_what_the_links_do_not_limit_is_not_predicted_unless_the_machine_is_known() -> None:
    assert not repair_s([MB], sources=[Link()]).is_known
    assert not recovery_s([MB], sources=[Link()]).is_known
    assert repair_s([MB], sources=[Link()], machine_mb_s=100).typical == pytest.approx(0.01)


def test_nothing_lost_is_repaired_at_once() -> None:
    assert repair_s([], sources=[TEN]) == Prediction(0.0, 0.0, 0.0)


sizes = st.lists(st.integers(0, 100 * MB), max_size=8)
rates = st.lists(st.floats(0.1, 1000), min_size=1, max_size=6)


@given(sizes, rates, rates, st.floats(0, 200), st.sampled_from(["eager", "scan"]))
def test_the_bounds_of_a_repair_are_ordered_and_faster_links_never_make_it_longer(
    lost: list[int], out: list[float], into: list[float], delay_ms: float, mode: str
) -> None:
    options = Options(repair=mode)  # type: ignore[arg-type]  # one of the two

    def predicted(factor: float) -> Prediction:
        sources = [Link(rate_mb_s=rate * factor, delay_ms=delay_ms) for rate in out]
        targets = [Link(rate_mb_s=rate * factor, delay_ms=delay_ms) for rate in into]
        return repair_s(lost, sources=sources, targets=targets, options=options)

    slow, fast = predicted(1.0), predicted(2.0)

    assert 0 <= slow.low <= slow.typical <= slow.high < math.inf
    assert (fast.low, fast.typical, fast.high) <= (slow.low, slow.typical, slow.high)
    assert fast.typical <= slow.typical
    assert fast.high <= slow.high


# -- loss ---------------------------------------------------------------------------------------


def test_the_chance_of_loss_in_a_window_is_exact_and_nearly_the_power_of_the_ratio() -> None:
    assert loss_probability(1, mtbf_s=100.0, window_s=100.0).typical == pytest.approx(1 - math.exp(-1))
    assert loss_probability(2, mtbf_s=1e6, window_s=10.0).typical == pytest.approx(1e-10, rel=1e-4)


def test_a_range_of_windows_gives_a_range_of_chances() -> None:
    predicted = loss_probability(2, 1e4, Prediction(1.0, 10.0, math.inf))

    assert predicted.low < predicted.typical < predicted.high == 1.0
    assert predicted.unit == ""
    assert not loss_probability(2, 1e4, Prediction(math.nan, math.nan, math.nan)).is_known


@given(st.integers(1, 6), st.floats(1.0, 1e9), st.floats(0.0, 1e6))
def test_more_copies_and_shorter_windows_never_lose_more(live: int, mtbf_s: float, window_s: float) -> None:
    one = loss_probability(live, mtbf_s, window_s).typical

    assert 0 <= one <= 1
    assert loss_probability(live + 1, mtbf_s, window_s).typical <= one
    assert loss_probability(live, mtbf_s, 2 * window_s).typical >= one


def test_the_mean_time_to_loss_is_that_of_the_textbooks() -> None:
    failing, making = 1 / 1000.0, 1 / 10.0

    assert mean_time_to_loss_s(1, 1000.0, 10.0) == pytest.approx(1000.0)
    assert mean_time_to_loss_s(2, 1000.0, 10.0) == pytest.approx((3 * failing + making) / (2 * failing**2))


def test_the_mean_time_to_loss_is_that_of_a_chain_solved_as_linear_equations() -> None:
    """E(i) = 1/rate + Σ p E(j), solved by sweeps until nothing changes."""
    failing, making, replicas = 1 / 50.0, 1 / 10.0, 4
    expected = [0.0] * (replicas + 1)
    for _ in range(100_000):
        for live in range(1, replicas + 1):
            down, up = live * failing, (replicas - live) * making
            above = expected[live + 1] if live < replicas else 0.0
            expected[live] = (1 + down * expected[live - 1] + up * above) / (down + up)

    assert mean_time_to_loss_s(replicas, 50.0, 10.0) == pytest.approx(expected[replicas], rel=1e-6)


# -- bad input ----------------------------------------------------------------------------------


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(InvalidOption, match=r"slack_s=-1"):
        detection_s(slack_s=-1)
    with pytest.raises(InvalidOption, match="sources"):
        repair_s([MB], sources=[])
    with pytest.raises(InvalidOption, match="targets"):
        repair_s([MB], sources=[TEN], targets=[])
    with pytest.raises(InvalidOption, match="sizes_bytes"):
        repair_s([-1], sources=[TEN])
    with pytest.raises(InvalidOption, match="machine_mb_s"):
        repair_s([MB], sources=[TEN], machine_mb_s=0)
    with pytest.raises(InvalidOption, match=r"sources\[0\].*dfslab.Link"):
        repair_s([MB], sources=[20])  # type: ignore[list-item]  # on purpose
    with pytest.raises(InvalidOption, match="live"):
        loss_probability(0, 1.0, 1.0)
    with pytest.raises(InvalidOption, match="mtbf_s"):
        loss_probability(1, 0.0, 1.0)
    with pytest.raises(InvalidOption, match="window_s"):
        loss_probability(1, 1.0, -1.0)
    with pytest.raises(InvalidOption, match="recovery_s"):
        mean_time_to_loss_s(3, 1.0, 0.0)
