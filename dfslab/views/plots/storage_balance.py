"""How evenly the replicas are spread: bytes a keeper."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from dfslab.core.history import Table
from dfslab.views.plots.keeper_columns import name_columns
from dfslab.views.plots.replica_looks import LOOKS, code_of
from dfslab.views.snapshot import current_files, in_natural_order
from dfslab.views.style import (
    INK,
    PAPER,
    axes_or_new,
    grid_behind,
    legend_beside,
    say,
    write_labels,
)


def draw_storage_balance(table: Table, now: float, ax: Axes | None) -> Axes:
    """Draw it; see `Plots.storage_balance`."""
    stored = _stored_mb(table)
    there = [name for name, row in table.keepers.items() if row.state != "decommissioned"]
    keepers = in_natural_order([*there, *stored])
    ax = axes_or_new(ax, (min(13.0, 4.6 + 0.55 * max(len(keepers), 3)), 4.0))
    grid_behind(ax)
    write_labels(ax, title=f"Storage balance at {now:.1f} s", x="data keeper", y="stored replicas (MB)")
    ax.set_xlim(-0.6, max(len(keepers), 1) - 0.4)
    ax.set_ylim(0, 1.08 * max((sum(of.values()) for of in stored.values()), default=1.0) or 1.0)
    ax.set_xticks([])
    if stored:
        _draw_bars(ax, keepers, stored)
        _draw_mean(ax, table, keepers, stored)
        legend_beside(ax)
    else:
        ax.tick_params(axis="y", labelleft=False)
        say(ax, "nothing is stored yet")
    name_columns(ax, table, keepers)
    return ax


def _stored_mb(table: Table) -> Mapping[str, Mapping[int, float]]:
    """Return how many MB each keeper has, by the state of the replicas; keepers without any are left out."""
    stored: dict[str, dict[int, float]] = {}
    for file in current_files(table):
        for replica in table.replicas.get(file.version, {}).values():
            of = stored.setdefault(replica.keeper, {})
            code = code_of(table, replica)
            of[code] = of.get(code, 0.0) + file.size / 1e6
    return stored


def _draw_bars(ax: Axes, keepers: list[str], stored: Mapping[str, Mapping[int, float]]) -> None:
    bottom = np.zeros(len(keepers))
    for code, look in enumerate(LOOKS):
        heights = np.array([stored.get(keeper, {}).get(code, 0.0) for keeper in keepers])
        if heights.any():
            ax.bar(
                range(len(keepers)),
                heights,
                bottom=bottom,
                width=0.72,
                facecolor=look.face,
                edgecolor=INK if look.hatch else PAPER,
                linewidth=0.8,
                hatch=look.hatch,
                label=look.words,
                zorder=2,
            )
            bottom += heights


def _draw_mean(ax: Axes, table: Table, keepers: list[str], stored: Mapping[str, Mapping[int, float]]) -> None:
    """Draw the mean of the live keepers, and say how far the fullest of them is above it."""
    loads = [sum(stored.get(keeper, {}).values()) for keeper in keepers if table.is_alive(keeper)]
    mean = float(np.mean(loads)) if loads else 0.0
    if mean:
        words = f"mean of {len(loads)} live keepers: {mean:.3g} MB\n(fullest / mean = {max(loads) / mean:.2f})"
        ax.axhline(mean, color=INK, linestyle=(0, (5, 2)), linewidth=1.4, zorder=3, label=words)
