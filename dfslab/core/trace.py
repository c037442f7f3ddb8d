"""The trace: everything that happened, as events from which every table and picture is made."""

from __future__ import annotations

import enum
import itertools
import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from dfslab.core.history import Table

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Kind(enum.StrEnum):
    """What may happen. The numbers are the steps of an upload (see ARCHITECTURE.md)."""

    MASTER_STARTED = "master_started"
    FILE_RESTORED = "file_restored"
    REPLICA_RESTORED = "replica_restored"
    SAFE_MODE_ENDED = "safe_mode_ended"
    MASTER_READ_ONLY = "master_read_only"
    MASTER_WRITABLE = "master_writable"
    KEEPER_REGISTERED = "keeper_registered"
    KEEPER_UNSEEN = "keeper_unseen"
    HEARTBEAT = "heartbeat"
    KEEPER_DEAD = "keeper_dead"
    KEEPER_DRAINING = "keeper_draining"
    KEEPER_DECOMMISSIONED = "keeper_decommissioned"
    KEEPER_FENCED = "keeper_fenced"
    REGISTRATION_LAPSED = "registration_lapsed"

    UPLOAD_REQUESTED = "upload_requested"  # 1
    SLOT_GRANTED = "slot_granted"  # 2
    UPLOAD_STARTED = "upload_started"  # 3
    REPLICA_STORED = "replica_stored"  # 4
    REPLICA_RECORDED = "replica_recorded"  # 5
    FILE_COMMITTED = "file_committed"
    UPLOAD_ACKNOWLEDGED = "upload_acknowledged"  # 6
    COPY_ORDERED = "copy_ordered"  # 7
    COPY_STARTED = "copy_started"
    COPY_DONE = "copy_done"
    COPY_FAILED = "copy_failed"
    UPLOAD_RETRIED = "upload_retried"
    UPLOAD_DONE = "upload_done"
    UPLOAD_FAILED = "upload_failed"
    PROGRESS = "progress"

    DOWNLOAD_REQUESTED = "download_requested"
    DOWNLOAD_STARTED = "download_started"
    CHUNK_FETCHED = "chunk_fetched"
    CHUNK_FAILED = "chunk_failed"
    DOWNLOAD_DONE = "download_done"
    DOWNLOAD_FAILED = "download_failed"

    FILE_DELETED = "file_deleted"
    FILE_RENAMED = "file_renamed"
    REPLICA_DROP_ORDERED = "replica_drop_ordered"
    REPLICA_DROPPED = "replica_dropped"
    REPLICA_FORGOTTEN = "replica_forgotten"
    REPLICA_CORRUPT = "replica_corrupt"
    DAMAGE_FOUND = "damage_found"
    SCRUB_DONE = "scrub_done"
    DISK_FAILED = "disk_failed"
    STRAYS_FOUND = "strays_found"
    ORPHAN_FOUND = "orphan_found"
    SCAN = "scan"
    DEGRADED = "degraded"

    CLUSTER_STARTED = "cluster_started"
    FAULT = "fault"
    UNHEARD = "unheard"
    NODE_ERROR = "node_error"


NAMING = frozenset({Kind.FILE_COMMITTED, Kind.FILE_RESTORED, Kind.FILE_RENAMED})
"""Kinds that give a version the name of a file."""


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One thing that happened.

    Attributes
    ----------
    id : str
        Unique in the trace, `node.boot:number`.
    time_s : float
        Seconds since the cluster started (monotonic clock).
    node : str
        Where it happened: `master`, `keeper-3`, `client`, `lab`.
    kind : Kind
    file_name, version, peer : str
        What it was about, and the other node concerned; empty where it does not apply.
    bytes : int
        Size of what was moved or stored; 0 where it does not apply.
    cause : str
        The id of the event that led to it; empty where it has none.
    detail : mapping
        What else is known; plain JSON values.
    """

    id: str
    time_s: float
    node: str
    kind: Kind
    file_name: str = ""
    version: str = ""
    peer: str = ""
    bytes: int = 0
    cause: str = ""
    detail: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    def as_dict(self) -> dict[str, Any]:
        """Return the event as JSON-ready values, in the order of the table's columns."""
        return {
            "id": self.id,
            "time_s": round(self.time_s, 6),
            "node": self.node,
            "kind": str(self.kind),
            "file_name": self.file_name,
            "version": self.version,
            "peer": self.peer,
            "bytes": self.bytes,
            "cause": self.cause,
            "detail": dict(self.detail),
        }


class Tell(Protocol):
    """Takes lines of a trace; those that are told together are written together."""

    def __call__(self, *events: TraceEvent) -> None:
        """Take lines, oldest first."""


class Tracer:
    """Makes the events of one node, numbered so that others can name them as their cause."""

    def __init__(self, node: str, boot: str) -> None:
        self.node = node
        self._prefix = f"{node}.{boot}"
        self._numbers = itertools.count(1)

    def event(
        self,
        kind: Kind,
        now: float,
        *,
        file_name: str = "",
        version: str = "",
        peer: str = "",
        bytes: int = 0,
        cause: str = "",
        **detail: Any,
    ) -> TraceEvent:
        """Return a new event of this node at time `now`."""
        return TraceEvent(
            f"{self._prefix}:{next(self._numbers)}",
            round(now, 6),  # as it is written: a saved trace tells exactly the same
            self.node,
            kind,
            file_name,
            version,
            peer,
            bytes,
            cause,
            detail or _NOTHING,
        )


SEGMENT_EVENTS = 1000
"""Events between two tables that are kept; more when the table itself is larger, for it is what they cost."""


class _Segment:
    """A run of events, with the table before the first of them and the span of their times."""

    __slots__ = ("before", "earliest_s", "events", "latest_s", "room")

    def __init__(self, before: Table) -> None:
        self.before = before
        self.events: list[TraceEvent] = []
        self.room = max(SEGMENT_EVENTS, before.size)
        self.earliest_s = math.inf
        self.latest_s = -math.inf


class Trace:
    """The events of a cluster, oldest first, bounded; what falls out is kept as the table it led to.

    The events lie in segments, each with the table before it: the table of any moment takes a copy of
    one and a fold of little more than the segment in which the moment lies.

    Parameters
    ----------
    capacity : int
        Events kept. The table before the oldest of them is `base`, so that the lookup table is right
        at every moment that the trace still covers.
    base : Table, optional
        The table before the first event.
    begin_s : float
        The moment of that table, seconds.
    """

    def __init__(self, capacity: int = 200_000, base: Table | None = None, begin_s: float = 0.0) -> None:
        self.current = Table() if base is None else base.copy()
        self.begin_s = begin_s
        self.dropped = 0
        self._capacity = capacity
        self._newest = _Segment(self.current.copy())
        self._segments = deque([self._newest])
        self._length = 0
        self._hidden = 0  # events at the start of the first segment that have fallen out

    def __len__(self) -> int:
        """Return how many events are kept."""
        return self._length

    @property
    def base(self) -> Table:
        """The table before the oldest event that is kept."""
        table = self._segments[0].before.copy()
        for event in itertools.islice(self._segments[0].events, self._hidden):
            table.apply(event)
        return table

    def append(self, event: TraceEvent) -> None:
        """Add an event and bring the current table up to it."""
        segment = self._newest
        if len(segment.events) >= segment.room:
            segment = self._newest = _Segment(self.current.copy())
            self._segments.append(segment)
        segment.events.append(event)
        if event.time_s > segment.latest_s:
            segment.latest_s = event.time_s
        if event.time_s < segment.earliest_s:
            segment.earliest_s = event.time_s
        self.current.apply(event)
        if self._length < self._capacity:
            self._length += 1
        else:
            self._drop()

    def _drop(self) -> None:
        """Let the oldest event fall out; its segment goes with its last."""
        oldest = self._segments[0]
        self.begin_s = max(self.begin_s, oldest.events[self._hidden].time_s)
        self.dropped += 1
        self._hidden += 1
        if self._hidden == len(oldest.events) and len(self._segments) > 1:
            self._segments.popleft()
            self._hidden = 0

    def extend(self, events: Iterable[TraceEvent]) -> None:
        """Add several events in order."""
        for event in events:
            self.append(event)

    def events(self) -> list[TraceEvent]:
        """Return the events, oldest first."""
        events = self._segments[0].events[self._hidden :]
        for segment in itertools.islice(self._segments, 1, None):
            events += segment.events
        return events

    @property
    def count(self) -> int:
        """How many events there have been."""
        return self.dropped + self._length

    def since(self, seen: int) -> tuple[int, list[TraceEvent]]:
        """Return how many events there have been, and those behind the first `seen`, as far as they are still kept.

        It costs what is new, not what is kept, for a view that looks twice a second.
        """
        left = min(self._length, max(0, self.count - seen))
        new: list[list[TraceEvent]] = []
        for segment in reversed(self._segments):
            if left <= 0:
                break
            new.append(segment.events[-left:])
            left -= len(new[-1])
        return self.count, [event for events in reversed(new) for event in events]

    def table(self, at: float | None = None) -> Table:
        """Return a copy of the table as it is, or as all events up to `at` seconds after the start make it.

        Several nodes write, so times are nearly, not strictly, in order: later segments may have
        something to add, and tell by their earliest time.
        """
        if at is None:
            return self.current.copy()
        whole = 0  # segments of which, and before which, no event is later
        while whole < len(self._segments) and self._segments[whole].latest_s <= at:
            whole += 1
        if whole == len(self._segments):
            return self.current.copy()
        table = self._segments[whole].before.copy() if whole else self.base
        for segment in itertools.islice(self._segments, whole, None):
            if segment.earliest_s <= at:
                first = self._hidden if segment is self._segments[0] else 0
                for event in itertools.islice(segment.events, first, None):
                    if event.time_s <= at:
                        table.apply(event)
        return table
