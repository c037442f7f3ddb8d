"""The copies that were made between keepers, as bars over time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from dfslab.core.errors import NoSuchFile
from dfslab.core.history import Table
from dfslab.core.nodes import short_name
from dfslab.core.trace import TraceEvent
from dfslab.views.plots.bars import BarLook, Corners, bar_handles, corners, draw_bars
from dfslab.views.plots.fault_bands import shade_faults
from dfslab.views.plots.time_axis import TIME, show_time
from dfslab.views.snapshot import in_natural_order
from dfslab.views.style import (
    BLUE,
    INK,
    PAPER,
    SKY_BLUE,
    SMALLEST_SIZE,
    VERMILLION,
    axes_or_new,
    axes_points,
    label_of,
    legend_beside,
    name_lanes,
    say,
    sign,
    write_labels,
)
from dfslab.views.transfers import Transfer, fold_transfers, names_of_files

MOST_LANES = 24
"""Up to so many copies have a lane each; of more, a keeper has a lane."""
BAR = 0.74


LOOKS = {
    "done": BarLook(BLUE, "", "", "arrived"),
    "running": BarLook(SKY_BLUE, "...", "…", "on its way (…)"),
    "failed": BarLook(VERMILLION, "xxxx", "✗", "came to nothing (✗)"),
}


@dataclass(frozen=True)
class _Bar:
    copy: Transfer
    start_s: float
    end_s: float
    lane: float
    height: float = BAR


def draw_copies(base: Table, events: Sequence[TraceEvent], now: float, ax: Axes | None, name: str | None) -> Axes:
    """Draw it; see `Plots.copies`."""
    if name is not None and name not in names_of_files(base, events):
        raise NoSuchFile(name=name)
    copies = [one for one in fold_transfers(events) if one.kind == "copy" and (name is None or one.file_name == name)]
    bars, lanes = _bars(copies, now)
    ax = axes_or_new(ax, (9.0, min(8.0, 1.9 + 0.24 * max(len(lanes), 3))))
    title = "Copies made between keepers" if name is None else f"Copies of {label_of(name)} made"
    write_labels(ax, title=title, x=TIME, y="from → to" if len(lanes) == len(copies) else "to")
    show_time(ax, min((bar.start_s for bar in bars), default=None), now)
    name_lanes(ax, lanes)
    if bars:
        draw_bars(ax, LOOKS, _boxes(bars))
        legend_beside(ax, handles=bar_handles(LOOKS, {bar.copy.state for bar in bars}))
    else:
        say(ax, "no copies yet" if name is None else f"no copies of {label_of(name)} yet")
    if len(lanes) == len(copies):
        _name_bars(ax, bars, with_file=name is None)
    shade_faults(ax, events)
    return ax


def _bars(copies: Sequence[Transfer], now: float) -> tuple[list[_Bar], list[str]]:
    """Return the bars and the names of their lanes, from the top down."""
    if len(copies) > MOST_LANES:
        return _bars_by_target(copies, now)
    lanes = [f"{copy.source} → {short_name(copy.target)}" for copy in copies]
    return [_Bar(copy, *_span(copy, now), lane) for lane, copy in enumerate(copies)], lanes


def _bars_by_target(copies: Sequence[Transfer], now: float) -> tuple[list[_Bar], list[str]]:
    """Give each target a lane, as many rows high as it ever had copies coming in at once."""
    lanes = in_natural_order(copy.target for copy in copies)
    bars = []
    for lane, target in enumerate(lanes):
        spans = [(_span(copy, now), copy) for copy in copies if copy.target == target]
        rows = _rows([span for span, _ in spans])
        height = BAR / (max(rows) + 1)
        for (span, copy), row in zip(spans, rows, strict=True):
            bars.append(_Bar(copy, *span, lane - BAR / 2 + (row + 0.5) * height, 0.9 * height))
    return bars, lanes


def _rows(spans: Sequence[tuple[float, float]]) -> list[int]:
    """Return a row for each span such that none overlaps another of its row; the lowest that is free."""
    rows, free, busy, used = [0] * len(spans), list[int](), list[tuple[float, int]](), 0
    for index in sorted(range(len(spans)), key=lambda index: spans[index][0]):
        start, end = spans[index]
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            heapq.heappush(free, used)
            used += 1
        rows[index] = heapq.heappop(free)
        heapq.heappush(busy, (end, rows[index]))
    return rows


def _span(copy: Transfer, now: float) -> tuple[float, float]:
    """Return from when to when; a copy that was ordered before the trace begins is shown from 0."""
    start = 0.0 if math.isnan(copy.start_s) else copy.start_s
    return start, now if math.isnan(copy.end_s) else copy.end_s


def _boxes(bars: Sequence[_Bar]) -> dict[str, list[Corners]]:
    boxes: dict[str, list[Corners]] = {}
    for bar in bars:
        boxes.setdefault(bar.copy.state, []).append(corners(bar.start_s, bar.end_s, bar.lane, bar.height))
    return boxes


def _name_bars(ax: Axes, bars: Sequence[_Bar], *, with_file: bool) -> None:
    """Write beside each bar, on the side with more room, its sign and its file."""
    left, right = ax.get_xlim()
    size = max(SMALLEST_SIZE, min(8.0, 0.62 * axes_points(ax)[1] / max(len(bars), 3)))
    for bar in bars:
        words = [LOOKS[bar.copy.state].sign, label_of(bar.copy.file_name) if with_file else ""]
        before = bar.start_s - left > right - bar.end_s
        x, ha = (bar.start_s, "right") if before else (bar.end_s, "left")
        box = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
        text = " ".join(word for word in words if word)
        if text:
            sign(ax, x, bar.lane, f" {text} ", ha=ha, fontsize=size, color=INK, bbox=box, zorder=2.5)
