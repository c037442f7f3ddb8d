"""Uploads, downloads and copies, put together from the lines that each left in the trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dfslab.core.history import Table
from dfslab.core.trace import NAMING, Kind, TraceEvent
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
    served: dict[str, int] = field(default_factory=dict)  # keeper -> bytes, for a download
    progress_bytes: int = 0  # of an upload or a copy, by its last word

    @property
    def throughput_mb_s(self) -> float:
        """Rate in MB/s (10^6 bytes); NaN unless it is done."""
        return self.bytes / 1e6 / self.seconds if self.state == "done" and self.seconds > 0 else math.nan

    @property
    def done_bytes(self) -> int:
        """How much of it has moved, as far as is known; a hedged chunk that came twice counts once."""
        if self.state == "done":
            return self.bytes
        return min(sum(self.served.values()) if self.kind == "download" else self.progress_bytes, self.bytes)

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
    fold = TransferFold()
    for event in events:
        fold.apply(event)
    return list(fold.rows.values())


def copies_under_way(events: Iterable[TraceEvent]) -> list[Transfer]:
    """Return the copies between keepers that a trace has seen ordered, and neither arrive nor given up."""
    return [row for row in fold_transfers(events) if row.kind == "copy" and row.state == "running"]


def names_of_files(base: Table, events: Iterable[TraceEvent]) -> dict[str, None]:
    """Return every name that a file of a trace ever had, or was to have: `base` is the table before the first event."""
    names = dict.fromkeys(row.file_name for row in base.files.values())
    naming = NAMING | {Kind.UPLOAD_REQUESTED}
    names.update(dict.fromkeys(event.file_name for event in events if event.kind in naming))
    return names


class TransferFold:
    """The transfers so far, and what it takes to know which of them the next event is about."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Transfer] = {}
        self._request_of: dict[str, str] = {}  # id of a DOWNLOAD_STARTED -> id of its DOWNLOAD_REQUESTED

    def apply(self, event: TraceEvent) -> None:
        """Take in an event; kinds that are about no transfer pass by."""
        step = _STEPS.get(event.kind)
        if step is not None:
            step(self, event)

    def forget(self, keep: int) -> None:
        """Keep only so many of the transfers that are over, the newest, and what still runs."""
        over = [key for key, row in self.rows.items() if row.state != "running"]
        gone = {key[1] for key in over[: max(0, len(over) - keep)] if self.rows.pop(key)}
        self._request_of = {start: request for start, request in self._request_of.items() if request not in gone}

    def _row(self, kind: str, transfer: str) -> Transfer:
        return self.rows.setdefault((kind, transfer), Transfer(transfer, kind))

    # -- uploads: the client's lines carry `transfer`, the master's the same id as `upload` ------

    def _upload_requested(self, event: TraceEvent) -> None:
        self._row("upload", event.detail["transfer"]).begin(event, source=event.node)

    def _slot_granted(self, event: TraceEvent) -> None:
        """A client elsewhere leaves no lines in this trace, so the master's begin its row."""
        row = self._row("upload", event.detail["upload"])
        if math.isnan(row.start_s):
            row.begin(event, source=event.peer)
            row.file_name = event.detail["name"]
        row.target = event.detail["keeper"]
        row.attempts[event.detail["for_version"]] = event.detail["keeper"]

    def _upload_started(self, event: TraceEvent) -> None:
        row = self._row("upload", event.detail["transfer"])
        row.about(event)
        row.target = row.attempts[event.version] = event.peer

    def _upload_acknowledged(self, event: TraceEvent) -> None:
        """What the client itself says, before or after, counts more."""
        row = self._row("upload", event.detail["upload"])
        if row.state == "running":
            row.end(event, "done")

    def _upload_done(self, event: TraceEvent) -> None:
        self._row("upload", event.detail["transfer"]).end(event, "done")

    def _upload_failed(self, event: TraceEvent) -> None:
        self._row("upload", event.detail["transfer"]).end(event, "failed", event.detail["reason"])

    # -- downloads: all lines lead back to the request ------------------------------------------

    def _download_requested(self, event: TraceEvent) -> None:
        self._row("download", event.id).begin(event, target=event.node)

    def _download_started(self, event: TraceEvent) -> None:
        """A download that lost all holders starts again, with nothing of what they had served."""
        row = self._download(event)
        row.about(event)
        row.served.clear()
        self._request_of[event.id] = event.cause

    def _chunk_fetched(self, event: TraceEvent) -> None:
        request = self._request_of.get(event.cause)
        if request is not None and event.detail["outcome"] == "ok":
            served = self._row("download", request).served
            served[event.peer] = served.get(event.peer, 0) + event.bytes

    def _download_done(self, event: TraceEvent) -> None:
        self._download(event).end(event, "done")

    def _download_failed(self, event: TraceEvent) -> None:
        self._download(event).end(event, "failed", event.detail["reason"])

    def _download(self, event: TraceEvent) -> Transfer:
        row = self._row("download", event.cause)
        row.target = event.node
        return row

    def _progress(self, event: TraceEvent) -> None:
        """How far an upload or a copy has come; a word that arrives after its end changes nothing."""
        detail = event.detail
        key = ("copy", detail["copy"]) if "copy" in detail else ("upload", detail.get("transfer", ""))
        row = self.rows.get(key)
        if row is not None and row.state == "running":
            row.progress_bytes = event.bytes
            row.bytes = row.bytes or int(detail.get("total", 0))

    # -- copies: every line carries `copy` -------------------------------------------------------

    def _copy_ordered(self, event: TraceEvent) -> None:
        self._copy(event).begin(event, source=event.detail["source"], target=event.peer)

    def _copy_done(self, event: TraceEvent) -> None:
        self._copy(event).end(event, "done")

    def _copy_failed(self, event: TraceEvent) -> None:
        self._copy(event).end(event, "failed", event.detail["reason"])

    def _copy(self, event: TraceEvent) -> Transfer:
        row = self._row("copy", event.detail["copy"])
        row.source, row.target = event.detail["source"], event.peer
        return row

    def _replica_stored(self, event: TraceEvent) -> None:
        """A copy that outlived the master which ordered it: the keeper's word is all there is."""
        row = self.rows.get(("copy", event.detail.get("copy", "")))
        if row is not None and row.reason == MASTER_RESTARTED:
            row.end(event, "done")

    def _master_started(self, event: TraceEvent) -> None:
        """A new master does not know the copies that the one before had ordered."""
        for row in self.rows.values():
            if row.kind == "copy" and row.state == "running":
                row.end(event, "failed", MASTER_RESTARTED)


_STEPS: dict[Kind, Callable[[TransferFold, TraceEvent], None]] = {
    Kind.UPLOAD_REQUESTED: TransferFold._upload_requested,
    Kind.SLOT_GRANTED: TransferFold._slot_granted,
    Kind.UPLOAD_STARTED: TransferFold._upload_started,
    Kind.UPLOAD_ACKNOWLEDGED: TransferFold._upload_acknowledged,
    Kind.UPLOAD_DONE: TransferFold._upload_done,
    Kind.UPLOAD_FAILED: TransferFold._upload_failed,
    Kind.PROGRESS: TransferFold._progress,
    Kind.DOWNLOAD_REQUESTED: TransferFold._download_requested,
    Kind.DOWNLOAD_STARTED: TransferFold._download_started,
    Kind.CHUNK_FETCHED: TransferFold._chunk_fetched,
    Kind.DOWNLOAD_DONE: TransferFold._download_done,
    Kind.DOWNLOAD_FAILED: TransferFold._download_failed,
    Kind.COPY_ORDERED: TransferFold._copy_ordered,
    Kind.COPY_DONE: TransferFold._copy_done,
    Kind.COPY_FAILED: TransferFold._copy_failed,
    Kind.REPLICA_STORED: TransferFold._replica_stored,
    Kind.MASTER_STARTED: TransferFold._master_started,
}
