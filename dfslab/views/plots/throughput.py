"""Bytes a second over time: uploads, downloads and copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dfslab.core.trace import TraceEvent
from dfslab.views.flow import fold_flows
from dfslab.views.plots.fault_bands import shade_faults
from dfslab.views.plots.time_axis import TIME, show_time
from dfslab.views.style import BLUE, ORANGE, PURPLE, axes_or_new, grid_behind, legend_beside, say, write_labels

BINS = 160
LINES: dict[str, dict[str, Any]] = {
    "upload": {"color": ORANGE, "linestyle": "-", "label": "uploads"},
    "download": {"color": BLUE, "linestyle": (0, (5, 1.5)), "label": "downloads"},
    "copy": {"color": PURPLE, "linestyle": (0, (1.5, 1.0)), "label": "copies"},
}


def draw_throughput(events: Sequence[TraceEvent], now: float, ax: Axes | None) -> Axes:
    """Draw it; see `Plots.throughput`."""
    flows = fold_flows(events)
    first = min((start for flow in flows.values() for start in flow.start_s), default=None)
    ax = axes_or_new(ax, (8.5, 3.6))
    grid_behind(ax)
    show_time(ax, first, now)
    edges = np.linspace(*ax.get_xlim(), BINS + 1)
    write_labels(ax, title="Throughput", x=TIME, y=f"MB/s (mean of {_words(edges[1] - edges[0])})")
    top = 0.0
    for kind, flow in flows.items():
        if flow.bytes:
            rates = flow.rates_mb_s(edges)
            ax.stairs(rates, edges, baseline=None, linewidth=1.8, zorder=3, **LINES[kind])
            top = max(top, float(rates.max()))
    ax.set_ylim(0, 1.08 * top or 1.0)
    if first is None:
        ax.tick_params(axis="y", labelleft=False)
        say(ax, "nothing was moved yet")
    else:
        legend_beside(ax)
    shade_faults(ax, events)
    return ax


def _words(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds >= 0.1 else f"{1e3 * seconds:.2g} ms"
