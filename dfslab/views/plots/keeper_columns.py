"""Keepers side by side, named with what is not as it should be."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from dfslab.core.history import Table
from dfslab.views.style import SMALL_SIZE, SMALLEST_SIZE, VERMILLION, points_of

MANY = 8
CHARACTER = 0.66
"""Width of a bold character over its size."""


def name_columns(ax: Axes, table: Table, keepers: Sequence[str]) -> None:
    """Name columns 0, 1, ...; a keeper that is not simply alive has its state beside its name.

    Many keepers, or few in narrow Axes, are named upright, and every so many where there is no room
    for all. What else is beside the Axes should be there already.
    """
    left, right = ax.get_xlim()
    room = points_of(ax)[0] / (right - left)
    upright = len(keepers) > MANY or any(len(keeper) * CHARACTER * SMALL_SIZE > room for keeper in keepers)
    step = 1 + int(1.2 * SMALLEST_SIZE / room) if upright else 1
    shown = range(0, len(keepers), step)
    ax.set_xticks(list(shown), [_label(table, keepers[number], " " if upright else "\n") for number in shown])
    size = max(SMALLEST_SIZE, min(SMALL_SIZE, 0.8 * step * room)) if upright else SMALL_SIZE
    ax.tick_params(axis="x", length=0, labelsize=size, labelrotation=90 if upright else 0)
    for number, label in zip(shown, ax.get_xticklabels(), strict=True):
        if not table.is_alive(keepers[number]):
            label.set(color=VERMILLION, fontweight="bold")


def _label(table: Table, keeper: str, space: str) -> str:
    row = table.keepers.get(keeper)
    state = row.state if row else "unknown"
    return keeper if state == "alive" else f"{keeper}{space}({state})"
