"""The trace: everything that happened, as events from which every table and picture is made."""

from __future__ import annotations

import enum
import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dfslab.core.history import Table

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Kind(enum.StrEnum):
    """What may happen. The numbers are the steps of an upload (see ARCHITECTURE.md)."""

    MASTER_STARTED = "master_started"
    FILE_RESTORED = "file_restored"
    REPLICA_RESTORED = "replica_restored"
    SAFE_MODE_ENDED = "safe_mode_ended"
    KEEPER_REGISTERED = "keeper_registered"
    KEEPER_UNSEEN = "keeper_unseen"
    HEARTBEAT = "heartbeat"
    KEEPER_DEAD = "keeper_dead"
    KEEPER_DRAINING = "keeper_draining"
    KEEPER_DECOMMISSIONED = "keeper_decommissioned"
    KEEPER_FENCED = "keeper_fenced"

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
    ORPHAN_FOUND = "orphan_found"
    SCAN = "scan"
    DEGRADED = "degraded"

    CLUSTER_STARTED = "cluster_started"
    FAULT = "fault"
    UNHEARD = "unheard"
    NODE_ERROR = "node_error"


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
        number = next(self._numbers)
        return TraceEvent(
            f"{self._prefix}:{number}", now, self.node, kind, file_name, version, peer, bytes, cause, detail or _NOTHING
        )


class Trace:
    """The events of a cluster, oldest first, bounded; what falls out is kept as the table it led to.

    Parameters
    ----------
    capacity : int
        Events kept. Older ones are folded into `base`, so that the lookup table is right at every
        moment that the trace still covers.
    """

    def __init__(self, capacity: int = 200_000) -> None:
        self.base = Table()
        self.current = Table()
        self._events: deque[TraceEvent] = deque()
        self._capacity = capacity
        self.dropped = 0

    def append(self, event: TraceEvent) -> None:
        """Add an event and bring the current table up to it."""
        if len(self._events) >= self._capacity:
            self.base.apply(self._events.popleft())
            self.dropped += 1
        self._events.append(event)
        self.current.apply(event)

    def extend(self, events: Iterable[TraceEvent]) -> None:
        """Add several events in order."""
        for event in events:
            self.append(event)

    def events(self) -> list[TraceEvent]:
        """Return the events, oldest first."""
        return list(self._events)

    def since(self, seen: int) -> tuple[int, list[TraceEvent]]:
        """Return how many events there have been, and those behind the first `seen`, as far as they are still kept.

        It costs what is new, not what is kept, for a view that looks twice a second.
        """
        total = self.dropped + len(self._events)
        new = list(itertools.islice(reversed(self._events), max(0, total - seen)))
        return total, new[::-1]

    def table(self, at: float | None = None) -> Table:
        """Return a copy of the table as it is, or as it was `at` seconds after the start."""
        if at is None:
            return self.current.copy()
        table = self.base.copy()
        for event in self._events:
            if event.time_s <= at:
                table.apply(event)
        return table
