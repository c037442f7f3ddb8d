"""The time axis that pictures of what happened have in common, so that they line up below each other."""

from __future__ import annotations

from matplotlib.axes import Axes

TIME = "time since the start (s)"


def show_time(ax: Axes, first: float | None, now: float) -> None:
    """Show the time up to `now` since the first thing to see, from 0 when that was early on."""
    if first is None:
        ax.set_xlim(0.0, max(now, 1.0))
        return
    right = max(now, first + 1e-3)
    pad = 0.03 * (right - first)
    ax.set_xlim(0.0 if first < 0.25 * right else first - pad, right)
