"""The trace of a running cluster: shared by its threads, and written as JSON lines."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

from dfslab.core.history import Table
from dfslab.core.saved import line_of
from dfslab.core.trace import Kind, Trace, TraceEvent, Tracer


def _nothing() -> None:
    pass


class Recorder:
    """A `Trace` behind a lock.

    Parameters
    ----------
    path : Path or None
        A file to append each event to, as one JSON object a line.
    capacity : int
        Events kept in memory.
    on_lost : callable
        Told, once and in words, when the file can't be written any more.
    """

    def __init__(
        self,
        path: Path | None = None,
        capacity: int = 200_000,
        on_lost: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._on_lost = on_lost
        self._catch_up: Callable[[], None] = _nothing
        self._trace = Trace(capacity)
        self._changed = threading.Condition()
        # Whole lines a write: whoever reads the file along, or after a crash, finds whole lines.
        # What is no text (a stranger's path in a reason) is written as JSON escapes it.
        if path:
            path.touch(mode=0o600)  # it names every file: for its owner only
        self._file: IO[str] | None = (
            path.open("a", buffering=1, encoding="utf-8", errors="backslashreplace") if path else None
        )

    def add(self, *events: TraceEvent) -> None:
        """Append events and wake those who wait for a change."""
        self._catch_up()
        self.take_in(events)

    def take_in(self, events: Iterable[TraceEvent]) -> None:
        """Append what another process has told."""
        with self._changed:
            come = list(events)
            for event in come:
                self._trace.append(event)
            if come:
                self._write(come)
                self._changed.notify_all()

    def follow(self, catch_up: Callable[[], None]) -> None:
        """Have `catch_up` called before anything is added or looked at, so that it takes in what was told by then."""
        self._catch_up = catch_up

    def _write(self, events: Sequence[TraceEvent]) -> None:
        """Write lines; when the disk refuses them, go on in memory only, and say so there: no node must die of it."""
        if self._file is None:
            return
        try:
            self._file.write("".join([line_of(event) + "\n" for event in events]))
        except OSError as error:
            with contextlib.suppress(OSError):  # closing tries to write the same line again
                self._file.close()
            self._file = None
            reason = error.strerror or str(error)
            lost = f"the trace can't be written any more ({reason}); the node goes on without it"
            self._trace.append(Tracer("trace", "1").event(Kind.NODE_ERROR, events[-1].time_s, reason=lost))
            self._on_lost(lost)

    def events(self) -> list[TraceEvent]:
        """Return the events so far, oldest first."""
        self._catch_up()
        with self._changed:
            return self._trace.events()

    def since(self, seen: int) -> tuple[int, list[TraceEvent]]:
        """Return how many events there have been, and those behind the first `seen`; see `Trace.since`."""
        self._catch_up()
        with self._changed:
            return self._trace.since(seen)

    def table(self, at: float | None = None) -> Table:
        """Return the lookup table as it is, or as it was `at` seconds after the start."""
        self._catch_up()
        with self._changed:
            return self._trace.table(at)

    def begin_s(self) -> float:
        """Return the earliest moment whose table is still known, seconds since the start."""
        with self._changed:
            return self._trace.begin_s

    def count(self) -> int:
        """Return how many events there have been."""
        with self._changed:
            return self._trace.count

    def wait_for_change(self, timeout_s: float, seen: int | None = None) -> None:
        """Return once there have been more than `seen` events, by default after the next one, or after `timeout_s`."""
        with self._changed:
            known = self._trace.count if seen is None else seen
            self._changed.wait_for(lambda: self._trace.count > known, timeout_s)

    def close(self) -> None:
        """Write out what is buffered. Events that come later are kept in memory only."""
        with self._changed:
            if self._file is not None:
                self._file.close()
                self._file = None
