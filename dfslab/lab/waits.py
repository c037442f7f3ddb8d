"""Waiting on conditions: each wait has a deadline, and names what is missing when it gives up."""

from __future__ import annotations

import time
from collections.abc import Callable

from dfslab.core.errors import WaitTimedOut
from dfslab.core.history import Table
from dfslab.runtime.recorder import Recorder

POLL_S = 0.25


def wait_until(recorder: Recorder, missing: Callable[[Table], list[str]], timeout_s: float) -> float:
    """Return the seconds waited once `missing(table)` is empty; it is asked again after each event of the trace.

    Raises
    ------
    WaitTimedOut
        After `timeout_s`, naming what was still missing.
    """
    started = time.monotonic()
    while True:
        still = missing(recorder.table())
        waited_s = time.monotonic() - started
        if not still:
            return waited_s
        if waited_s >= timeout_s:
            raise WaitTimedOut(waited_s=waited_s, missing=still)
        recorder.wait_for_change(min(POLL_S, timeout_s - waited_s))
