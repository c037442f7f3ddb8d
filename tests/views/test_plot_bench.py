"""The pictures of benchmarks."""

from __future__ import annotations

import math
from typing import Any

import pytest
from matplotlib import pyplot
from matplotlib.collections import PolyCollection

from dfslab.core.errors import InvalidOption
from dfslab.lab.bench.runs import COLUMNS, Runs, runs_of

from .looks import draw, legend_texts

VALUES: dict[str, Any] = {
    "run": 1,
    "repeat": 1,
    "holders": 1,
    "size_mb": 64.0,
    "keeper_link": "20 MB/s",
    "keeper_rate_mb_s": 20.0,
    "client_link": "no limit",
    "client_rate_mb_s": math.nan,
    "slow_link": "2 MB/s",
    "slow_rate_mb_s": 2.0,
    "scheduler": "work-stealing",
    "repair": "eager",
    "ack_replicas": 1,
    "keepers": 6,
    "files": 6,
    "copies_lost": 3,
    "speed": 10.0,
    "detection_s": 0.3,
    "seed": 0,
    "seconds": 1.0,
    "rate_mb_s": 20.0,
    "predicted_low_mb_s": 18.0,
    "predicted_mb_s": 20.0,
    "predicted_high_mb_s": 21.0,
    "predicted_low_s": 0.9,
    "predicted_s": 1.0,
    "predicted_high_s": 1.4,
}
UNKNOWN = {"predicted_low_mb_s": math.nan, "predicted_mb_s": math.nan, "predicted_high_mb_s": math.nan}


def runs(benchmark: str, *changes: dict[str, Any]) -> Runs:
    """Return runs that differ from the usual values in these."""
    rows = [
        {name: {**VALUES, "benchmark": benchmark, "run": number, **change}[name] for name in COLUMNS[benchmark]}
        for number, change in enumerate(changes, start=1)
    ]
    return runs_of(benchmark, rows)


def downloads(**more: Any) -> list[dict[str, Any]]:
    """Return three runs each from 1, 2 and 3 holders at 20 MB/s a holder."""
    return [
        {"holders": count, "rate_mb_s": 20.0 * count + offset, "predicted_mb_s": 20.0 * count, **more}
        for count in (1, 2, 3)
        for offset in (-1.0, 0.0, 1.0)
    ]


def test_medians_are_joined_and_every_run_is_a_point() -> None:
    ax = runs("parallel_download", *downloads()).plot()
    draw(ax)

    median, predicted = ax.lines
    assert list(median.get_xdata()) == [1, 2, 3]  # type: ignore[arg-type]  # an array
    assert list(median.get_ydata()) == [20, 40, 60]  # type: ignore[arg-type]
    assert list(predicted.get_ydata()) == [20, 40, 60]  # type: ignore[arg-type]
    assert ax.get_xlabel() == "holders that serve the download"
    assert ax.get_ylabel() == "rate (MB/s)"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1\n(n=3)", "2\n(n=3)", "3\n(n=3)"]
    assert legend_texts(ax) == ["median", "one run", "middle half", "all runs", "predicted", "predicted range"]


def test_settings_that_vary_get_a_line_each_and_those_that_do_not_stand_above() -> None:
    slow = {"client_link": "30 MB/s", "client_rate_mb_s": 30.0}
    ax = runs("parallel_download", *downloads(), *downloads(**slow)).plot()
    draw(ax)

    assert legend_texts(ax)[:2] == ["client 30 MB/s", "client no limit"]
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "keepers 20 MB/s\n64 MB\nwork-stealing"
    assert ax.get_xticklabels()[0].get_text() == "1\n(n=3 each)"


def test_without_a_prediction_there_is_none_in_the_picture() -> None:
    ax = runs("parallel_download", *downloads(**UNKNOWN)).plot()
    draw(ax)

    assert len(ax.lines) == 1
    assert "predicted" not in legend_texts(ax)


def test_a_range_without_an_upper_end_is_a_line_alone() -> None:
    """With a loss, chance sets no bound."""
    lossy = {"predicted_low_mb_s": 0.0}
    ax = runs("schedulers", {**lossy}, {**lossy}).plot()
    draw(ax)

    assert math.isfinite(ax.get_ylim()[1])


def test_schedulers_are_drawn_in_seconds_with_their_predicted_rates_turned_around() -> None:
    ax = runs("schedulers", {"scheduler": "a"}, {"scheduler": "b"}).plot()
    draw(ax)

    predicted = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "--"]  # type: ignore[arg-type]
    assert [list(line.get_ydata()) for line in predicted] == [[64 / 20] * 2] * 2  # type: ignore[arg-type]
    ranges = [one.get_paths()[0].get_extents() for one in ax.collections if isinstance(one, PolyCollection)]
    assert [(box.y0, box.y1) for box in ranges] == [pytest.approx((64 / 21, 64 / 18))] * 2
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a\n(n=1)", "b\n(n=1)"]


@pytest.mark.parametrize(
    ("benchmark", "title", "y"),
    [("upload", "Upload", "until acknowledged (s)"), ("repair", "Repair after a kill", "until full replication (s)")],
)
def test_times_are_drawn_from_zero_to_above_the_predicted_range(benchmark: str, title: str, y: str) -> None:
    ax = runs(benchmark, {}, {"seconds": 1.2}).plot()
    draw(ax)

    assert (ax.get_title(loc="left"), ax.get_ylabel()) == (title, y)
    assert ax.get_ylim() == pytest.approx((0.0, 1.08 * 1.4))


def test_it_is_drawn_on_axes_that_a_caller_brings() -> None:
    figure, ax = pyplot.subplots(layout="constrained")

    assert runs("upload", {}).plot(ax=ax) is ax
    figure.canvas.draw()


@pytest.mark.parametrize("benchmark", COLUMNS)
def test_an_empty_table_does_not_say_which_benchmark_it_is_of(benchmark: str) -> None:
    with pytest.raises(InvalidOption, match="one benchmark"):
        runs(benchmark).plot()


def test_runs_of_two_benchmarks_or_without_a_column_are_refused() -> None:
    mixed = runs("upload", {}, {})
    mixed.loc[0, "benchmark"] = "repair"

    with pytest.raises(InvalidOption, match="one benchmark"):
        mixed.plot()
    with pytest.raises(InvalidOption, match="no column seconds"):
        runs("upload", {}).drop(columns="seconds").plot()
