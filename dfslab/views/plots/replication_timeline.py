"""Live copies of each file over time, and what was done to the nodes meanwhile."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from dfslab.core.errors import NoSuchFile
from dfslab.core.history import Table
from dfslab.core.trace import TraceEvent
from dfslab.views.copies import CopiesOfFile, live_copies_over_time, spread_of
from dfslab.views.plots.fault_bands import shade_faults
from dfslab.views.plots.time_axis import TIME, show_time
from dfslab.views.style import (
    BLUE,
    FAINT,
    LINE_COLOURS,
    LINE_STYLES,
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
    base: Table, events: Sequence[TraceEvent], replicas: int, now: float, ax: Axes | None, name: str | None
) -> Axes:
    """Draw it; see `Plots.replication_timeline`."""
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


def _set_limits(ax: Axes, lines: Sequence[CopiesOfFile], replicas: int, now: float) -> None:
    newest = max([now, *(line.times[-1] for line in lines)])
    show_time(ax, min((line.times[0] for line in lines), default=None), newest)
    most = max([replicas, *(copies for line in lines for copies in line.copies if not math.isnan(copies))])
    ax.set_ylim(-0.35, most + 0.6)
    whole_numbers(ax)
