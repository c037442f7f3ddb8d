"""Uploads, downloads and copies, put together from the lines that each left in the trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.snapshot import in_natural_order

MASTER_RESTARTED = "the master was restarted meanwhile"


@dataclass
class Transfer:
    """One upload, download or copy, as far as the trace tells.

    A trace may lack its first lines (they fell out of a bounded trace) or its last ones (it is still
    running); what is not known is empty, 0 or NaN.
    """

    transfer: str
    kind: str
    file_name: str = ""
    version: str = ""
    source: str = ""
    target: str = ""
    bytes: int = 0
    start_s: float = math.nan
    end_s: float = math.nan
    seconds: float = math.nan
    state: str = "running"
    reason: str = ""
    attempts: dict[str, str] = field(default_factory=dict)  # version -> keeper, for an upload
    served: dict[str, None] = field(default_factory=dict)  # keepers, for a download

    @property
    def throughput_mb_s(self) -> float:
        """Rate in MB/s (10^6 bytes); NaN unless it is done."""
        return self.bytes / 1e6 / self.seconds if self.state == "done" and self.seconds > 0 else math.nan

    def about(self, event: TraceEvent) -> None:
        """Note what an event says of the file."""
        self.file_name = event.file_name or self.file_name
        self.version = event.version or self.version
        self.bytes = event.bytes or self.bytes

    def begin(self, event: TraceEvent, *, source: str = "", target: str = "") -> None:
        """Note who asked for it, and when."""
        self.about(event)
        self.start_s, self.source, self.target = event.time_s, source, target

    def end(self, event: TraceEvent, state: str, reason: str = "") -> None:
        """Close the books; a later word corrects an earlier one."""
        self.about(event)
        self.state, self.reason, self.end_s = state, reason, event.time_s
        self.seconds = float(event.detail.get("seconds", event.time_s - self.start_s))
        self.target = self.attempts.get(self.version, self.target)

    def values(self) -> tuple[Any, ...]:
        """Return the row of the table, see `dfslab.views.tables.transfers`."""
        return (
            self.transfer,
            self.kind,
            self.file_name,
            self.version,
            ",".join(in_natural_order(self.served)) if self.kind == "download" else self.source,
            self.target,
            self.bytes,
            self.start_s,
            self.end_s,
            self.seconds,
            self.throughput_mb_s,
            self.state,
            self.reason,
        )


def fold_transfers(events: Iterable[TraceEvent]) -> list[Transfer]:
    """Return the transfers of a trace in the order in which they began."""
    fold = _Fold()
    for event in events:
        step = _STEPS.get(event.kind)
        if step is not None:
            step(fold, event)
    return list(fold.rows.values())


def copies_under_way(events: Iterable[TraceEvent]) -> list[Transfer]:
    """Return the copies between keepers that a trace has seen ordered, and neither arrive nor given up."""
    return [row for row in fold_transfers(events) if row.kind == "copy" and row.state == "running"]


class _Fold:
    """The transfers so far, and what it takes to know which of them the next event is about."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Transfer] = {}
        self._request_of: dict[str, str] = {}  # id of a DOWNLOAD_STARTED -> id of its DOWNLOAD_REQUESTED

    def row(self, kind: str, transfer: str) -> Transfer:
        return self.rows.setdefault((kind, transfer), Transfer(transfer, kind))

    # -- uploads: the client's lines carry `transfer`, the master's the same id as `upload` ------

    def upload_requested(self, event: TraceEvent) -> None:
        self.row("upload", event.detail["transfer"]).begin(event, source=event.node)

    def slot_granted(self, event: TraceEvent) -> None:
        """A client elsewhere leaves no lines in this trace, so the master's begin its row."""
        row = self.row("upload", event.detail["upload"])
        if math.isnan(row.start_s):
            row.begin(event, source=event.peer)
            row.file_name = event.detail["name"]
        row.target = event.detail["keeper"]
        row.attempts[event.detail["for_version"]] = event.detail["keeper"]

    def upload_started(self, event: TraceEvent) -> None:
        row = self.row("upload", event.detail["transfer"])
        row.about(event)
        row.target = row.attempts[event.version] = event.peer

    def upload_acknowledged(self, event: TraceEvent) -> None:
        """What the client itself says, before or after, counts more."""
        row = self.row("upload", event.detail["upload"])
        if row.state == "running":
            row.end(event, "done")

    def upload_done(self, event: TraceEvent) -> None:
        self.row("upload", event.detail["transfer"]).end(event, "done")

    def upload_failed(self, event: TraceEvent) -> None:
        self.row("upload", event.detail["transfer"]).end(event, "failed", event.detail["reason"])

    # -- downloads: all lines lead back to the request ------------------------------------------

    def download_requested(self, event: TraceEvent) -> None:
        self.row("download", event.id).begin(event, target=event.node)

    def download_started(self, event: TraceEvent) -> None:
        """A download that lost all holders starts again, with nothing of what they had served."""
        row = self._download(event)
        row.about(event)
        row.served.clear()
        self._request_of[event.id] = event.cause

    def chunk_fetched(self, event: TraceEvent) -> None:
        request = self._request_of.get(event.cause)
        if request is not None and event.detail["outcome"] == "ok":
            self.row("download", request).served[event.peer] = None

    def download_done(self, event: TraceEvent) -> None:
        self._download(event).end(event, "done")

    def download_failed(self, event: TraceEvent) -> None:
        self._download(event).end(event, "failed", event.detail["reason"])

    def _download(self, event: TraceEvent) -> Transfer:
        row = self.row("download", event.cause)
        row.target = event.node
        return row

    # -- copies: every line carries `copy` -------------------------------------------------------

    def copy_ordered(self, event: TraceEvent) -> None:
        self._copy(event).begin(event, source=event.detail["source"], target=event.peer)

    def copy_done(self, event: TraceEvent) -> None:
        self._copy(event).end(event, "done")

    def copy_failed(self, event: TraceEvent) -> None:
        self._copy(event).end(event, "failed", event.detail["reason"])

    def _copy(self, event: TraceEvent) -> Transfer:
        row = self.row("copy", event.detail["copy"])
        row.source, row.target = event.detail["source"], event.peer
        return row

    def replica_stored(self, event: TraceEvent) -> None:
        """A copy that outlived the master which ordered it: the keeper's word is all there is."""
        row = self.rows.get(("copy", event.detail.get("copy", "")))
        if row is not None and row.reason == MASTER_RESTARTED:
            row.end(event, "done")

    def master_started(self, event: TraceEvent) -> None:
        """A new master does not know the copies that the one before had ordered."""
        for row in self.rows.values():
            if row.kind == "copy" and row.state == "running":
                row.end(event, "failed", MASTER_RESTARTED)


_STEPS: dict[Kind, Callable[[_Fold, TraceEvent], None]] = {
    Kind.UPLOAD_REQUESTED: _Fold.upload_requested,
    Kind.SLOT_GRANTED: _Fold.slot_granted,
    Kind.UPLOAD_STARTED: _Fold.upload_started,
    Kind.UPLOAD_ACKNOWLEDGED: _Fold.upload_acknowledged,
    Kind.UPLOAD_DONE: _Fold.upload_done,
    Kind.UPLOAD_FAILED: _Fold.upload_failed,
    Kind.DOWNLOAD_REQUESTED: _Fold.download_requested,
    Kind.DOWNLOAD_STARTED: _Fold.download_started,
    Kind.CHUNK_FETCHED: _Fold.chunk_fetched,
    Kind.DOWNLOAD_DONE: _Fold.download_done,
    Kind.DOWNLOAD_FAILED: _Fold.download_failed,
    Kind.COPY_ORDERED: _Fold.copy_ordered,
    Kind.COPY_DONE: _Fold.copy_done,
    Kind.COPY_FAILED: _Fold.copy_failed,
    Kind.REPLICA_STORED: _Fold.replica_stored,
    Kind.MASTER_STARTED: _Fold.master_started,
}
