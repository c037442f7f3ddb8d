"""What the two live charts share: axes, ticks, fault bands, steps. SVG by hand, small enough to send twice a second."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from dfslab.core.fault_periods import FaultPeriod

WIDTH, HEIGHT = 560, 190
LEFT, RIGHT, BOTTOM = 46, 10, 34
LANE, LANES = 13, 3
CHARACTER = 5.6
"""About how wide a character of a band's label is."""


@dataclass(frozen=True)
class Frame:
    """Where in the picture the data is.

    Attributes
    ----------
    start_s, end_s : float
        The time at the left and at the right edge.
    most : float
        The value at the upper edge; the lower one is `least`.
    lanes : int
        Rows above the data that labels of fault bands take.
    """

    start_s: float
    end_s: float
    most: float
    least: float = 0.0
    lanes: int = 0

    @property
    def top(self) -> float:
        """The upper edge of the data."""
        return 8.0 + LANE * self.lanes

    @property
    def floor(self) -> float:
        """The lower edge of the data."""
        return float(HEIGHT - BOTTOM)

    def x(self, time_s: float) -> float:
        """Return the place of a moment; what is outside lies on the edge."""
        share = (time_s - self.start_s) / (self.end_s - self.start_s)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the place of a value."""
        share = (value - self.least) / (self.most - self.least)
        return self.floor - min(max(share, 0.0), 1.0) * (self.floor - self.top)


def window(now: float, seconds: float | None) -> tuple[float, float]:
    """Return from when to when a chart shows: the last `seconds`, or everything; never less than 5 s."""
    start_s = 0.0 if seconds is None else max(0.0, now - seconds)
    return start_s, max(now, start_s + 5.0)


def ticks(start: float, end: float, count: int) -> list[float]:
    """Return about `count` round numbers from `start` to `end`: 1, 2 or 5 times a power of ten apart.

    >>> ticks(0.0, 60.0, 6)
    [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    """
    raw = (end - start) / max(count, 1)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(times * unit for times in (1, 2, 5, 10) if times * unit >= raw * 0.999)
    first = math.ceil(start / step - 1e-9)
    return [round(number * step, 9) for number in range(first, math.floor(end / step + 1e-9) + 1)]


def svg(frame: Frame, label: str, unit: str, marks: Sequence[float], inside: str, said: str) -> str:
    """Return a whole chart.

    Parameters
    ----------
    frame : Frame
    label, unit : str
        What is drawn over time; `said` is the same in a sentence, for who can't see it.
    marks : sequence of float
        The ticks of the y axis.
    inside : str
        What is drawn, as SVG.
    """
    across = "".join(
        f"<path class='grid' d='M{LEFT} {frame.y(mark):.1f}H{WIDTH - RIGHT}'/>"
        f"<text x='{LEFT - 6}' y='{frame.y(mark) + 3.5:.1f}' text-anchor='end'>{mark:g}</text>"
        for mark in marks
    )
    along = "".join(
        f"<text x='{frame.x(time_s):.1f}' y='{frame.floor + 14:.0f}' text-anchor='middle'>{time_s:g}</text>"
        for time_s in ticks(frame.start_s, frame.end_s, 6)
    )
    middle = (frame.top + frame.floor) / 2
    return (
        f"<svg class='dfs-chart' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(said)}'>"
        f"{across}{along}{inside}<path class='axis' d='M{LEFT} {frame.floor:.0f}H{WIDTH - RIGHT}'/>"
        f"<text x='{(LEFT + WIDTH - RIGHT) / 2:.0f}' y='{HEIGHT - 5}' text-anchor='middle'>"
        "time since the start (s)</text>"
        f"<text transform='translate(11 {middle:.0f}) rotate(-90)' text-anchor='middle'>"
        f"{escape(label)} ({escape(unit)})</text></svg>"
    )


def steps(frame: Frame, times: Sequence[float], values: Sequence[float], until_s: float) -> str:
    """Return the path of a line that keeps each value until the next; NaN leaves a gap.

    What falls into the same pixel is drawn as one stroke over its range: however much has happened, a
    path is no longer than the picture is wide.
    """
    path, column, drawing = list[str](), _Column(), False
    for time_s, value in zip(times, values, strict=True):
        x = round(frame.x(time_s))
        if x != column.x or math.isnan(value):
            path.append(column.path(drawing))
            drawing, column = not math.isnan(column.last), _Column(x)
        column.add(math.nan if math.isnan(value) else round(frame.y(value), 1))
    path.append(column.path(drawing))
    end = f"H{frame.x(until_s):.0f}" if not math.isnan(column.last) else ""
    return "".join(path) + end


class _Column:
    """The values of a line within one pixel."""

    def __init__(self, x: int = -1) -> None:
        self.x = x
        self.last = math.nan
        self._places: list[float] = []

    def add(self, y: float) -> None:
        self.last = y
        self._places.append(y)

    def path(self, drawing: bool) -> str:
        """Return the strokes: from the column before, over the whole range, to the last value."""
        places = [y for y in self._places if not math.isnan(y)]
        if not self._places:
            return ""
        begin = f"H{self.x}" if drawing else ""
        if not places:
            return begin
        stops = [min(places), max(places), places[-1]] if len(places) > 1 else places
        if not drawing:
            begin = f"M{self.x} {places[0]:g}"
        return begin + "".join(f"V{y:g}" for index, y in enumerate(stops) if index == 0 or y != stops[index - 1])


@dataclass(frozen=True)
class Band:
    """A fault as a chart shows it: a shaded stretch, and a label in one of the lanes above, or in none."""

    start_s: float
    end_s: float
    what: str
    label: str
    lane: int


def bands(periods: Iterable[FaultPeriod], start_s: float, end_s: float, now: float) -> list[Band]:
    """Return the faults between two moments, their labels in lanes in which they do not run into each other.

    Those that last reach to `now`, up to which the trace tells.
    """
    seconds_per_character = CHARACTER * (end_s - start_s) / (WIDTH - LEFT - RIGHT)
    free_from = [-math.inf] * LANES
    found = []
    for period in periods:
        if period.start_s > now or period.end_s < start_s:
            continue
        label = period.title
        begins = min(max(period.start_s, start_s), end_s - len(label) * seconds_per_character)
        lane = next((lane for lane in range(LANES) if free_from[lane] <= begins), -1)
        if lane >= 0:
            free_from[lane] = begins + (len(label) + 1) * seconds_per_character
        found.append(Band(max(period.start_s, start_s), min(period.end_s, now), period.what, label, lane))
    return found


def draw_bands(frame: Frame, found: Sequence[Band]) -> str:
    """Return the bands as SVG, to be drawn behind the data."""
    parts = []
    for band in found:
        left, right = frame.x(band.start_s), frame.x(band.end_s)
        kind = escape(band.what.replace(" ", "-"))
        parts.append(
            f"<g class='band {kind}'><title>{escape(band.label)}</title>"
            f"<rect x='{left:.1f}' y='{frame.top:.0f}' width='{max(right - left, 1.0):.1f}' "
            f"height='{frame.floor - frame.top:.0f}'/>"
        )
        if band.lane >= 0:
            baseline = frame.top - 4 - LANE * band.lane
            text_x = min(left, WIDTH - RIGHT - CHARACTER * len(band.label))
            parts.append(f"<path d='M{left:.1f} {frame.floor:.0f}V{baseline - 7:.0f}'/>")
            parts.append(f"<text x='{text_x + 3:.1f}' y='{baseline:.0f}'>{escape(band.label)}</text>")
        parts.append("</g>")
    return "".join(parts)


def lanes_of(found: Iterable[Band]) -> int:
    """Return how many lanes the labels take."""
    return max((band.lane + 1 for band in found), default=0)


@dataclass(frozen=True)
class Chart:
    """A whole chart.

    Attributes
    ----------
    picture : str
        An SVG element, `WIDTH` by `HEIGHT`.
    entries : tuple of (str, str)
        A line's class and its name.
    said : str
        What is drawn, in a sentence.
    """

    picture: str
    entries: tuple[tuple[str, str], ...]
    said: str

    @property
    def html(self) -> str:
        """The picture with its legend below."""
        return self.picture + legend(self.entries)


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Return a line of what the lines are: pairs of a line's class and its name."""
    items = "".join(
        f"<span><svg viewBox='0 0 26 8' aria-hidden='true'><path class='line {kind}' d='M0 4H26'/></svg>"
        f"{escape(name)}</span>"
        for kind, name in entries
    )
    return f"<div class='dfs-legend'>{items}</div>"
