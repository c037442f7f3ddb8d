"""What a node process says: one line per noteworthy event, on stdout, errors on stderr, and the trace in a file."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dfslab.core.pretty import size_text
from dfslab.core.trace import Kind, TraceEvent
from dfslab.runtime.recorder import Recorder

STDOUT, STDERR = 1, 2
MAX_WAITING = 10_000
"""Lines that may wait for a reader; later ones are left out."""
KEPT_EVENTS = 1_000
"""Events kept in memory: a node process shows no tables of its own, and the file has them all."""


def _copied(event: TraceEvent) -> str:
    size = size_text(event.bytes)
    return f"{event.file_name} was copied from {event.detail['source']} to {event.peer} ({size})"


def _committed(event: TraceEvent) -> str:
    return f"{event.file_name} is stored on {event.peer} ({size_text(event.bytes)})"


def _registered(event: TraceEvent) -> str:
    return f"{event.peer} is registered (incarnation {event.detail['incarnation']}, {event.detail['address']})"


def _orphan(event: TraceEvent) -> str:
    fate = "is kept" if event.detail.get("kept") else "is deleted after a grace"
    return f"{event.peer} holds {event.detail['orphan']}, which the catalog does not know; it {fate}"


_STORY: dict[Kind, Callable[[TraceEvent], str]] = {
    Kind.KEEPER_REGISTERED: _registered,
    Kind.MASTER_READ_ONLY: lambda e: str(e.detail["reason"]),
    Kind.MASTER_WRITABLE: lambda e: "takes changes again: its catalog can be written",
    Kind.KEEPER_DEAD: lambda e: f"{e.peer} is dead: no heartbeat in time",
    Kind.KEEPER_DRAINING: lambda e: f"{e.peer} is being emptied",
    Kind.KEEPER_DECOMMISSIONED: lambda e: f"{e.peer} is decommissioned",
    Kind.FILE_COMMITTED: _committed,
    Kind.FILE_DELETED: lambda e: f"{e.file_name} was {e.detail.get('reason') or 'deleted'}",
    Kind.FILE_RENAMED: lambda e: f"{e.detail['old']} is called {e.file_name} now",
    Kind.COPY_DONE: _copied,
    Kind.COPY_FAILED: lambda e: f"copying {e.file_name} to {e.peer} came to nothing: {e.detail['reason']}",
    Kind.REPLICA_CORRUPT: lambda e: f"the copy of {e.file_name} on {e.peer} is bad: {e.detail['reason']}",
    Kind.ORPHAN_FOUND: _orphan,
    Kind.DAMAGE_FOUND: lambda e: f"{e.version} is damaged: {e.detail['reason']}",
    Kind.DISK_FAILED: lambda e: f"the disk failed: {e.detail['reason']}",
    Kind.STRAYS_FOUND: lambda e: f"left alone what is not its own: {', '.join(e.detail['names'])}",
    Kind.DEGRADED: lambda e: f"{e.file_name} has {e.detail['live']} of {e.detail['wanted']} live copies",
    Kind.REPLICA_STORED: lambda e: f"stored {e.version} ({size_text(e.bytes)})",
    Kind.REPLICA_DROPPED: lambda e: f"dropped {e.version}",
}


def story_of(event: TraceEvent) -> str | None:
    """Return an event in plain words, or None when an operator need not see it."""
    tell = _STORY.get(event.kind)
    return tell(event) if tell else None


class Log:
    """Lines for people, written by a thread of its own.

    So neither a terminal that is held (Ctrl-S) nor a pipe that nobody reads holds the node up, and
    a reader that goes away (`dfslab master | head`) does not end it.

    Parameters
    ----------
    name : str
        The node's, at the start of its lines: several nodes may share a terminal.
    quiet : bool
        Leave out what `tell` and `say(..., always=False)` are given.
    """

    def __init__(self, name: str, quiet: bool) -> None:
        self._name, self._quiet = name, quiet
        self._lines: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        self._deaf: dict[int, None] = {}
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def say(self, text: str, *, always: bool = True) -> None:
        """Print a line on stdout, with the time of day."""
        if always or not self._quiet:
            self._put(STDOUT, f"{time.strftime('%H:%M:%S')} {self._name}: {text}")

    def complain(self, text: str) -> None:
        """Print a line on stderr."""
        self._put(STDERR, f"dfslab: {self._name}: {text}")

    def tell(self, event: TraceEvent) -> None:
        """Say what an event was, if people want to know."""
        if event.kind is Kind.NODE_ERROR:
            self.complain(str(event.detail.get("reason", "")))
        elif text := story_of(event):
            self.say(text, always=False)

    def _put(self, stream: int, text: str) -> None:
        if self._lines.qsize() < MAX_WAITING:
            self._lines.put((stream, " ".join(text.splitlines())))

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            stream, text = line
            if stream not in self._deaf:
                self._write(stream, f"{text}\n".encode(errors="backslashreplace"))

    def _write(self, stream: int, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(stream, data) :]
        except OSError:  # the reader has gone for good
            self._deaf[stream] = None

    def close(self, timeout_s: float = 1.0) -> None:
        """Write out what waits, for `timeout_s` at most."""
        self._lines.put(None)
        self._thread.join(timeout_s)


class Journal:
    """A node's trace: every event to `trace.jsonl`, and what people want to know of it to the log.

    A trace that can't be written (a full disk) is given up with one complaint; the node goes on.
    """

    def __init__(self, path: Path, log: Log) -> None:
        self._log = log
        self._recorder = Recorder(path, KEPT_EVENTS, on_lost=log.complain)

    def add(self, *events: TraceEvent) -> None:
        """Take events; called on every thread of the node."""
        for event in events:
            self._log.tell(event)
        self._recorder.add(*events)

    def close(self) -> None:
        """Write the trace out."""
        self._recorder.close()
