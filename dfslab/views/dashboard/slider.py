"""The time slider, which moves every view to a past moment."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from dfslab.views.dashboard.observed import Observed
from dfslab.views.dashboard.topology import asset

MARKS_SHOWN = 100


class TimeSlider(anywidget.AnyWidget):
    """A slider from the start until now.

    Attributes
    ----------
    begin : float
        Its left end, seconds since the start: 0 until the trace is so long that old events fall out.
    now : float
        Its right end, seconds since the start.
    at : float or None
        The moment that is shown; None is the right end.
    marks : list
        The faults: start, end (None while it lasts), what, label.
    follows : bool
        True when its right end is now; False for a saved trace.
    enabled : bool
    """

    _esm = asset("slider.js")
    begin = traitlets.Float(0.0).tag(sync=True)
    now = traitlets.Float(0.0).tag(sync=True)
    at = traitlets.Float(None, allow_none=True).tag(sync=True)
    marks: traitlets.List[Any] = traitlets.List().tag(sync=True)
    follows = traitlets.Bool(True).tag(sync=True)
    enabled = traitlets.Bool(True).tag(sync=True)


def marks_shown(observed: Observed) -> list[list[float | str | None]]:
    """Return the newest faults as the slider takes them."""
    return [
        [
            round(period.start_s, 2),
            None if period.lasts else round(period.end_s, 2),
            period.what,
            period.title,
        ]
        for period in observed.periods[-MARKS_SHOWN:]
    ]
