"""Live copies of each file over time, and what was done to the nodes meanwhile."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from dfslab.core.errors import NoSuchFile
from dfslab.core.history import Table
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.copies import CopiesOfFile, live_copies_over_time, spread_of
from dfslab.views.plots.fault_bands import shade_faults
from dfslab.views.plots.time_axis import TIME, show_time
from dfslab.views.predicted import predicted_deaths, predicted_recoveries
from dfslab.views.style import (
    BLUE,
    FAINT,
    INK,
    LINE_COLOURS,
    LINE_STYLES,
    PREDICTED_RANGE,
    SKY_BLUE,
    VERMILLION,
    axes_or_new,
    grid_behind,
    label_of,
    legend_beside,
    say,
    whole_numbers,
    write_labels,
)

MAX_LINES = 8
APART = 0.055
"""Lines of several files are drawn so many copies apart, so that none hides another."""


def draw_replication_timeline(
    base: Table,
    events: Sequence[TraceEvent],
    setup: Setup,
    now: float,
    ax: Axes | None,
    name: str | None,
    *,
    predict: bool,
) -> Axes:
    """Draw it; see `Plots.replication_timeline`."""
    replicas = setup.options.replicas
    lines = live_copies_over_time(base, events)
    if name is not None:
        lines = [line for line in lines if line.name == name]
        if not lines:
            raise NoSuchFile(name=name)
    ax = axes_or_new(ax, (8.0, 4.0))
    grid_behind(ax)
    ax.axhline(
        replicas, color=FAINT, linestyle=(0, (6, 3)), linewidth=1.2, zorder=1.6, label=f"goal: {replicas} copies"
    )
    if len(lines) > MAX_LINES:
        _draw_spread(ax, lines, now)
    else:
        _draw_lines(ax, lines, now)
    _set_limits(ax, lines, replicas, now)
    if not lines:
        say(ax, "no files yet")
    title = "Live copies of each file" if name is None else f"Live copies of {label_of(name)}"
    write_labels(ax, title=title, x=TIME, y="live copies")
    if predict:
        _draw_predicted(ax, base, events, setup, name)
    legend_beside(ax)
    shade_faults(ax, events)
    return ax


def _draw_lines(ax: Axes, lines: Sequence[CopiesOfFile], now: float) -> None:
    for number, line in enumerate(lines):
        shift = ((len(lines) - 1) / 2 - number) * APART
        ax.step(
            [*line.times, now],
            [copies + shift for copies in [*line.copies, line.copies[-1]]],
            where="post",
            color=LINE_COLOURS[number % len(LINE_COLOURS)],
            linestyle=LINE_STYLES[number % len(LINE_STYLES)],
            linewidth=2.0,
            label=label_of(line.name) + (" (deleted)" if math.isnan(line.copies[-1]) else ""),
            zorder=3,
        )


def _draw_spread(ax: Axes, lines: Sequence[CopiesOfFile], now: float) -> None:
    spread = spread_of(lines)
    times = [*spread.times, now]
    fewest, median, most = (np.array([*column, column[-1]]) for column in spread[1:])
    count = sum(1 for line in lines if not math.isnan(line.copies[-1]))
    ax.fill_between(
        times, fewest, most, step="post", color=SKY_BLUE, alpha=0.35, linewidth=0, zorder=2, label="fewest to most"
    )
    ax.step(times, median, where="post", color=BLUE, linewidth=2.0, zorder=3, label=f"median of {count} files")
    ax.step(
        times, fewest, where="post", color=VERMILLION, linewidth=1.6, linestyle=(0, (3, 1)), zorder=4, label="fewest"
    )


def _draw_predicted(ax: Axes, base: Table, events: Sequence[TraceEvent], setup: Setup, name: str | None) -> None:
    """Draw below the data when deaths were to be noticed and when files were to be whole again, as bars on a rail."""
    keepers = dict.fromkeys([*base.keepers, *(event.peer for event in events if event.kind is Kind.KEEPER_REGISTERED)])
    versions = None if name is None else [event.version for event in events if event.file_name == name]
    whole = predicted_recoveries(base, events, setup, versions)
    ax.set_yticks(range(int(ax.get_ylim()[1]) + 1))
    ax.set_ylim(bottom=-1.15)
    ax.axhline(-0.35, color=FAINT, linewidth=0.8, zorder=1.6)
    for rail, words, windows, hatch in (
        (-0.55, "predicted: declared dead", predicted_deaths(events, list(keepers), setup.options), ""),
        (-0.92, "predicted: whole again", whole, "...."),
    ):
        if windows:
            bars = [(window.low_s, window.high_s - window.low_s) for window in windows]
            ax.broken_barh(bars, (rail - 0.13, 0.26), hatch=hatch, label=words, **PREDICTED_RANGE)
            typical = [window.typical_s for window in windows]
            ax.vlines(typical, rail - 0.13, rail + 0.13, color=INK, linewidth=1.4, zorder=3)


def _set_limits(ax: Axes, lines: Sequence[CopiesOfFile], replicas: int, now: float) -> None:
    newest = max([now, *(line.times[-1] for line in lines)])
    show_time(ax, min((line.times[0] for line in lines), default=None), newest)
    most = max([replicas, *(copies for line in lines for copies in line.copies if not math.isnan(copies))])
    ax.set_ylim(-0.35, most + 0.6)
    whole_numbers(ax)
