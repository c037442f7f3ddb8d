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


def short_of_replicas(table: Table, usable: Callable[[str], bool], name: str | None, count: int) -> list[str]:
    """Return what is missing for every file (or the one named) to have `count` valid copies on usable keepers."""
    files = [row for row in table.files.values() if name is None or row.file_name == name]
    if name is not None and not files:
        return [f"{name!r} is not in the lookup table"]
    missing = []
    for file in files:
        rows = table.replicas.get(file.version, {}).values()
        holders = [row.keeper for row in rows if row.state == "valid" and usable(row.keeper)]
        if len(holders) < count:
            where = ", ".join(holders) or "none"
            missing.append(f"{file.file_name!r} has {len(holders)} of {count} live copies ({where})")
    return missing
