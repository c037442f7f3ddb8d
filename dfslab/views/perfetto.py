"""The trace for Perfetto's viewer (ui.perfetto.dev) and chrome://tracing.

The format is Chrome's Trace Event Format, its JSON object form: a process a node, a thread a lane.
Slices of one thread may nest but not overlap partly, so what happens at the same time on a node gets
lanes of its own. Times are microseconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfslab.core.fault_periods import fault_periods
from dfslab.core.history import Table
from dfslab.core.nodes import CLIENT, LAB, MASTER, is_keeper
from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.copies import live_copies_over_time
from dfslab.views.sentences import action_text, sentence
from dfslab.views.snapshot import natural_key
from dfslab.views.transfers import fold_transfers

_INSTANTS: Mapping[Kind, tuple[str, str]] = {
    Kind.KEEPER_REGISTERED: ("life", "registered"),
    Kind.HEARTBEAT: ("life", "heartbeat"),
    Kind.KEEPER_DEAD: ("life", "declared dead"),
    Kind.KEEPER_DRAINING: ("life", "draining"),
    Kind.KEEPER_DECOMMISSIONED: ("life", "decommissioned"),
}
"""What is told of a keeper: the lane, and the name."""
_DECISIONS = (
    Kind.MASTER_STARTED,
    Kind.SAFE_MODE_ENDED,
    Kind.MASTER_READ_ONLY,
    Kind.MASTER_WRITABLE,
    Kind.FILE_COMMITTED,
    Kind.FILE_DELETED,
    Kind.FILE_RENAMED,
    Kind.COPY_ORDERED,
    Kind.REPLICA_CORRUPT,
    Kind.REPLICA_DROP_ORDERED,
    Kind.SCAN,
    Kind.DEGRADED,
)
"""What the master does, on a lane of its own."""


@dataclass
class Slice:
    """A stretch of time on a node; `flow` joins the two ends of a transfer."""

    node: str
    lane: str
    name: str
    start_s: float
    end_s: float
    args: Mapping[str, Any] = field(default_factory=dict)
    flow: int = 0
    begins_flow: bool = False


def perfetto_json(base: Table, events: Sequence[TraceEvent], name: str, now_s: float) -> Iterator[str]:
    """Yield the text of the file, a line an event.

    Parameters
    ----------
    base : Table
        The table before the first event.
    events : sequence of TraceEvent
    name : str
        The cluster's.
    now_s : float
        Where what is still going on ends.
    """
    lanes = _Lanes()
    timed = [*_slices(lanes, events, now_s), *_instants(lanes, events), *_counters(lanes, base, events)]
    timed.sort(key=lambda one: one["ts"])
    head = json.dumps({"displayTimeUnit": "ms", "otherData": {"cluster": name, "source": "dfslab"}}, ensure_ascii=False)
    yield head[:-1] + ',"traceEvents":[\n'
    written = [*lanes.metadata(), *timed]
    for index, one in enumerate(written, 1):
        text = json.dumps(one, ensure_ascii=False, separators=(",", ":"))
        yield text + (",\n" if index < len(written) else "\n")
    yield "]}\n"


class _Lanes:
    """Which process and thread a lane of a node is."""

    def __init__(self) -> None:
        self._threads: dict[str, dict[str, int]] = {}
        self._pids: dict[str, int] = {}
        self._free_at: dict[tuple[str, str], list[int]] = {}
        self._last_tid = 1000  # no thread has the number of a process: that would make it the main one

    def thread(self, node: str, lane: str) -> dict[str, int]:
        """Return the `pid` and `tid` of a lane."""
        pid = self._pids.setdefault(node, len(self._pids) + 1)
        threads = self._threads.setdefault(node, {})
        if lane not in threads:
            self._last_tid += 1
            threads[lane] = self._last_tid
        return {"pid": pid, "tid": threads[lane]}

    def free(self, node: str, lane: str, start_us: int, end_us: int) -> dict[str, int]:
        """Return the first lane of that kind in which nothing is going on from `start_us` on; slices come by start."""
        ends = self._free_at.setdefault((node, lane), [])
        index = next((index for index, end in enumerate(ends) if end <= start_us), len(ends))
        ends[index:] = [end_us, *ends[index + 1 :]]
        return self.thread(node, lane if index == 0 else f"{lane} {index + 1}")

    def metadata(self) -> Iterator[dict[str, Any]]:
        """Yield the names, and the order: the laboratory, the master, clients, keepers."""
        for rank, node in enumerate(sorted(self._pids, key=_place)):
            pid = self._pids[node]
            yield _named("process_name", pid, 0, name=node)
            yield _named("process_sort_index", pid, 0, sort_index=rank)
            for lane, tid in self._threads[node].items():
                yield _named("thread_name", pid, tid, name=lane)
                yield _named("thread_sort_index", pid, tid, sort_index=tid)


def _place(node: str) -> tuple[int, tuple[tuple[str, int], ...]]:
    first = {LAB: 0, MASTER: 1}
    return first.get(node, 3 if is_keeper(node) else 2), natural_key(node)


def _named(what: str, pid: int, tid: int, /, **args: Any) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "ts": 0, "args": args}


def _us(time_s: float) -> int:
    return round(time_s * 1e6)


# -- slices -----------------------------------------------------------------------------------------


def _slices(lanes: _Lanes, events: Sequence[TraceEvent], now_s: float) -> Iterator[dict[str, Any]]:
    found = [*_faults(events, now_s), *_transfers(events, now_s), *_chunks(events)]
    for one in sorted(found, key=lambda one: (one.start_s, -one.end_s)):
        start = _us(one.start_s)
        end = max(start + 1, _us(one.end_s))
        where = lanes.free(one.node, one.lane, start, end)
        yield {
            "ph": "X",
            "name": one.name,
            "cat": one.lane,
            "ts": start,
            "dur": end - start,
            **where,
            "args": dict(one.args),
        }
        if one.flow:
            arrow = {"name": "bytes", "cat": "transfer", "id": one.flow, "ts": start, **where}
            yield {"ph": "s", **arrow} if one.begins_flow else {"ph": "f", "bp": "e", **arrow}


def _faults(events: Iterable[TraceEvent], now_s: float) -> Iterator[Slice]:
    for period in fault_periods(events):
        end = now_s if period.lasts else period.end_s
        yield Slice(LAB, "faults", period.title, period.start_s, end, {"event": period.event, **period.detail})


def _transfers(events: Sequence[TraceEvent], now_s: float) -> Iterator[Slice]:
    """Yield both ends of every upload and copy, joined by an arrow, and every download at its client."""
    received = _received(events)
    for number, one in enumerate(fold_transfers(events), 1):
        start = one.start_s if not math.isnan(one.start_s) else one.end_s
        if math.isnan(start):
            continue
        end = max(start, one.end_s if not math.isnan(one.end_s) else now_s)
        args = {"bytes": one.bytes, "version": one.version, "state": one.state, "reason": one.reason}
        if one.kind == "download":
            yield Slice(one.target or CLIENT, "downloads", f"download {one.file_name}", start, end, args)
            continue
        lane, verb = ("uploads", "upload") if one.kind == "upload" else ("sends", "send")
        joined = number if one.source and one.target else 0
        to = f"{verb} {one.file_name} to {one.target}"
        if one.source:
            yield Slice(one.source, lane, to, start, end, args, flow=joined, begins_flow=True)
        if one.target:
            begin, stored = received.get((one.version, one.target), (start, end)) if lane == "uploads" else (start, end)
            name = f"receive {one.file_name} from {one.source}"
            yield Slice(one.target, "receives", name, max(begin, start), max(stored, begin), args, flow=joined)


def _received(events: Iterable[TraceEvent]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return when each keeper was sent a version by a client, and when it had it safe."""
    times: dict[tuple[str, str], tuple[float, float]] = {}
    for event in events:
        if event.kind is Kind.UPLOAD_STARTED:
            times[event.version, event.peer] = (event.time_s, event.time_s)
        elif event.kind is Kind.REPLICA_STORED and (event.version, event.node) in times:
            times[event.version, event.node] = (times[event.version, event.node][0], event.time_s)
    return times


def _chunks(events: Iterable[TraceEvent]) -> Iterator[Slice]:
    """Yield every chunk of a download at the keeper that served it."""
    for event in events:
        if event.kind in (Kind.CHUNK_FETCHED, Kind.CHUNK_FAILED):
            start = float(event.detail["start_s"])
            args = {"offset": event.detail["offset"], "bytes": event.bytes, "outcome": event.detail["outcome"]}
            name = f"chunk of {event.file_name}"
            yield Slice(event.peer, "chunks", name, start, max(start, float(event.detail.get("end_s", start))), args)


# -- instants and counters --------------------------------------------------------------------------


def _instants(lanes: _Lanes, events: Iterable[TraceEvent]) -> Iterator[dict[str, Any]]:
    for event in events:
        if event.kind in _INSTANTS:
            lane, name = _INSTANTS[event.kind]
            scope = "p" if event.kind is Kind.KEEPER_DEAD else "t"
            yield _instant(lanes.thread(event.peer, lane), name, event, scope)
        elif event.kind in _DECISIONS:
            yield _instant(lanes.thread(MASTER, "decisions"), sentence(event), event)
        elif event.kind is Kind.FAULT:
            yield _instant(lanes.thread(LAB, "actions"), action_text(event), event, "g")


def _instant(where: Mapping[str, int], name: str, event: TraceEvent, scope: str = "t") -> dict[str, Any]:
    args = {"event": event.id, "cause": event.cause, **event.detail}
    return {"ph": "i", "s": scope, "name": name, "cat": str(event.kind), "ts": _us(event.time_s), **where, "args": args}


def _counters(lanes: _Lanes, base: Table, events: Sequence[TraceEvent]) -> Iterator[dict[str, Any]]:
    """Yield how many live copies each file has, whenever that changes."""
    for line in live_copies_over_time(base, events):
        where = lanes.thread(MASTER, "decisions")
        for time_s, copies in zip(line.times, line.copies, strict=True):
            value = 0 if math.isnan(copies) else int(copies)
            yield {
                "ph": "C",
                "name": f"live copies of {line.name}",
                "cat": "copies",
                "ts": _us(time_s),
                **where,
                "args": {"copies": value},
            }
