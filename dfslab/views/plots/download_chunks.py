"""A parallel download chunk by chunk: which keeper served what and when, and how fast the whole was."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dfslab.core.link_history import LinkHistory
from dfslab.core.links import LinkTable
from dfslab.core.setup import Setup
from dfslab.core.trace import TraceEvent
from dfslab.views.downloads import ChunkRequest, DownloadStory, choose, fold_downloads
from dfslab.views.plots.bars import BarLook, Corners, bar_handles, corners, draw_bars
from dfslab.views.plots.fault_bands import shade_faults
from dfslab.views.plots.time_axis import TIME, never_as_offset
from dfslab.views.snapshot import in_natural_order
from dfslab.views.style import (
    FAINT,
    GREEN,
    GRID,
    INK,
    LABEL_SIZE,
    PAPER,
    PURPLE,
    SKY_BLUE,
    SMALL_SIZE,
    SMALLEST_SIZE,
    VERMILLION,
    axes_or_new,
    axes_points,
    label_of,
    legend_beside,
    points_of,
    say,
    sign,
    write_labels,
)

RATE_SHARE = 0.36
"""Of the height, the part above the lanes in which the rate is drawn."""
RATE_POINTS = 48.0
"""What the names of the rate's axis take to the right of the Axes."""
BAR = 0.76
CHARACTER_POINTS = 0.62 * SMALL_SIZE


LOOKS = {
    "ok": BarLook(GREEN, "", "", "chunk", PAPER, PAPER),
    "again": BarLook(SKY_BLUE, "", "↻", "asked again after a failure (↻)", edge=PAPER),
    "duplicate": BarLook("#E8C1D6", "////", "=", "hedge that came second (=)"),
    "failed": BarLook(VERMILLION, "xxxx", "✗", "failed (✗)", PAPER),
    "cancelled": BarLook("#D5D5D5", "....", "⊘", "cancelled: it was whole already (⊘)"),
}


def draw_download_chunks(
    events: Sequence[TraceEvent], setup: Setup, now: float, ax: Axes | None, download: str | int | None
) -> Axes:
    """Draw it; see `Plots.download_chunks`."""
    stories = fold_downloads(events)
    if not stories and download is None:
        return _draw_nothing(ax)
    story = choose(stories, download)
    lanes = in_natural_order([*story.holders, *(request.keeper for request in story.requests)])
    ax = axes_or_new(ax, (9.5, min(9.0, 2.9 + 0.3 * max(len(lanes), 2))))
    write_labels(ax, title=_title(story), x=TIME, y="data keeper")
    _show(ax, story, lanes, now)
    draw_bars(ax, LOOKS, _boxes(story, lanes))
    rate = _draw_rate(ax, story, LinkHistory(events, setup), now)
    legend_beside(
        ax,
        clear_points=RATE_POINTS,
        handles=[*bar_handles(LOOKS, {_kind(request) for request in story.requests}), *rate],
    )
    _name_chunks(ax, story, lanes, story.numbers(setup.options.block_size))
    if not story.requests:
        say(ax, "no chunk has arrived yet" if story.state == "running" else "no chunk was fetched")
    shade_faults(ax, events)
    return ax


def _draw_nothing(ax: Axes | None) -> Axes:
    ax = axes_or_new(ax, (9.5, 3.5))
    write_labels(ax, title="Download, chunk by chunk", x=TIME, y="data keeper")
    ax.set_yticks([])
    say(ax, "no downloads yet")
    return ax


def _title(story: DownloadStory) -> str:
    size = f", {story.size / 1e6:.1f} MB" if story.size else ""
    state = {"done": "", "running": ", still running", "failed": ", which failed"}[story.state]
    return f"Download of {label_of(story.file_name)}{size}{state}"


def _show(ax: Axes, story: DownloadStory, lanes: Sequence[str], now: float) -> None:
    """Show the time of the download, and leave room above the lanes for its rate."""
    start = _start(story)
    end = max([_end(story, now), start + 1e-3, *(request.end_s for request in story.requests)])
    pad = 0.02 * (end - start)
    never_as_offset(ax)
    ax.set_xlim(start - pad, end + pad)
    count = max(len(lanes), 1)
    ax.set_ylim(count - 0.5, count - 0.5 - count / (1.0 - RATE_SHARE))
    ax.set_yticks(range(len(lanes)), lanes)
    points = axes_points(ax)[1] * (1.0 - RATE_SHARE) / count
    ax.tick_params(axis="y", length=0, labelsize=max(SMALLEST_SIZE, min(SMALL_SIZE, 0.75 * points)))
    ax.axhline(-0.5, color=FAINT, linewidth=0.8)


def _start(story: DownloadStory) -> float:
    if not math.isnan(story.start_s):
        return story.start_s
    return min((request.start_s for request in story.requests), default=0.0)


def _end(story: DownloadStory, now: float) -> float:
    return now if math.isnan(story.end_s) else story.end_s


def _kind(request: ChunkRequest) -> str:
    return "again" if request.again and request.outcome == "ok" else request.outcome


def _boxes(story: DownloadStory, lanes: Sequence[str]) -> dict[str, list[Corners]]:
    boxes: dict[str, list[Corners]] = {}
    for request in story.requests:
        box = corners(request.start_s, request.end_s, lanes.index(request.keeper), BAR)
        boxes.setdefault(_kind(request), []).append(box)
    return boxes


def _name_chunks(ax: Axes, story: DownloadStory, lanes: Sequence[str], numbers: Mapping[int, int]) -> None:
    """Write into each bar its sign, and the number of its chunk where most have room for theirs."""
    left, right = ax.get_xlim()
    points_per_s = points_of(ax)[0] / (right - left)
    lane = {keeper: number for number, keeper in enumerate(lanes)}
    rooms = [(request.end_s - request.start_s) * points_per_s / CHARACTER_POINTS for request in story.requests]
    longest = max((len(str(numbers[request.offset])) for request in story.requests), default=0)
    numbered = bool(rooms) and float(np.median(rooms)) > longest
    for request, room in zip(story.requests, rooms, strict=True):
        look = LOOKS[_kind(request)]
        number = str(numbers[request.offset]) if numbered else ""
        text = look.sign + number if len(look.sign + number) < room else look.sign
        if text:
            box = {"facecolor": look.face, "edgecolor": "none", "pad": 0.8} if look.hatch and room > 2 else None
            middle = (request.start_s + request.end_s) / 2
            style: dict[str, Any] = {
                "fontsize": SMALL_SIZE,
                "color": look.ink,
                "weight": "bold",
                "bbox": box,
                "zorder": 4,
            }
            sign(ax, middle, lane[request.keeper], text, **style)


def _draw_rate(ax: Axes, story: DownloadStory, links: LinkHistory, now: float) -> list[Line2D]:
    """Draw above the lanes what had arrived by each moment over the time until then, and the most that links allow."""
    start, end = _start(story), _end(story, now)
    steps = [(time_s, done / 1e6 / (time_s - start)) for time_s, done in story.done_bytes() if time_s > start]
    ceiling = _ceiling(story, links, start, end)
    top = 1.12 * max([rate for _, rate in [*steps, *ceiling] if not math.isnan(rate)], default=1.0)
    twin = ax.twinx()
    twin.set_ylim(-top * (1.0 - RATE_SHARE) / RATE_SHARE, top)
    _name_rates(twin, ax, top)
    handles = []
    if steps:
        line = np.array([(start, 0.0), *steps]).T
        handles += twin.plot(*line, color=INK, linewidth=1.8, marker="o", markersize=2.5, label="rate so far")
    if any(not math.isnan(rate) for _, rate in ceiling):
        dashed: dict[str, Any] = {"color": PURPLE, "linewidth": 1.6, "linestyle": (0, (5, 2))}
        handles += twin.step(*np.array(ceiling).T, where="post", label="ceiling of the links", **dashed)
    ax.set_zorder(twin.get_zorder() + 1)  # chunks and their labels lie over the rate's grid
    ax.patch.set_visible(False)
    twin.patch.set(facecolor=PAPER, visible=True)
    return handles


def _ceiling(story: DownloadStory, links: LinkHistory, start: float, end: float) -> list[tuple[float, float]]:
    """Return the ceiling from each moment on, up to the end; NaN where there is none."""
    times = [start, *links.changes(start, end), end]
    return [(time_s, _narrowest(links.at(time_s), story)) for time_s in times]


def _narrowest(links: LinkTable, story: DownloadStory) -> float:
    """Return what all holders' links carry together, or the client's, if that is less."""
    served = [_rate(links, holder) for holder in story.holders]
    narrowest = min(_rate(links, story.client), sum(served) if served else math.inf)
    return math.nan if math.isinf(narrowest) else narrowest


def _rate(links: LinkTable, node: str) -> float:
    rate = links.link(node).rate_mb_s
    return math.inf if rate is None else rate


def _name_rates(twin: Axes, ax: Axes, top: float) -> None:
    """Mark 0, the middle and the top of the rates, in the part that is theirs."""
    twin.set_ylabel("rate (MB/s)", fontsize=LABEL_SIZE, loc="top", color=ax.yaxis.label.get_color())
    step = _round_step(top / 2.5)
    ticks = np.arange(0.0, top, step)
    twin.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    twin.tick_params(axis="y", labelsize=SMALL_SIZE, length=2, colors=ax.yaxis.label.get_color())
    twin.spines[:].set_visible(False)
    left, right = ax.get_xlim()
    twin.hlines(ticks[1:], left, right, colors=GRID, linewidth=0.8, zorder=0.5)


def _round_step(about: float) -> float:
    """Return the nearest of 1, 2 and 5 times a power of ten that is not below `about`."""
    power = 10.0 ** math.floor(math.log10(about))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= about * 0.999)
