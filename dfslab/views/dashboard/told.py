"""The event feed: the trace told as one would tell it to somebody who looks over one's shoulder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dfslab.core.history import Table
from dfslab.core.trace import Kind, TraceEvent
from dfslab.views.sentences import sentence

GOOD, BAD, NEUTRAL, YOURS = "good", "bad", "neutral", "yours"
"""Tones: something was gained, something was lost, something goes on, somebody did something to the cluster."""

SIGNS: Mapping[str, str] = {GOOD: "✓", BAD: "✗", NEUTRAL: "→", YOURS: "⚡"}

_KINDS: Mapping[str, tuple[Kind, ...]] = {
    GOOD: (
        Kind.KEEPER_REGISTERED,
        Kind.MASTER_WRITABLE,
        Kind.FILE_COMMITTED,
        Kind.UPLOAD_ACKNOWLEDGED,
        Kind.COPY_DONE,
        Kind.DOWNLOAD_DONE,
    ),
    BAD: (
        Kind.MASTER_READ_ONLY,
        Kind.KEEPER_DEAD,
        Kind.KEEPER_FENCED,
        Kind.UPLOAD_RETRIED,
        Kind.UPLOAD_FAILED,
        Kind.COPY_FAILED,
        Kind.CHUNK_FAILED,
        Kind.DOWNLOAD_FAILED,
        Kind.DAMAGE_FOUND,
        Kind.REPLICA_CORRUPT,
        Kind.DISK_FAILED,
        Kind.DEGRADED,
        Kind.NODE_ERROR,
    ),
    NEUTRAL: (
        Kind.CLUSTER_STARTED,
        Kind.MASTER_STARTED,
        Kind.SAFE_MODE_ENDED,
        Kind.KEEPER_DRAINING,
        Kind.KEEPER_DECOMMISSIONED,
        Kind.UPLOAD_STARTED,
        Kind.COPY_ORDERED,
        Kind.DOWNLOAD_STARTED,
        Kind.FILE_DELETED,
        Kind.FILE_RENAMED,
        Kind.REPLICA_DROP_ORDERED,
        Kind.ORPHAN_FOUND,
        Kind.STRAYS_FOUND,
    ),
    YOURS: (Kind.FAULT,),
}
TONES: Mapping[Kind, str] = {kind: tone for tone, kinds in _KINDS.items() for kind in kinds}
"""The tone of every kind that is told; the others would only fill the page: heartbeats, chunks, scans."""


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the feed."""

    time_s: float
    tone: str
    text: str


def tell(event: TraceEvent, table: Table) -> Told | None:
    """Return the line for an event, or None for what is not told.

    Parameters
    ----------
    event : TraceEvent
    table : Table
        As it was just before the event: names come from it where the event has only a version.
    """
    tone = TONES.get(event.kind)
    if tone is None:
        return None
    file = table.files.get(event.version)
    return Told(event.time_s, tone, sentence(event, file.file_name if file else ""))
