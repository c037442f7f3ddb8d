"""Waiting on conditions: each wait has a deadline, and names what is missing when it gives up."""

from __future__ import annotations

import time
from collections.abc import Callable

from dfslab.core.errors import WaitTimedOut
from dfslab.core.history import Table
from dfslab.runtime.recorder import Recorder

POLL_S = 0.25
RESTS = 4.0
"""How long it rests after a look, as a multiple of what that took: with a thousand files, a look after every event of
the trace would take more of the processor than what it waits for."""


def wait_until(recorder: Recorder, missing: Callable[[Table], list[str]], timeout_s: float) -> float:
    """Return the seconds waited once `missing(table)` is empty; it is asked again when the trace has grown.

    Raises
    ------
    WaitTimedOut
        After `timeout_s`, naming what was still missing.
    """
    started = time.monotonic()
    while True:
        looked, seen = time.monotonic(), recorder.count()
        still = missing(recorder.table())
        now = time.monotonic()
        waited_s = now - started
        if not still:
            return waited_s
        if waited_s >= timeout_s:
            raise WaitTimedOut(waited_s=waited_s, missing=still)
        time.sleep(min(RESTS * (now - looked), timeout_s - waited_s))
        recorder.wait_for_change(min(POLL_S, timeout_s - waited_s), seen)
