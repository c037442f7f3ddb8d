"""Live copies over time: the trace folded once, noting each file whenever its number of copies changes."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dfslab.core.history import Table
from dfslab.core.trace import Kind, TraceEvent

_KEEPER_CHANGES = frozenset(
    {
        Kind.KEEPER_REGISTERED,
        Kind.KEEPER_UNSEEN,
        Kind.KEEPER_DEAD,
        Kind.KEEPER_DRAINING,
        Kind.KEEPER_DECOMMISSIONED,
    }
)
_REPLICA_CHANGES = frozenset(
    {
        Kind.REPLICA_RECORDED,
        Kind.REPLICA_RESTORED,
        Kind.REPLICA_CORRUPT,
        Kind.REPLICA_DROP_ORDERED,
        Kind.REPLICA_FORGOTTEN,
    }
)
_FILE_CHANGES = frozenset(
    {Kind.MASTER_STARTED, Kind.FILE_COMMITTED, Kind.FILE_RESTORED, Kind.FILE_DELETED, Kind.FILE_RENAMED}
)
_CHANGES = _KEEPER_CHANGES | _REPLICA_CHANGES | _FILE_CHANGES


@dataclass
class CopiesOfFile:
    """How many live copies a file had: `copies[i]` from `times[i]` on, NaN while there is no such file.

    The name is the file's latest; an overwrite goes on with the new version.
    """

    name: str
    times: list[float] = field(default_factory=list)
    copies: list[float] = field(default_factory=list)

    def note(self, time_s: float, copies: float) -> None:
        """Add a step, unless nothing has changed."""
        last = self.copies[-1] if self.copies else math.nan
        if copies != last and not (math.isnan(copies) and math.isnan(last)):
            self.times.append(time_s)
            self.copies.append(copies)


def live_copies_over_time(base: Table, events: Sequence[TraceEvent]) -> list[CopiesOfFile]:
    """Return the history of every file of a trace, in the order in which the files came.

    Events of the same moment count together. An event costs the files that it touches: one for a
    replica, those on the keeper for a death.

    Parameters
    ----------
    base : Table
        The table before the first event.
    events : sequence of TraceEvent
    """
    fold = CopiesFold(base, since_s=events[0].time_s if events else 0.0)
    for event in events:
        fold.apply(event)
    fold.flush()
    return [line for line in fold.lines if line.times]


class CopiesFold:
    """The history so far of every file, brought up to each event in turn.

    Parameters
    ----------
    base : Table
        The table before the first event.
    since_s : float
        When that was.
    """

    def __init__(self, base: Table, since_s: float) -> None:
        self.lines: list[CopiesOfFile] = []
        self._all = SpreadFold()
        self._table = base.copy()
        self._line: dict[str, CopiesOfFile] = {}  # by the file's name of the moment
        self._version: dict[str, str] = {}  # the current one of each name
        self._touched: dict[str, None] = {}
        self._now = since_s
        for row in base.files.values():
            self._commit(row.file_name, row.version)

    @property
    def table(self) -> Table:
        """The table as the events so far have made it, heartbeats left out."""
        return self._table

    @property
    def spread(self) -> Spread:
        """The least, median and most live copies among all files, up to the last `flush`."""
        return self._all.spread

    def forget(self, keep: int) -> None:
        """Keep only so many steps of each line and of the spread, the newest, whenever there are twice as many."""
        for columns in (self.spread, *((line.times, line.copies) for line in self.lines)):
            if len(columns[0]) > 2 * keep:
                for column in columns:
                    del column[:-keep]

    def apply(self, event: TraceEvent) -> None:
        """Take in an event; kinds that change no number of copies pass by."""
        if event.kind not in _CHANGES:
            return
        if event.time_s > self._now:
            self.flush()
            self._now = event.time_s
        if event.kind is Kind.MASTER_STARTED:
            self._touched.update(dict.fromkeys(self._version))
            self._version.clear()
        self._table.apply(event)
        if event.kind in _KEEPER_CHANGES:
            self._touch_files_on(event.peer)
        elif event.kind in (Kind.FILE_COMMITTED, Kind.FILE_RESTORED):
            self._commit(event.file_name, event.version)
        elif event.kind is Kind.FILE_DELETED:
            self._delete(event)
        elif event.kind is Kind.FILE_RENAMED:
            self._rename(event)
        elif event.version in self._table.files:
            self._touched[self._table.files[event.version].file_name] = None

    def flush(self) -> None:
        """Note what the events of one moment came to."""
        for name in self._touched:
            version, line = self._version.get(name), self._line[name]
            copies = math.nan if version is None else float(self._table.live_copies(version))
            self._all.move(line.copies[-1] if line.copies else math.nan, copies)
            line.note(self._now, copies)
        if self._touched:
            self._all.note(self._now)
        self._touched.clear()

    def _touch_files_on(self, keeper: str) -> None:
        for name, version in self._version.items():
            if keeper in self._table.replicas.get(version, {}):
                self._touched[name] = None

    def _commit(self, name: str, version: str) -> None:
        self._version[name] = version
        self._touched[name] = None
        if name not in self._line:
            self._line[name] = CopiesOfFile(name)
            self.lines.append(self._line[name])

    def _delete(self, event: TraceEvent) -> None:
        """Forget the name, unless it means a newer version by now."""
        if self._version.get(event.file_name) == event.version:
            del self._version[event.file_name]
            self._touched[event.file_name] = None

    def _rename(self, event: TraceEvent) -> None:
        old, new = event.detail["old"], event.file_name
        self.flush()
        self._version[new] = self._version.pop(old)
        self._line[new] = self._line.pop(old)
        self._line[new].name = new
        self._touched[new] = None


class Spread(NamedTuple):
    """The least, median and most live copies among all files, each from `times[i]` on."""

    times: list[float]
    fewest: list[float]
    median: list[float]
    most: list[float]


def spread_of(lines: Iterable[CopiesOfFile]) -> Spread:
    """Return how many files stood how well over time; NaN while there is no file."""
    steps: list[tuple[float, float, float]] = []
    for line in lines:
        before = math.nan
        for time_s, copies in zip(line.times, line.copies, strict=True):
            steps.append((time_s, before, copies))
            before = copies
    fold = SpreadFold()
    for time_s, before, after in sorted(steps, key=lambda step: step[0]):
        fold.move(before, after)
        fold.note(time_s)
    return fold.spread


class SpreadFold:
    """How many files have stood how well so far, brought up to each step in turn."""

    def __init__(self) -> None:
        self.spread = Spread([], [], [], [])
        self._files_with = Counter[float]()

    def move(self, before: float, after: float) -> None:
        """Count one file under its new number of copies; NaN for a file that is not there."""
        if not math.isnan(before):
            self._files_with[before] -= 1
            if not self._files_with[before]:
                del self._files_with[before]
        if not math.isnan(after):
            self._files_with[after] += 1

    def note(self, time_s: float) -> None:
        """Note how the files stand from `time_s` on; a later word of the same moment counts."""
        spread, files_with = self.spread, self._files_with
        if spread.times and spread.times[-1] == time_s:
            for column in spread:
                column.pop()
        spread.times.append(time_s)
        spread.fewest.append(min(files_with, default=math.nan))
        spread.median.append(_median(files_with))
        spread.most.append(max(files_with, default=math.nan))


def _median(files_with: Counter[float]) -> float:
    """Return the median of counted values, which are few although the files may be many."""
    total = files_with.total()
    if not total:
        return math.nan
    middle = {(total - 1) // 2, total // 2}
    found, seen = [], 0
    for copies in sorted(files_with):
        found += [copies] * sum(1 for rank in middle if seen <= rank < seen + files_with[copies])
        seen += files_with[copies]
    return statistics.fmean(found)
