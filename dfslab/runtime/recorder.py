"""The trace of a running cluster: shared by its threads, and written as JSON lines."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import IO

from dfslab.core.history import Table
from dfslab.core.trace import Trace, TraceEvent


class Recorder:
    """A `Trace` behind a lock.

    Parameters
    ----------
    path : Path or None
        A file to append each event to, as one JSON object a line.
    capacity : int
        Events kept in memory.
    """

    def __init__(self, path: Path | None = None, capacity: int = 200_000) -> None:
        self._trace = Trace(capacity)
        self._changed = threading.Condition()
        self._file: IO[str] | None = path.open("a", encoding="utf-8") if path else None

    def add(self, event: TraceEvent) -> None:
        """Append an event and wake those who wait for a change."""
        with self._changed:
            self._trace.append(event)
            if self._file is not None:
                self._file.write(json.dumps(event.as_dict(), ensure_ascii=False, separators=(",", ":")) + "\n")
            self._changed.notify_all()

    def events(self) -> list[TraceEvent]:
        """Return the events so far, oldest first."""
        with self._changed:
            return self._trace.events()

    def table(self, at: float | None = None) -> Table:
        """Return the lookup table as it is, or as it was `at` seconds after the start."""
        with self._changed:
            return self._trace.table(at)

    def wait_for_change(self, timeout_s: float) -> None:
        """Return after the next event, or after `timeout_s` seconds."""
        with self._changed:
            self._changed.wait(timeout_s)

    def close(self) -> None:
        """Write out what is buffered. Events that come later are kept in memory only."""
        with self._changed:
            if self._file is not None:
                self._file.close()
                self._file = None
