"""The time axis that pictures of what happened have in common, so that they line up below each other."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter

TIME = "time since the start (s)"


def never_as_offset(ax: Axes) -> None:
    """Write times in full, not as what is to be added to a time in a corner."""
    if isinstance(ax.xaxis.get_major_formatter(), ScalarFormatter):
        ax.ticklabel_format(axis="x", useOffset=False)


def show_time(ax: Axes, first: float | None, now: float) -> None:
    """Show the time up to `now` since the first thing to see, from 0 when that was early on."""
    never_as_offset(ax)
    if first is None:
        ax.set_xlim(0.0, max(now, 1.0))
        return
    right = max(now, first + 1e-3)
    pad = 0.03 * (right - first)
    ax.set_xlim(0.0 if first < 0.25 * right else first - pad, right)
