"""The trace as an object of its own: to go through, to count, to save, to hand to other tools."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import pandas as pd

from dfslab.core.saved import header_of, line_of
from dfslab.core.trace import TraceEvent
from dfslab.views import tables
from dfslab.views.source import Source
from dfslab.views.writing import write_whole


class Events(Sequence[TraceEvent]):
    """The events of a trace as they were when it was asked for, oldest first.

    A sequence of `dfslab.core.trace.TraceEvent`: it has a length, can be indexed and gone through.

    Parameters
    ----------
    source : Source
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._base, self._events = source.history()
        self._begin_s, self._now_s = source.begin(), source.now()

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[TraceEvent]:
        return iter(self._events)

    @overload
    def __getitem__(self, index: int) -> TraceEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TraceEvent]: ...
    def __getitem__(self, index: int | slice) -> TraceEvent | Sequence[TraceEvent]:
        return self._events[index]

    def __repr__(self) -> str:
        return f"<dfslab trace: {len(self)} events, {self._begin_s:.1f} to {self._now_s:.1f} s>"

    def to_pandas(self) -> pd.DataFrame:
        """Return one row an event; see `dfslab.views.tables.events` for the columns."""
        return tables.events(self._events)

    def to_jsonl(self, path: str | os.PathLike[str]) -> Path:
        """Save the trace as lines of JSON, for `dfslab.replay`; return the file's absolute path.

        The file appears only when it is whole; what had that name is replaced.

        Raises
        ------
        TargetMissing, TargetForbidden, TargetUnwritable
            The folder does not exist, may not be written, or the disk refuses; nothing is left there.
        """
        header, stands_for = header_of(self._source.setup, self._events, self._base, self._begin_s)
        lines = (line_of(event) for event in (header, *self._events[stands_for:]))
        return write_whole(path, (f"{line}\n" for line in lines))

    def to_perfetto(self, path: str | os.PathLike[str]) -> Path:
        """Save the trace for Perfetto's viewer: open the file at https://ui.perfetto.dev; return its absolute path.

        A process a node: transfers and chunks as slices, arrows from the source of a copy to its target,
        faults on the laboratory's own lanes, heartbeats and deaths as instants, each file's live copies as
        a counter.

        Raises
        ------
        TargetMissing, TargetForbidden, TargetUnwritable
            As for `to_jsonl`.
        """
        from dfslab.views.perfetto import perfetto_json

        return write_whole(path, perfetto_json(self._base, self._events, self._source.setup.name, self._now_s))
