"""Benchmarks: every run, the median and the spread, beside what was predicted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dfslab.views.style import (
    FAINT,
    LINE_COLOURS,
    SMALL_SIZE,
    axes_or_new,
    grid_behind,
    label_of,
    legend_beside,
    write_labels,
)

DASHES = (0, (4, 2))
MARKERS = ("D", "s", "^", "v", "P", "X")  # one less than there are colours: no two of the first 42 groups look alike
WIDTH = 0.56
"""Of what all groups at one place of the x axis take up."""


@dataclass(frozen=True)
class Picture:
    """Which columns of a benchmark are drawn, and how they are called."""

    title: str
    x: str
    x_label: str
    y: str
    y_label: str
    predicted: tuple[str, str, str]
    settings: Mapping[str, str]


_RATES = ("predicted_low_mb_s", "predicted_mb_s", "predicted_high_mb_s")
_TIMES = ("predicted_low_s", "predicted_s", "predicted_high_s")
_LINKS = {"keeper_link": "keepers {}", "client_link": "client {}", "size_mb": "{:g} MB"}

PICTURES: Mapping[str, Picture] = {
    "parallel_download": Picture(
        "Parallel download",
        "holders",
        "holders that serve the download",
        "rate_mb_s",
        "rate (MB/s)",
        _RATES,
        {**_LINKS, "scheduler": "{}"},
    ),
    "schedulers": Picture(
        "Chunk schedulers, one holder slow",
        "scheduler",
        "chunk scheduler",
        "seconds",
        "download (s)",
        _RATES,
        {**_LINKS, "slow_link": "slow one {}", "holders": "{} holders"},
    ),
    "upload": Picture(
        "Upload",
        "ack_replicas",
        "copies waited for",
        "seconds",
        "until acknowledged (s)",
        _TIMES,
        {**_LINKS, "repair": "{} repair"},
    ),
    "repair": Picture(
        "Repair after a kill",
        "repair",
        "repair mode",
        "seconds",
        "until full replication (s)",
        _TIMES,
        {"keeper_link": "keepers {}", "size_mb": "{:g} MB", "files": "{} files", "speed": "speed {:g}"},
    ),
}


def draw_runs(runs: pd.DataFrame, benchmark: str, ax: Axes | None) -> Axes:
    """Draw the runs of one benchmark; see `dfslab.bench.Runs.plot`."""
    picture = PICTURES[benchmark]
    ax = axes_or_new(ax, (7.6, 4.2))
    groups = _groups(runs, picture)
    constant = _constant(runs, picture)
    write_labels(ax, title=picture.title, x=picture.x_label, y=picture.y_label)
    grid_behind(ax)
    places = _places(runs[picture.x])
    for number, (_, group) in enumerate(groups):
        _draw_group(ax, group, picture, places, number, len(groups))
    _set_limits(ax, runs, picture, places, len(groups))
    legend_beside(
        ax,
        handles=_legend(runs, picture, groups),
        title=constant or None,
        title_fontsize=SMALL_SIZE,
        alignment="left",
    )
    return ax


def _varying(runs: pd.DataFrame, picture: Picture) -> list[str]:
    return [name for name in picture.settings if runs[name].nunique() > 1]


def _groups(runs: pd.DataFrame, picture: Picture) -> list[tuple[str, pd.DataFrame]]:
    """Return the runs of each combination of the settings that vary, with its name, in order of appearance by value."""
    names = _varying(runs, picture)
    if not names:
        return [("", runs)]
    grouped = runs.groupby(names, sort=False, dropna=False)
    found = [(_words(key, names, picture), pd.DataFrame(group)) for key, group in grouped]
    return sorted(found, key=lambda one: _order(one[1], names))


def _order(group: pd.DataFrame, names: Sequence[str]) -> tuple[Any, ...]:
    """Return a key that sorts links by their rate, no limit last, and the rest by value."""
    first = group.iloc[0]
    rates = {"keeper_link": "keeper_rate_mb_s", "client_link": "client_rate_mb_s", "slow_link": "slow_rate_mb_s"}
    key: list[Any] = []
    for name in names:
        rate = first[rates[name]] if name in rates else None
        key.append((np.inf if pd.isna(rate) else rate, str(first[name])) if name in rates else first[name])
    return tuple(key)


def _words(values: Sequence[Hashable], names: Sequence[str], picture: Picture) -> str:
    return ", ".join(_setting(name, value, picture) for name, value in zip(names, values, strict=True))


def _setting(name: str, value: Any, picture: Picture) -> str:
    """Return a setting in words. A scheduler may have any name."""
    return picture.settings[name].format(label_of(value) if name == "scheduler" else value)


def _constant(runs: pd.DataFrame, picture: Picture) -> str:
    """Return the settings that all runs have in common, one a line."""
    names = [name for name in picture.settings if runs[name].nunique() == 1]
    return "\n".join(_setting(name, runs[name].iloc[0], picture) for name in names)


def _places(x: pd.Series[Any]) -> dict[Any, float]:
    """Return where each value of x goes: a number where it is, a name in order of its appearance."""
    if pd.api.types.is_numeric_dtype(x):
        return {value: float(value) for value in sorted(x.unique())}
    return {value: float(place) for place, value in enumerate(sorted(x.unique()))}


def _draw_group(
    ax: Axes, group: pd.DataFrame, picture: Picture, places: Mapping[Any, float], number: int, groups: int
) -> None:
    colour, marker = LINE_COLOURS[number % len(LINE_COLOURS)], MARKERS[number % len(MARKERS)]
    width = WIDTH / groups
    shift = (number - (groups - 1) / 2) * width
    medians: list[tuple[float, float]] = []
    predicted: list[tuple[float, float, float, float]] = []
    for value, at_one_place in group.groupby(picture.x, sort=True):
        x, y = places[value] + shift, at_one_place.sort_values("run")[picture.y].to_numpy()
        _draw_spread(ax, x, y, width, colour)
        medians.append((x, float(np.median(y))))
        predicted.append((x, *_predicted(at_one_place, picture)))
    joined = _has_numbers(group, picture)
    line: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "-" if joined else ""}
    ax.plot(*zip(*medians, strict=True), markersize=6, linewidth=1.6, zorder=4, **line)
    _draw_predicted(ax, predicted, width, colour, joined=joined)


def _draw_spread(ax: Axes, x: float, y: Any, width: float, colour: str) -> None:
    """Draw the runs of one place side by side in their order, on a bar for their middle half and one for all."""
    beside = x + np.linspace(-0.3, 0.3, len(y)) * width if len(y) > 1 else [x]
    ax.scatter(beside, y, s=16, color=colour, alpha=0.6, linewidths=0, zorder=3)
    if len(y) > 1:
        ax.vlines(x, y.min(), y.max(), color=colour, linewidth=1.2, zorder=2.2)
        ax.vlines(x, *np.percentile(y, [25, 75]), color=colour, linewidth=6, alpha=0.45, zorder=2.1)


def _has_numbers(runs: pd.DataFrame, picture: Picture) -> bool:
    return pd.api.types.is_numeric_dtype(runs[picture.x])


def _predicted(runs: pd.DataFrame, picture: Picture) -> tuple[float, float, float]:
    """Return the range predicted for runs of one place, in the unit of the y axis; from many, the widest."""
    columns = runs[list(picture.predicted)]
    low, typical, high = (
        float(columns.iloc[:, 0].min()),
        float(columns.iloc[:, 1].median()),
        float(columns.iloc[:, 2].max()),
    )
    if picture.predicted is _RATES and picture.y == "seconds":
        size = float(runs["size_mb"].iloc[0])
        return size / high, size / typical, size / low if low else np.inf
    return low, typical, high


def _draw_predicted(
    ax: Axes, predicted: Sequence[tuple[float, float, float, float]], width: float, colour: str, *, joined: bool
) -> None:
    """Draw the prediction as a curve in its range, or as a box at each place."""
    known = [one for one in predicted if not np.isnan(one[2])]
    if joined and len(known) > 1:
        curves = [np.array(known)]
    else:
        half = np.array([0.46 * width, 0, 0, 0])
        curves = [np.array([one - half, one + half]) for one in map(np.array, known)]
    for curve in curves:
        x, low, typical, high = curve.T
        ax.plot(x, typical, color=colour, linewidth=1.4, linestyle=DASHES, zorder=2.3)
        if np.isfinite(high).all():
            ax.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0, zorder=1.5)


def _set_limits(ax: Axes, runs: pd.DataFrame, picture: Picture, places: Mapping[Any, float], groups: int) -> None:
    """Show every place, with how many runs it had, and y from 0."""
    counts = runs[picture.x].value_counts()
    shown = [f"{_name(value)}\n({_count(counts[value], groups)})" for value in places]
    ax.set_xticks(list(places.values()), shown)
    ax.set_xlim(min(places.values()) - 0.5, max(places.values()) + 0.5)
    highest = [float(runs[picture.y].max())]
    highest += [one for value in places for one in _predicted(runs[runs[picture.x] == value], picture)]
    ax.set_ylim(0, 1.08 * max(one for one in highest if np.isfinite(one)))


def _name(value: Any) -> str:
    return label_of(value) if isinstance(value, str) else str(value)


def _count(runs: int, groups: int) -> str:
    return f"n={runs // groups} each" if groups > 1 and runs % groups == 0 else f"n={runs}"


def _legend(runs: pd.DataFrame, picture: Picture, groups: Sequence[tuple[str, pd.DataFrame]]) -> list[Any]:
    style: Any = "-" if _has_numbers(runs, picture) else ""
    several = len(groups) > 1
    colour = FAINT if several else LINE_COLOURS[0]
    handles: list[Any] = []
    for number, (name, _) in enumerate(groups if several else []):
        ink, marker = LINE_COLOURS[number % len(LINE_COLOURS)], MARKERS[number % len(MARKERS)]
        handles.append(Line2D([], [], color=ink, marker=marker, linestyle=style, label=name))
    if not several:
        handles.append(Line2D([], [], color=colour, marker=MARKERS[0], linestyle=style, label="median"))
    handles += [
        Line2D([], [], color=colour, marker="o", markersize=4, alpha=0.6, linestyle="", label="one run"),
        Line2D([], [], color=colour, linewidth=6, alpha=0.45, label="middle half"),
        Line2D([], [], color=colour, linewidth=1.2, label="all runs"),
    ]
    if runs[picture.predicted[1]].notna().any():
        handles += [
            Line2D([], [], color=colour, linewidth=1.4, linestyle=DASHES, label="predicted"),
            Patch(facecolor=colour, alpha=0.16, label="predicted range"),
        ]
    return handles
