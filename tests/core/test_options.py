"""The settings of a cluster: their defaults are the protocol's, and nonsense is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dfslab.core.checks import check_count, check_positive, check_timeout
from dfslab.core.errors import InvalidOption
from dfslab.core.links import Link
from dfslab.core.nodes import keeper_name
from dfslab.core.options import Options

TIMERS = ["heartbeat_interval_s", "heartbeat_timeout_s", "replication_interval_s", "orphan_grace_s", "copy_retry_s"]
BOUNDS = ["stall_timeout_s", "ack_timeout_s"]
COUNTS = ["replicas", "ack_replicas", "copies_per_keeper", "block_size"]


def test_the_defaults_are_the_protocols() -> None:
    """DESIGN §2 and §5."""
    options = Options()

    assert (options.replicas, options.ack_replicas, options.repair) == (3, 1, "eager")
    assert (options.heartbeat_interval_s, options.heartbeat_timeout_s, options.replication_interval_s) == (1, 3, 10)


@pytest.mark.parametrize("name", TIMERS + BOUNDS)
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), True, None, "3", [3]])
def test_a_timer_is_a_finite_number_above_zero(name: str, value: Any) -> None:
    with pytest.raises(InvalidOption, match=f"^{name}=.* is refused: it must be a number above 0"):
        Options(**{name: value})


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [0, -1, 1.0, True, None, "3"])
def test_a_count_is_a_whole_number_of_at_least_one(name: str, value: Any) -> None:
    with pytest.raises(InvalidOption, match=f"^{name}=.* is refused: it must be a whole number of at least 1"):
        Options(**{name: value})


def test_no_more_copies_are_acknowledged_than_are_made() -> None:
    assert Options(replicas=2, ack_replicas=2).ack_replicas == 2
    with pytest.raises(InvalidOption, match="only 2 replicas are made"):
        Options(replicas=2, ack_replicas=3)


@pytest.mark.parametrize("timeout_s", [1.0, 0.5])
def test_a_timeout_no_longer_than_the_interval_would_kill_everybody(timeout_s: float) -> None:
    with pytest.raises(InvalidOption, match=r"heartbeat_timeout_s=.*it must be longer than heartbeat_interval_s=1\.0"):
        Options(heartbeat_timeout_s=timeout_s)


def test_the_repair_mode_is_one_of_two() -> None:
    assert Options(repair="scan").repair == "scan"
    with pytest.raises(InvalidOption, match="it is 'eager' or 'scan'"):
        Options(repair="lazy")  # type: ignore[arg-type]


def test_speed_divides_every_timer_and_leaves_the_bounds_on_transfers_alone() -> None:
    """DESIGN §5: a 60 s lesson in 6 s; disks and networks do not run faster for it."""
    slow, fast = Options(repair="scan", replicas=2), Options(repair="scan", replicas=2).at_speed(10.0)

    for name in TIMERS:
        assert getattr(fast, name) == pytest.approx(getattr(slow, name) / 10)
    for name in BOUNDS + COUNTS + ["repair"]:
        assert getattr(fast, name) == getattr(slow, name)


@pytest.mark.parametrize("speed", [0, -1, float("nan"), "fast"])
def test_speed_is_a_number_above_zero(speed: Any) -> None:
    with pytest.raises(InvalidOption, match=r"^speed="):
        Options().at_speed(speed)


def test_the_master_looks_at_its_timers_ten_times_a_timeout_and_at_least_ten_times_a_second() -> None:
    assert Options().tick_s == 0.1
    assert Options(heartbeat_interval_s=0.1, heartbeat_timeout_s=0.3).tick_s == pytest.approx(0.03)


def test_settings_that_numpy_made_are_kept_as_plain_numbers() -> None:
    """The values of an experiment come from np.arange; a trace is JSON, which knows no NumPy."""
    two: Any = np.int64(2)
    half: Any = np.float32(0.5)
    options, link = Options(replicas=two, heartbeat_interval_s=half).at_speed(two), Link(rate_mb_s=two, delay_ms=half)

    assert [type(options.replicas), type(options.heartbeat_interval_s)] == [int, float]
    assert [type(one) for one in link.as_dict().values()] == [int, float, float, float]
    assert keeper_name(np.int64(3)) == "keeper-3"


@pytest.mark.parametrize("value", [True, np.bool_(True), "5", None, float("nan"), np.float64("inf"), 1j])
def test_what_is_no_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidOption, match=r"^x="):
        check_positive("x", value)
    with pytest.raises(InvalidOption, match=r"^x="):
        check_timeout("x", value)
    with pytest.raises(InvalidOption, match=r"^x="):
        check_count("x", value)


@pytest.mark.parametrize("value", [1, 0.5, 1e-9])
def test_check_positive_returns_what_it_was_given(value: float) -> None:
    assert check_positive("x", value) == value
