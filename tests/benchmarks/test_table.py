"""The table's arithmetic: medians, paired ratios, targets, and the order in which sides are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from benchmarks.table import Measure, Result, Row, chosen, run


def giving(*figures: float) -> Measure:
    """A measure that gives these figures one after the other."""
    left: Iterator[float] = iter(figures)
    return lambda: next(left)


def one(*, rounds: int, **keys: object) -> Result:
    (result,) = run([Row(name="upload", unit="MB/s", **keys)], rounds)  # type: ignore[arg-type]
    return result


def test_a_figure_is_the_median_of_its_rounds_and_its_spread_their_extremes() -> None:
    result = one(rounds=5, dfslab=giving(10, 50, 20, 40, 30))

    assert result.median("dfslab") == 30
    assert result.spread == (10, 50)


def test_a_ratio_is_the_median_of_the_rounds_ratios_so_that_a_slow_minute_does_not_count() -> None:
    """In the second and third round the machine is ten times slower, for both."""
    result = one(rounds=3, dfslab=giving(80, 8, 9), limit=giving(100, 10, 10))

    assert result.ratio("limit") == pytest.approx(0.8)
    assert result.median("dfslab") / result.median("limit") == pytest.approx(0.9)  # type: ignore[operator]


def test_the_ratio_of_a_time_says_how_much_better_it_is() -> None:
    assert one(rounds=1, better="lower", dfslab=giving(2), limit=giving(1)).ratio("limit") == 0.5


@pytest.mark.parametrize(
    ("keys", "met"),
    [
        ({"target": 300}, True),
        ({"target": 301}, False),
        ({"better": "lower", "target": 300}, False),
        ({"better": "lower", "target": 301}, True),
        ({"limit": lambda: 400, "target_of_limit": 0.75}, True),
        ({"limit": lambda: 400, "target_of_limit": 0.76}, False),
        ({"limit": lambda: 400, "target_of_limit": 0.75, "peer": lambda: 100, "target_of_peer": 3.5}, False),
        ({"limit": lambda: 400}, None),
    ],
)
def test_a_row_is_met_when_all_that_is_asked_of_it_is(keys: dict[str, object], met: bool | None) -> None:
    assert one(rounds=1, dfslab=lambda: 300, **keys).met is met


def test_what_is_asked_beside_a_missing_peer_can_not_be_judged_but_a_miss_stays_a_miss() -> None:
    asked = {"target_of_peer": 3.5, "limit": lambda: 400}

    assert one(rounds=2, dfslab=lambda: 300, target_of_limit=0.7, **asked).met is None
    assert one(rounds=2, dfslab=lambda: 300, target_of_limit=0.8, **asked).met is False
    assert one(rounds=2, dfslab=lambda: 300, **asked).ratio("peer") is None


class Journal:
    """Measures that note in which order they were called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def of(self, word: str) -> Callable[[], float]:
        def measure() -> float:
            self.calls.append(word)
            return 1.0

        return measure


def test_sides_are_measured_in_turn_and_rows_that_belong_together_in_the_same_round() -> None:
    journal = Journal()
    rows = [
        Row(name="total", unit="MB/s", dfslab=journal.of("d total"), limit=journal.of("l total"), together="clients"),
        Row(name="fairness", unit="", dfslab=journal.of("d fairness"), together="clients"),
        Row(name="stat", unit="1/s", dfslab=journal.of("d stat"), peer=journal.of("p stat")),
    ]

    told: list[str] = []
    results = run(rows, 2, lambda result: told.append(result.row.name))

    assert journal.calls == 2 * ["d total", "d fairness", "l total"] + 2 * ["d stat", "p stat"]
    assert told == [result.row.name for result in results] == ["total", "fairness", "stat"]


def test_rows_are_chosen_by_a_word_of_their_name_or_of_one_they_are_measured_with() -> None:
    rows = [
        Row(name="upload", unit="MB/s", dfslab=lambda: 1, quick=True),
        Row(name="16 clients", unit="MB/s", dfslab=lambda: 1, together="clients"),
        Row(name="slowest of them", unit="", dfslab=lambda: 1, together="clients"),
    ]

    assert [row.name for row in chosen(rows)] == ["upload", "16 clients", "slowest of them"]
    assert [row.name for row in chosen(rows, containing=["slowest"])] == ["16 clients", "slowest of them"]
    assert [row.name for row in chosen(rows, quick=True)] == ["upload"]
    assert chosen(rows, containing=["nothing of this name"]) == []


def test_rounds_are_paired() -> None:
    """A ratio of figures from different rounds would be caught here: every round's own ratio is a half."""
    figures = [1.0, 10.0, 100.0, 1000.0]
    result = one(rounds=4, dfslab=giving(*figures), limit=giving(*(2 * figure for figure in figures)))

    assert result.ratio("limit") == 0.5
    assert all(before < after for before, after in pairwise(result.figures["limit"]))
