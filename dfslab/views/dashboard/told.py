"""The event feed: the trace told in sentences, as one would tell it to somebody who looks over one's shoulder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dfslab.core.faults import ACTIONS, Action
from dfslab.core.history import Table
from dfslab.core.pretty import size_text
from dfslab.core.trace import Kind, TraceEvent

GOOD, BAD, NEUTRAL, YOURS = "good", "bad", "neutral", "yours"
"""Tones: something was gained, something was lost, something goes on, somebody did something to the cluster."""

SIGNS: Mapping[str, str] = {GOOD: "✓", BAD: "✗", NEUTRAL: "→", YOURS: "⚡"}


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the feed."""

    time_s: float
    tone: str
    text: str


def tell(event: TraceEvent, table: Table) -> Told | None:
    """Return the sentence for an event, or None for what would only fill the page: heartbeats, chunks, scans.

    Parameters
    ----------
    event : TraceEvent
    table : Table
        As it was just before the event: names come from it where the event has only a version.
    """
    entry = _SENTENCES.get(event.kind)
    if entry is None:
        return None
    tone, sentence = entry
    return Told(event.time_s, tone, sentence(event, _file_of(event, table)))


def _file_of(event: TraceEvent, table: Table) -> str:
    if event.file_name:
        return event.file_name
    row = table.files.get(event.version)
    return row.file_name if row else event.version


def _registered(event: TraceEvent, file: str) -> str:
    times = event.detail.get("incarnation", 1)
    return f"{event.peer} registers with the master" + (f", for the {_ordinal(times)} time" if times > 1 else "")


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _ordered(event: TraceEvent, file: str) -> str:
    why = event.detail.get("reason", "")
    return f"the master has {file} copied from {event.detail['source']} to {event.peer}" + (f" ({why})" if why else "")


def _downloaded(event: TraceEvent, file: str) -> str:
    seconds, holders = event.detail["seconds"], event.detail["holders"]
    rate = f", {event.bytes / 1e6 / seconds:.3g} MB/s" if seconds > 0 else ""
    keepers = "1 keeper" if holders == 1 else f"{holders} keepers"
    return f"{event.node} has {file}: {size_text(event.bytes)} from {keepers} in {seconds:.2f} s{rate}"


def _done_to(event: TraceEvent, file: str) -> str:
    """What somebody did, as the Python that does it; a trace of another version may know other actions."""
    action = str(event.detail.get("action", "fault"))
    known = action in ACTIONS or f"{action}_master" in ACTIONS
    return Action.from_event(event).python if known else f"{action} {event.peer}".rstrip()


def _because(event: TraceEvent) -> str:
    return str(event.detail.get("reason", "")) or "no reason given"


_SENTENCES: Mapping[Kind, tuple[str, Callable[[TraceEvent, str], str]]] = {
    Kind.CLUSTER_STARTED: (NEUTRAL, lambda e, f: f"cluster {e.detail.get('name', '')} starts"),
    Kind.MASTER_STARTED: (
        NEUTRAL,
        lambda e, f: f"the master tracker starts with {e.detail.get('files', 0)} files in its catalog",
    ),
    Kind.SAFE_MODE_ENDED: (NEUTRAL, lambda e, f: "the master has heard its keepers and repairs again"),
    Kind.KEEPER_REGISTERED: (GOOD, _registered),
    Kind.KEEPER_DEAD: (BAD, lambda e, f: f"the master has not heard {e.peer} for too long and counts it as dead"),
    Kind.KEEPER_DRAINING: (NEUTRAL, lambda e, f: f"{e.peer} is being emptied"),
    Kind.KEEPER_DECOMMISSIONED: (NEUTRAL, lambda e, f: f"{e.peer} has left the cluster"),
    Kind.KEEPER_FENCED: (BAD, lambda e, f: f"{e.node} stops: another process registered under its name"),
    Kind.UPLOAD_STARTED: (NEUTRAL, lambda e, f: f"{e.node} sends {f} ({size_text(e.bytes)}) to {e.peer}"),
    Kind.FILE_COMMITTED: (GOOD, lambda e, f: f"{f} is in the lookup table, its first copy on {e.peer}"),
    Kind.UPLOAD_ACKNOWLEDGED: (GOOD, lambda e, f: f"the master tells {e.peer} that {f} is stored"),
    Kind.UPLOAD_RETRIED: (BAD, lambda e, f: f"{e.node} tries {f} elsewhere: {_because(e)}"),
    Kind.UPLOAD_FAILED: (BAD, lambda e, f: f"the upload of {f} failed: {_because(e)}"),
    Kind.COPY_ORDERED: (NEUTRAL, _ordered),
    Kind.COPY_DONE: (GOOD, lambda e, f: f"{e.peer} has a copy of {f}"),
    Kind.COPY_FAILED: (BAD, lambda e, f: f"the copy of {f} to {e.peer} failed: {_because(e)}"),
    Kind.DOWNLOAD_STARTED: (
        NEUTRAL,
        lambda e, f: f"{e.node} asks {', '.join(e.detail.get('holders', ()))} for {f} at once",
    ),
    Kind.CHUNK_FAILED: (BAD, lambda e, f: f"{e.peer} did not deliver a chunk of {f}: {_because(e)}"),
    Kind.DOWNLOAD_DONE: (GOOD, _downloaded),
    Kind.DOWNLOAD_FAILED: (BAD, lambda e, f: f"the download of {f} failed: {_because(e)}"),
    Kind.FILE_DELETED: (NEUTRAL, lambda e, f: f"{f} leaves the lookup table ({_because(e)})"),
    Kind.FILE_RENAMED: (NEUTRAL, lambda e, f: f"{e.detail.get('old', '')} is now called {f}"),
    Kind.REPLICA_DROP_ORDERED: (NEUTRAL, lambda e, f: f"{e.peer} is to delete its copy of {f} ({_because(e)})"),
    Kind.REPLICA_CORRUPT: (BAD, lambda e, f: f"the copy of {f} on {e.peer} is bad: {_because(e)}"),
    Kind.ORPHAN_FOUND: (NEUTRAL, lambda e, f: f"{e.peer} holds a replica that the catalog does not know"),
    Kind.DEGRADED: (
        BAD,
        lambda e, f: f"{f} has {e.detail.get('live', 0)} of {e.detail.get('wanted', 0)} copies and no keeper for more",
    ),
    Kind.FAULT: (YOURS, _done_to),
    Kind.NODE_ERROR: (BAD, lambda e, f: f"{e.node} met an error: {_because(e)}"),
}
"""Tone and sentence of every kind that is told."""
