"""Throughput of downloads over the number of keepers that served them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dfslab.core.predict import Prediction
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.predicted import predicted_rates
from dfslab.views.style import (
    BLUE,
    ORANGE,
    PREDICTED_LINE,
    PREDICTED_RANGE,
    axes_or_new,
    grid_behind,
    label_of,
    legend_beside,
    say,
    write_labels,
)

Rates = dict[int, list[float]]


def draw_download_throughput(
    events: Sequence[TraceEvent], setup: Setup, ax: Axes | None, name: str | None, *, predict: bool
) -> Axes:
    """Draw it; see `Plots.download_throughput`."""
    rates, files = _rates(events, name)
    ax = axes_or_new(ax, (7.0, 4.2))
    which = label_of(next(iter(files))) if len(files) == 1 else f"{len(files)} files"
    about = f" ({which})" if files else ""
    write_labels(
        ax,
        title=f"Parallel download{about}",
        x="keepers that served the download",
        y="throughput (MB/s)",
    )
    grid_behind(ax)
    if rates:
        _draw_spread(ax, rates)
        _draw_points(ax, rates)
        _draw_median(ax, rates)
        predicted = predicted_rates(events, setup, name) if predict else {}
        handles = _draw_prediction(ax, predicted) if predict else []
        legend_beside(ax, handles=[*ax.get_legend_handles_labels()[0], *handles])
    else:
        ax.tick_params(axis="y", labelleft=False)
        say(ax, "no downloads yet" if name is None else f"no downloads of {label_of(name)} yet")
    _set_limits(ax, rates, max((ax.dataLim.y1 if rates else 0.0), 0.0))
    return ax


def _rates(events: Iterable[TraceEvent], name: str | None) -> tuple[Rates, dict[str, None]]:
    """Return the rates in MB/s by number of holders, and the files; a download that moved nothing has no rate."""
    rates: Rates = {}
    files: dict[str, None] = {}
    for event in events:
        if event.kind is not Kind.DOWNLOAD_DONE or (name is not None and event.file_name != name):
            continue
        holders, seconds = event.detail["holders"], event.detail["seconds"]
        if holders and event.bytes and seconds > 0:
            rates.setdefault(holders, []).append(event.bytes / 1e6 / seconds)
            files[event.file_name] = None
    return dict(sorted(rates.items())), files


def _draw_points(ax: Axes, rates: Rates) -> None:
    """Draw every download, those of one number side by side in the order in which they ended."""
    xs, ys = list[float](), list[float]()
    for holders, values in rates.items():
        width = min(0.36, 0.05 * (len(values) - 1))
        xs += list(np.linspace(holders - width / 2, holders + width / 2, len(values)))
        ys += values
    ax.scatter(xs, ys, s=22, color=BLUE, alpha=0.55, linewidths=0, zorder=3, label="one download")


def _draw_spread(ax: Axes, rates: Rates) -> None:
    several = {holders: values for holders, values in rates.items() if len(values) > 1}
    if not several:
        return
    low, lower, upper, high = np.array([np.percentile(values, [0, 25, 75, 100]) for values in several.values()]).T
    place = list(several)
    ax.vlines(place, low, high, color=ORANGE, linewidth=1.2, zorder=1.8, label="slowest to fastest")
    ax.vlines(place, lower, upper, color=ORANGE, linewidth=9, alpha=0.45, zorder=1.7, label="middle half")


def _draw_median(ax: Axes, rates: Rates) -> None:
    medians = [float(np.median(values)) for values in rates.values()]
    ax.plot(list(rates), medians, color=BLUE, linewidth=1.8, marker="D", markersize=6, zorder=4, label="median")


def _draw_prediction(ax: Axes, predicted: Mapping[int, Prediction]) -> list[Artist]:
    """Draw the predicted curve and its range, and return what the legend says when there is nothing to draw."""
    if not predicted:
        return [Line2D([], [], linestyle="", label="no prediction:\nno link sets a rate")]
    places = list(predicted)
    low, typical, high = np.array([(one.low, one.typical, one.high) for one in predicted.values()]).T
    ax.fill_between(places, low, high, **PREDICTED_RANGE, label="predicted range")
    ax.plot(places, typical, **PREDICTED_LINE, marker="s", label="predicted")
    return []


def _set_limits(ax: Axes, rates: Rates, highest: float) -> None:
    """Show 1 to the largest number, each with how many downloads it had, and rates from 0."""
    places = range(1, max(rates, default=3) + 1)
    ax.set_xlim(0.5, places[-1] + 0.5)
    counts = [f"{place}\n(n={len(rates[place])})" if place in rates else str(place) for place in places]
    ax.set_xticks(list(places), counts)
    ax.set_ylim(0, 1.08 * (highest or 1.0))
