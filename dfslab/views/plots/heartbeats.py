"""The heartbeat raster: a line a keeper, a tick a heartbeat that arrived, and what silence led to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dfslab.core.history import Table
from dfslab.core.options import Options
from dfslab.core.trace import TraceEvent
from dfslab.views.beats import KeeperBeats, fold_beats
from dfslab.views.plots.bars import corners
from dfslab.views.plots.fault_bands import shade_faults
from dfslab.views.plots.time_axis import TIME, show_time
from dfslab.views.predicted import predicted_deaths
from dfslab.views.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PREDICTED_RANGE,
    VERMILLION,
    axes_or_new,
    axes_points,
    legend_beside,
    name_lanes,
    say,
    write_labels,
)

TICK = 0.34
BAND = 0.44
FINEST_POINTS = 0.75
"""Ticks closer than this are one: nobody could tell them apart."""


def draw_heartbeats(
    base: Table, events: Sequence[TraceEvent], options: Options, now: float, ax: Axes | None, *, predict: bool
) -> Axes:
    """Draw it; see `Plots.heartbeats`."""
    interval_s = options.heartbeat_interval_s
    told = fold_beats(base, events, interval_s, now)
    ax = axes_or_new(ax, (9.5, min(10.0, 1.8 + 0.3 * max(len(told), 3))))
    write_labels(ax, title=f"Heartbeats, one expected every {interval_s:g} s", x=TIME, y="data keeper")
    show_time(ax, min((time_s for one in told for time_s in one.registered[:1]), default=None), now)
    name_lanes(ax, [one.keeper for one in told])
    if told:
        handles = [*_shade(ax, told), *_draw_beats(ax, told), *_draw_signs(ax, told)]
        if predict:
            handles += _draw_predicted(ax, [one.keeper for one in told], events, options)
        legend_beside(ax, handles=handles)
    else:
        say(ax, "no keepers yet")
    shade_faults(ax, events)
    return ax


def _shade(ax: Axes, told: Sequence[KeeperBeats]) -> list[Artist]:
    """Shade when a keeper was suspected, and when it was held for dead."""
    handles: list[Artist] = []
    for spans_of, look in _BANDS:
        spans = [(lane, span) for lane, one in enumerate(told) for span in spans_of(one)]
        if spans:
            boxes = [corners(*span, lane, 2 * BAND) for lane, span in spans]
            ax.add_collection(PolyCollection(boxes, zorder=2, linewidths=0.8, **look), autolim=False)
            handles.append(Patch(linewidth=0.8, **look))
    return handles


def _draw_predicted(ax: Axes, keepers: Sequence[str], events: Sequence[TraceEvent], options: Options) -> list[Artist]:
    """Shade when each keeper that fell silent is predicted to be declared dead, with a mark at the typical moment."""
    windows = predicted_deaths(events, keepers, options)
    if not windows:
        return []
    lanes = {keeper: lane for lane, keeper in enumerate(keepers)}
    boxes = [corners(window.low_s, window.high_s, lanes[window.subject], 2 * BAND) for window in windows]
    look: dict[str, Any] = {**PREDICTED_RANGE, "label": "death predicted"}
    ax.add_collection(PolyCollection(boxes, **{**look, "zorder": 2.5}), autolim=False)
    middles = [(window.typical_s, lanes[window.subject]) for window in windows]
    lines = [[(time_s, lane - BAND), (time_s, lane + BAND)] for time_s, lane in middles]
    dashes: dict[str, Any] = {"colors": INK, "linestyles": [(0, (2.5, 1.5))], "linewidths": 1.3}
    ax.add_collection(LineCollection(lines, zorder=3.5, label="_typical death", **dashes), autolim=False)
    return [Patch(**look)]


_BANDS: tuple[tuple[Callable[[KeeperBeats], list[tuple[float, float]]], dict[str, Any]], ...] = (
    (
        lambda one: one.suspected,
        {"facecolor": "#FBE3B5", "edgecolor": ORANGE, "label": "suspected: silent for 1.5 intervals"},
    ),
    (
        lambda one: one.dead,
        {"facecolor": "#F2C4A8", "edgecolor": VERMILLION, "hatch": "\\\\\\\\", "label": "held for dead"},
    ),
)


def _draw_beats(ax: Axes, told: Sequence[KeeperBeats]) -> list[Artist]:
    segments = []
    for lane, one in enumerate(told):
        times = _thinned(ax, one.beats)
        ticks = np.empty((len(times), 2, 2))
        ticks[:, :, 0] = times[:, None]
        ticks[:, :, 1] = lane - TICK, lane + TICK
        segments.append(ticks)
    ticks = np.concatenate(segments)
    if not len(ticks):
        return []
    ax.add_collection(
        LineCollection(list(ticks), colors=BLUE, linewidths=1.1, zorder=3, label="heartbeats"), autolim=False
    )
    return [Line2D([], [], color=BLUE, linestyle="", marker="|", markersize=9, label="heartbeat")]


def _thinned(ax: Axes, times: Sequence[float]) -> npt.NDArray[np.float64]:
    """Leave out what would be drawn over what is there, so that an hour of fifty keepers draws at once."""
    left, right = ax.get_xlim()
    points = axes_points(ax)[0]
    found = np.asarray(times, dtype=np.float64)
    places = np.floor((found - left) / (right - left) * points / FINEST_POINTS)
    return found[np.unique(places, return_index=True)[1]]


def _draw_signs(ax: Axes, told: Sequence[KeeperBeats]) -> list[Artist]:
    """Mark registrations, and heartbeats that did not arrive."""
    handles: list[Artist] = []
    size = max(2.0, min(6.0, 0.6 * axes_points(ax)[1] / len(told)))
    for times_of, look in _SIGNS:
        points = [(time_s, lane) for lane, one in enumerate(told) for time_s in _thinned(ax, times_of(one))]
        if points:
            x, y = zip(*points, strict=True)
            handles += ax.plot(x, y, linestyle="", markersize=size, zorder=4, clip_on=False, **look)
    return handles


_SIGNS: tuple[tuple[Callable[[KeeperBeats], list[float]], dict[str, Any]], ...] = (
    (
        lambda one: one.missed,
        {"marker": "x", "color": VERMILLION, "markeredgewidth": 1.4, "label": "heartbeat missed"},
    ),
    (
        lambda one: one.registered,
        {"marker": "^", "color": GREEN, "markeredgecolor": INK, "label": "registered"},
    ),
)
