"""The replication timeline, live: how many live copies the files have had."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

from dfslab.core.pretty import shortened
from dfslab.views.copies import CopiesOfFile, Spread
from dfslab.views.dashboard.chart import (
    LEFT,
    RIGHT,
    WIDTH,
    Chart,
    Frame,
    bands,
    draw_bands,
    lanes_of,
    steps,
    svg,
    window,
)
from dfslab.views.dashboard.observed import Observed

MAX_LINES = 5
APART = 0.07
"""Lines of several files are drawn so many copies apart, so that none hides another."""


def timeline(observed: Observed, now: float, seconds: float | None) -> Chart:
    """Return the chart up to `now` over the last `seconds` (None: from the start).

    Up to five files get a line each; of more, the fewest, the median and the most are drawn.
    """
    goal = observed.setup.options.replicas
    start_s, end_s = window(now, seconds)
    spread = _since(observed.copies.spread, start_s)
    lines = [line for line in observed.copies.lines if _is_there(line, start_s)]
    found = bands(observed.periods, start_s, end_s, now)
    most = max([goal, *(copies for copies in spread.most if not math.isnan(copies))])
    frame = Frame(start_s, end_s, most + 0.5, -0.2, lanes_of(found))
    drawn, names = _each(frame, lines, now) if len(lines) <= MAX_LINES else _spread(frame, spread, len(lines), now)
    goal_line = f"<path class='goal' d='M{LEFT} {frame.y(goal):.1f}H{WIDTH - RIGHT}'/>"
    nothing = "" if lines else f"<text class='say' x='{WIDTH / 2:.0f}' y='95' text-anchor='middle'>no files yet</text>"
    inside = draw_bands(frame, found) + goal_line + drawn + nothing
    marks = [float(mark) for mark in range(int(most) + 1)]
    said = _said(lines, goal)
    picture = svg(frame, "live copies", "number", marks, inside, said)
    return Chart(picture, (*names, ("goal", f"goal: {goal} copies")), said)


def _is_there(line: CopiesOfFile, start_s: float) -> bool:
    """Return True for a file that was there at some time from `start_s` on."""
    return bool(line.copies) and (not math.isnan(line.copies[-1]) or line.times[-1] > start_s)


def _since(spread: Spread, start_s: float) -> Spread:
    """Return the part from `start_s` on, beginning with the values of that moment."""
    first = max(0, bisect.bisect_right(spread.times, start_s) - 1)
    return Spread(*(column[first:] for column in spread))


def _each(frame: Frame, lines: Sequence[CopiesOfFile], now: float) -> tuple[str, list[tuple[str, str]]]:
    drawn, names = "", []
    for number, line in enumerate(lines):
        shift = ((len(lines) - 1) / 2 - number) * APART
        first = max(0, bisect.bisect_right(line.times, frame.start_s) - 1)
        path = steps(frame, line.times[first:], [copies + shift for copies in line.copies[first:]], now)
        drawn += f"<path class='line l{number}' d='{path}'/>"
        deleted = " (deleted)" if math.isnan(line.copies[-1]) else ""
        names.append((f"l{number}", shortened(line.name) + deleted))
    return drawn, names


def _spread(frame: Frame, spread: Spread, count: int, now: float) -> tuple[str, list[tuple[str, str]]]:
    kinds = (("l0", f"most of {count} files"), ("l1", "median"), ("l4", "fewest"))
    columns = (spread.most, spread.median, spread.fewest)
    drawn = ""
    for shift, (kind, _), column in zip((APART, 0.0, -APART), kinds, columns, strict=True):
        path = steps(frame, spread.times, [copies + shift for copies in column], now)
        drawn += f"<path class='line {kind}' d='{path}'/>"
    return drawn, list(kinds)


def _said(lines: Sequence[CopiesOfFile], goal: int) -> str:
    there = [line.copies[-1] for line in lines if not math.isnan(line.copies[-1])]
    if not there:
        return "Live copies over time: no files"
    short = sum(1 for copies in there if copies < goal)
    return f"Live copies over time: {len(there)} files, {short} of them with fewer than {goal} copies now"
