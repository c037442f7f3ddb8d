"""Which bytes moved when: a transfer in pieces, each from one word that it gave of itself to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from dfslab.core.trace import Kind, TraceEvent

KINDS = ("upload", "download", "copy")
MOST_OPEN = 1_000
"""Transfers under way that are remembered: the end of some never comes into the trace."""


class Piece(NamedTuple):
    """So many bytes of one kind of transfer, which moved evenly between two moments, seconds since the start."""

    kind: str
    start_s: float
    end_s: float
    bytes: int


class PieceFold:
    """The pieces of a trace, asked for event by event.

    Chunks of a download carry their own start and end. An upload and a copy tell of their progress
    or, when they are over sooner, only of their beginning and end. What failed counts as far as its
    progress was told.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[float, int]] = {}  # kind, id -> when and how far at the last word

    def apply(self, event: TraceEvent) -> Piece | None:
        """Return the piece that an event tells the end of, if it does."""
        step = _STEPS.get(event.kind)
        return None if step is None else step(self, event)

    def _chunk_fetched(self, event: TraceEvent) -> Piece:
        return Piece("download", event.detail["start_s"], event.detail["end_s"], event.bytes)

    def _begin(self, event: TraceEvent) -> None:
        self._last[_transfer_of(event)] = event.time_s, 0
        if len(self._last) > MOST_OPEN:
            del self._last[next(iter(self._last))]

    def _go_on(self, event: TraceEvent) -> Piece | None:
        key = _transfer_of(event)
        since, before = self._last.get(key, (event.time_s, event.bytes))
        if event.bytes <= before:
            return None
        self._last[key] = event.time_s, event.bytes
        return Piece(key[0], since, max(since, event.time_s), event.bytes - before)

    def _end(self, event: TraceEvent) -> Piece | None:
        """Tell the rest. A copy's end is told twice, by its keeper and by the master; the first counts."""
        rest = self._go_on(event)
        self._fail(event)
        return rest

    def _fail(self, event: TraceEvent) -> None:
        self._last.pop(_transfer_of(event), None)


def _transfer_of(event: TraceEvent) -> tuple[str, str]:
    copy = event.detail.get("copy", "")
    return ("copy", copy) if copy else ("upload", event.version)


_STEPS: Mapping[Kind, Callable[[PieceFold, TraceEvent], Piece | None]] = {
    Kind.CHUNK_FETCHED: PieceFold._chunk_fetched,
    Kind.UPLOAD_STARTED: PieceFold._begin,
    Kind.COPY_ORDERED: PieceFold._begin,
    Kind.COPY_STARTED: PieceFold._begin,
    Kind.PROGRESS: PieceFold._go_on,
    Kind.REPLICA_STORED: PieceFold._end,
    Kind.COPY_DONE: PieceFold._end,
    Kind.COPY_FAILED: PieceFold._fail,
    Kind.UPLOAD_RETRIED: PieceFold._fail,
    Kind.UPLOAD_FAILED: PieceFold._fail,
}
