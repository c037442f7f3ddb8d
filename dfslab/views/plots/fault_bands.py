"""What was done to the nodes, as shaded bands with a label on top, the same in every picture over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba

from dfslab.core.trace import TraceEvent
from dfslab.views.faults import Fault, faults_of
from dfslab.views.style import BLACK, BLUE, ORANGE, PURPLE, SKY_BLUE, VERMILLION, ink_of, points_of, raise_title


@dataclass(frozen=True)
class BandLook:
    """How a kind of fault is told beside its words: by a colour, a hatch and the dashes of its edges."""

    colour: str
    hatch: str
    dashes: Any


LOOKS = {
    "dead": BandLook(VERMILLION, "///", "-"),
    "paused": BandLook(ORANGE, "\\\\\\", (0, (6, 2))),
    "partitioned": BandLook(PURPLE, "xx", (0, (6, 2, 1.5, 2))),
    "link changed": BandLook(SKY_BLUE, "--", (0, (3, 1.5))),
    "disk full": BandLook(BLACK, "..", (0, (1.5, 1.5))),
    "heartbeats dropped": BandLook(BLUE, "||", (0, (3, 1.5, 1, 1.5))),
}
MOMENT_LOOK = BandLook(BLACK, "", (0, (1, 2)))
"""Of what has no duration: a corruption, a new keeper."""

FACE_ALPHA = 0.10
HATCH_ALPHA = 0.24
FONT_SIZE = 8.0
LANES = 5
LANES_SHARE = 0.35
"""Of the height of small Axes, what labels above them may take."""
LANE_POINTS = 11.0
CHARACTER_POINTS = 0.54 * FONT_SIZE
CLOSE_POINTS = 4.0
FEW = 8
MANY = 30
"""Of more faults, edges are fainter, so that data can be seen between them."""


@dataclass
class _Mark:
    """A fault, and where its label goes: from `left_s` to `right_s` in a lane above the Axes, -1 for none."""

    fault: Fault
    at_s: float
    label: str
    left_s: float
    right_s: float
    lane: int = 0


def shade_faults(ax: Axes, events: Iterable[TraceEvent]) -> None:
    """Shade each fault within the x limits, put its label above the Axes, and raise the title out of their way.

    What else is beside the Axes should be there already: how wide they are decides which labels would
    run into each other.
    """
    left, right = ax.get_xlim()
    width, height = points_of(ax)
    faults = faults_of(events, close_s=CLOSE_POINTS * (right - left) / width)
    shown = [fault for fault in faults if fault.start_s <= right and _end(fault) >= left]
    _shade(ax, shown)
    marks = [_mark(fault, left, right, width, short=len(shown) > FEW) for fault in shown]
    _assign_lanes(marks, max(1, min(LANES, int(LANES_SHARE * height / LANE_POINTS))))
    _draw_edges(ax, marks)
    for mark in marks:
        _draw_label(ax, mark)
    raise_title(ax, max((mark.lane + 1 for mark in marks), default=0) * LANE_POINTS)


def look_of(what: str) -> BandLook:
    """Return how a kind of fault is shown."""
    return LOOKS.get(what, MOMENT_LOOK)


def _end(fault: Fault) -> float:
    return max((end for _, end in fault.spans), default=fault.start_s)


def _shade(ax: Axes, faults: Sequence[Fault]) -> None:
    """Draw the bands, all of one kind at once."""
    left, right = ax.get_xlim()
    for what, look in LOOKS.items():
        spans = [
            (max(start, left), min(end, right)) for fault in faults if fault.what == what for start, end in fault.spans
        ]
        if spans:
            band = PolyCollection(
                [[(start, 0), (start, 1), (end, 1), (end, 0)] for start, end in spans],
                transform=ax.get_xaxis_transform(),
                facecolors=[to_rgba(look.colour, FACE_ALPHA)],
                edgecolors=[to_rgba(look.colour, HATCH_ALPHA)],
                linewidths=0,
                hatch=look.hatch,
                zorder=0.8,
                label=f"_{what}",
            )
            ax.add_collection(band, autolim=False)


def _mark(fault: Fault, left: float, right: float, width: float, *, short: bool) -> _Mark:
    """Place the label to the right of where it begins, or as far to the left as it takes to stay over the Axes."""
    label = fault.label(short=short)
    length = (len(label) + 1) * CHARACTER_POINTS * (right - left) / width
    at = max(fault.start_s, left)
    start = max(left, min(at, right - length))
    return _Mark(fault, at, label, start, start + length)


def _assign_lanes(marks: Sequence[_Mark], lanes: int) -> None:
    """Put each label above those on its right that it would run into.

    Where so many lanes are not to be had, it gets any lane in which it hides no other label, and
    covers the lines that cross it; where there is none, lane -1: its band alone is drawn.
    """
    for index in range(len(marks) - 1, -1, -1):
        mark = marks[index]
        taken = [later.lane for later in marks[index + 1 :] if later.left_s <= mark.right_s]
        lane = 1 + max(taken, default=-1)
        mark.lane = lane if lane < lanes else next((lane for lane in range(lanes) if lane not in taken), -1)


def _draw_edges(ax: Axes, marks: Sequence[_Mark]) -> None:
    """Draw a strong line where a fault begins and a faint one where it ends, all of one kind at once."""
    strong = 1.0 if len(marks) <= MANY else 0.45
    for what in dict.fromkeys(mark.fault.what for mark in marks):
        look, these = look_of(what), [mark.fault for mark in marks if mark.fault.what == what]
        begins = [start for fault in these for start in [fault.start_s, *(start for start, _ in fault.spans)]]
        ends = [end for fault in these for _, end in fault.spans if math.isfinite(end)]
        for times, width, alpha in ((begins, 1.2 * strong, strong), (ends, 0.9 * strong, 0.6 * strong)):
            lines = LineCollection(
                [[(time_s, 0), (time_s, 1)] for time_s in dict.fromkeys(times)],
                transform=ax.get_xaxis_transform(),
                colors=[to_rgba(look.colour, alpha)],
                linestyles=[look.dashes],
                linewidths=width,
                zorder=1.5,
                label=f"_{what} {'begins' if times is begins else 'ends'}",
            )
            ax.add_collection(lines, autolim=False)


def _draw_label(ax: Axes, mark: _Mark) -> None:
    if mark.lane < 0:
        return
    look = look_of(mark.fault.what)
    top: dict[str, Any] = {
        "xycoords": ax.get_xaxis_transform(),
        "textcoords": "offset points",
        "annotation_clip": False,
    }
    rise = LANE_POINTS * (mark.lane + 1)
    line = {"arrowstyle": "-", "shrinkA": 0, "shrinkB": 0, "color": look.colour, "linestyle": look.dashes}
    ax.annotate("", xy=(mark.at_s, 1.0), xytext=(0.0, rise), arrowprops={**line, "linewidth": 1.2}, **top)
    ax.annotate(
        mark.label,
        xy=(mark.left_s, 1.0),
        xytext=(3.0, rise),
        ha="left",
        va="top",
        fontsize=FONT_SIZE,
        color=ink_of(ax),
        bbox={"facecolor": ax.figure.get_facecolor(), "edgecolor": "none", "pad": 0.5},
        zorder=5,
        **top,
    )
