"""Throughput, live: how many MB/s uploads, downloads and copies between keepers move."""

from __future__ import annotations

from dfslab.views.dashboard.chart import Chart, Frame, bands, draw_bands, lanes_of, svg, ticks, window
from dfslab.views.dashboard.observed import Observed

COLUMNS = 240
NAMES = {"upload": "uploads", "download": "downloads", "copy": "copies between keepers"}
LEAST_TOP_MB_S = 1.0


def throughput(observed: Observed, now: float, seconds: float | None) -> Chart:
    """Return the chart up to `now` over the last `seconds` (None: from the start)."""
    start_s, end_s = window(now, seconds)
    times, rates = observed.rates.between(start_s, now, COLUMNS)
    peak = max((rate for values in rates.values() for rate in values), default=0.0)
    found = bands(observed.periods, start_s, end_s, now)
    frame = Frame(start_s, end_s, max(1.1 * peak, LEAST_TOP_MB_S), lanes=lanes_of(found))
    inside = draw_bands(frame, found)
    for kind, values in rates.items():
        inside += f"<path class='line {kind}' d='{_line(frame, times, values, now)}'/>"
    said = "Throughput over time: " + ", ".join(f"{NAMES[kind]} up to {max(v):.3g} MB/s" for kind, v in rates.items())
    picture = svg(frame, "throughput", "MB/s", ticks(0.0, frame.most, 4), inside, said)
    return Chart(picture, tuple(NAMES.items()), said)


def _line(frame: Frame, times: list[float], values: list[float], now: float) -> str:
    """Return steps, those of the same value joined: most of the time nothing moves."""
    path, last = "", None
    for time_s, value in zip(times, values, strict=True):
        if value != last:
            y = f"{frame.y(value):.1f}"
            path += f"H{frame.x(time_s):.1f}V{y}" if path else f"M{frame.x(time_s):.1f} {y}"
            last = value
    return path + f"H{frame.x(now):.1f}" if path else ""
