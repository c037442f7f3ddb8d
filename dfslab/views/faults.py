"""What was done to the nodes, marked the same way in every picture that has time on its x axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes

from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.snapshot import in_natural_order
from dfslab.views.style import BLACK, GREEN, ORANGE, VERMILLION, ink_of

LINES: dict[str, tuple[str, Any]] = {
    "kill": (VERMILLION, "-"),
    "restart": (GREEN, (0, (4, 2))),
    "pause": (ORANGE, "-"),
    "resume": (GREEN, (0, (1, 1.5))),
}
"""Colour and line style of an action; others are black and dotted."""
OTHER_LINE: tuple[str, Any] = (BLACK, (0, (1, 2)))

FONT_SIZE = 8.0
LANES = 5
LANE_POINTS = 11.0
CHARACTER_POINTS = 0.54 * FONT_SIZE
CLOSE_POINTS = 4.0
FEW = 8


@dataclass
class Mark:
    """One action on one or several nodes at almost the same moment: a line and a label."""

    time_s: float
    action: str
    nodes: list[str] = field(default_factory=list)
    short: bool = False
    lane: int = 0

    @property
    def label(self) -> str:
        """The action and the nodes, or how many these are; `short` leaves "keeper-" out."""
        names = in_natural_order(self.nodes)
        if len(names) > 3:
            return f"{self.action} {len(names)} nodes"
        first = names[0].removeprefix("keeper-") if self.short else names[0]
        return f"{self.action} " + ", ".join([first, *(name.removeprefix("keeper-") for name in names[1:])])

    @property
    def points(self) -> float:
        """About how wide the label is."""
        return (len(self.label) + 1) * CHARACTER_POINTS


def mark_faults(ax: Axes, events: Iterable[TraceEvent]) -> float:
    """Draw a line for each fault within the x limits, and its label above the Axes, where there is no data.

    What else is beside the Axes should be there already: how wide they are decides which labels would
    run into each other.

    Returns
    -------
    float
        How many points the labels take above the Axes, for the title to keep clear of them.
    """
    left, right = ax.get_xlim()
    points_per_s = _width_points(ax) / (right - left)
    faults = [event for event in events if event.kind is Kind.FAULT and left <= event.time_s <= right]
    marks = _gather(faults, close_s=CLOSE_POINTS / points_per_s)
    _assign_lanes(marks, points_per_s)
    for mark in marks:
        _draw(ax, mark)
    return max((mark.lane + 1 for mark in marks), default=0) * LANE_POINTS


def _width_points(ax: Axes) -> float:
    figure = ax.figure.figure
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
    return ax.bbox.width * 72.0 / figure.dpi


def _gather(faults: Sequence[TraceEvent], close_s: float) -> list[Mark]:
    """Put the same action on several nodes within `close_s` into one mark."""
    marks: list[Mark] = []
    for fault in sorted(faults, key=lambda fault: fault.time_s):
        action = str(fault.detail.get("action", "fault"))
        mark = marks[-1] if marks else None
        if mark is None or mark.action != action or fault.time_s - mark.time_s > close_s:
            mark = Mark(fault.time_s, action)
            marks.append(mark)
        mark.nodes.append(fault.peer)
    for mark in marks:
        mark.short = len(marks) > FEW
    return marks


def _assign_lanes(marks: Sequence[Mark], points_per_s: float) -> None:
    """Put each label above the lines that rise to the labels on its right.

    Where so many lanes are not to be had, it gets any lane in which it hides no other label, and
    covers the lines that cross it; where there is none, lane -1: its line alone is drawn.
    """
    for index in range(len(marks) - 1, -1, -1):
        mark = marks[index]
        end_s = mark.time_s + mark.points / points_per_s
        taken = [later.lane for later in marks[index + 1 :] if later.time_s <= end_s]
        lane = 1 + max(taken, default=-1)
        mark.lane = lane if lane < LANES else next((lane for lane in range(LANES) if lane not in taken), -1)


def _draw(ax: Axes, mark: Mark) -> None:
    colour, dashes = LINES.get(mark.action, OTHER_LINE)
    line: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 1.2}
    ax.axvline(mark.time_s, zorder=1.5, **line)
    if mark.lane < 0:
        return
    top: dict[str, Any] = {
        "xy": (mark.time_s, 1.0),
        "xycoords": ax.get_xaxis_transform(),
        "textcoords": "offset points",
        "annotation_clip": False,
    }
    rise = LANE_POINTS * (mark.lane + 1)
    ax.annotate("", xytext=(0.0, rise), arrowprops={"arrowstyle": "-", "shrinkA": 0, "shrinkB": 0, **line}, **top)
    ax.annotate(
        mark.label,
        xytext=(3.0, rise),
        ha="left",
        va="top",
        fontsize=FONT_SIZE,
        color=ink_of(ax),
        bbox={"facecolor": ax.figure.get_facecolor(), "edgecolor": "none", "pad": 0.5},
        zorder=5,
        **top,
    )
