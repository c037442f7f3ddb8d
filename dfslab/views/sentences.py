"""Events as sentences: what a line of the trace says, for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dfslab.core.errors import InvalidOption
from dfslab.core.faults import Action
from dfslab.core.pretty import count_text, size_text
from dfslab.core.trace import Kind, TraceEvent


def seconds(time_s: float) -> str:
    """Return a moment as people write it.

    >>> seconds(12.3004)
    '12.3 s'
    """
    text = f"{time_s:.3f}".rstrip("0")
    return f"{text}0 s" if text.endswith(".") else f"{text} s"


def sentence(event: TraceEvent, file_name: str = "") -> str:
    """Return what an event says, without its time; `file_name` where the event knows only the version."""
    tell = _SENTENCES.get(event.kind)
    if tell is None:
        return f"{event.node}: {str(event.kind).replace('_', ' ')}"
    return tell(event, event.file_name or file_name or event.version)


def action_text(event: TraceEvent) -> str:
    """Return the line of Python that left a line of kind `fault`; or its words, where it is not one of ours."""
    try:
        return Action.from_event(event).python
    except InvalidOption:
        return f"{event.detail.get('action', 'a fault')} {event.peer}".strip()


def _registered(event: TraceEvent, file_name: str) -> str:
    number = int(event.detail.get("incarnation", 1))
    again = "" if number <= 1 else f" again (incarnation {number})"
    return f"{event.peer} registered{again} and reported what is on its disk"


def _scan(event: TraceEvent, file_name: str) -> str:
    found = [(event.detail.get("short", 0), "short of copies"), (event.detail.get("surplus", 0), "with too many")]
    words = [f"{count_text(number, 'file')} {what}" for number, what in found if number]
    return "the replication scan found " + (" and ".join(words) or "every file in order")


def _downloaded(event: TraceEvent, file_name: str) -> str:
    took_s, holders = event.detail.get("seconds", 0.0), event.detail.get("holders", 0)
    rate = f", {event.bytes / 1e6 / took_s:.3g} MB/s" if took_s > 0 else ""
    return f"{event.node} had {file_name}{_bytes(event)} from {count_text(holders, 'keeper')} in {took_s:.2f} s{rate}"


def _scrubbed(event: TraceEvent, file_name: str) -> str:
    checked, bad = event.detail.get("replicas", 0), event.detail.get("bad", 0)
    found = f"found {count_text(bad, 'bad one')}" if bad else "found them as they were stored"
    return f"{event.node} read {count_text(checked, 'replica')} again{_bytes(event)} and {found}"


def _strays(event: TraceEvent, file_name: str) -> str:
    names, count = event.detail.get("names", ()), event.detail.get("count", 0)
    more = ", ..." if count > len(names) else ""
    return f"{event.node} left alone what is not its own in its directory: {', '.join(names)}{more}"


def _degraded(event: TraceEvent, file_name: str) -> str:
    live, wanted = event.detail.get("live", 0), event.detail.get("wanted", 0)
    return f"{file_name} had {live} of {wanted} live copies, and no keeper could take another"


def _because(event: TraceEvent) -> str:
    return str(event.detail.get("reason", "")) or "no reason given"


def _bytes(event: TraceEvent) -> str:
    return f" ({size_text(event.bytes)})" if event.bytes else ""


_SENTENCES: Mapping[Kind, Callable[[TraceEvent, str], str]] = {
    Kind.CLUSTER_STARTED: lambda e, f: f"cluster {e.detail.get('name', '')} started",
    Kind.MASTER_STARTED: lambda e, f: "the master started, with what its catalog remembers",
    Kind.FILE_RESTORED: lambda e, f: f"the catalog had {f}{_bytes(e)}",
    Kind.REPLICA_RESTORED: lambda e, f: f"the catalog had the copy of {f} on {e.peer}",
    Kind.SAFE_MODE_ENDED: lambda e, f: "the master, restarted, stopped waiting for its keepers' reports",
    Kind.MASTER_READ_ONLY: lambda e, f: f"the master can be read from only: {_because(e)}",
    Kind.MASTER_WRITABLE: lambda e, f: "the master takes changes again: its catalog can be written",
    Kind.KEEPER_REGISTERED: _registered,
    Kind.HEARTBEAT: lambda e, f: f"the master heard a heartbeat of {e.peer}, the last before it fell silent",
    Kind.KEEPER_DEAD: lambda e, f: f"the master declared {e.peer} dead: it had missed its heartbeats",
    Kind.KEEPER_DRAINING: lambda e, f: f"the master began to drain {e.peer}, which is to be decommissioned",
    Kind.KEEPER_DECOMMISSIONED: lambda e, f: f"the master let {e.peer} go: its files have enough copies elsewhere",
    Kind.KEEPER_FENCED: lambda e, f: f"{e.node} stopped: another process had registered under its name",
    Kind.REGISTRATION_LAPSED: lambda e, f: (
        f"the master refused what {e.node} said as its incarnation {e.detail.get('incarnation', '')}: it registers anew"
    ),
    Kind.UPLOAD_REQUESTED: lambda e, f: f"{e.node} asked the master to store {f}{_bytes(e)}",
    Kind.SLOT_GRANTED: lambda e, f: f"the master chose {e.detail['keeper']} for the upload",
    Kind.UPLOAD_STARTED: lambda e, f: f"{e.node} began to send {f} to {e.peer}",
    Kind.UPLOAD_RETRIED: lambda e, f: f"{e.node} tried {f} elsewhere: {_because(e)}",
    Kind.UPLOAD_ACKNOWLEDGED: lambda e, f: f"the master told {e.peer or 'the client'} that {f} is stored",
    Kind.UPLOAD_FAILED: lambda e, f: f"the upload of {f} failed: {_because(e)}",
    Kind.REPLICA_STORED: lambda e, f: f"{e.node} had {f} safe on its disk and was about to tell the master",
    Kind.FILE_COMMITTED: lambda e, f: f"the master committed {f}{_bytes(e)}",
    Kind.REPLICA_RECORDED: lambda e, f: f"the master recorded the copy of {f} on {e.peer}",
    Kind.COPY_ORDERED: lambda e, f: (
        f"the master ordered a copy of {f} from {e.detail['source']} to {e.peer} ({e.detail['reason']})"
    ),
    Kind.COPY_STARTED: lambda e, f: f"{e.node} began to fetch {f} from {e.peer}",
    Kind.COPY_DONE: lambda e, f: f"{e.peer} had its copy of {f}",
    Kind.COPY_FAILED: lambda e, f: f"a copy of {f} from {e.detail['source']} to {e.peer} failed: {e.detail['reason']}",
    Kind.DOWNLOAD_STARTED: lambda e, f: f"{e.node} asked {', '.join(e.detail.get('holders', ()))} for {f} at once",
    Kind.CHUNK_FAILED: lambda e, f: f"{e.peer} did not deliver a chunk of {f}: {_because(e)}",
    Kind.DOWNLOAD_DONE: _downloaded,
    Kind.DOWNLOAD_FAILED: lambda e, f: f"the download of {f} failed: {_because(e)}",
    Kind.FILE_RENAMED: lambda e, f: f"{e.detail.get('old', 'a file')} was renamed to {f}",
    Kind.FILE_DELETED: lambda e, f: f"{f} was {e.detail['reason']}: its copies may go",
    Kind.REPLICA_DROP_ORDERED: lambda e, f: f"the master ordered {e.peer} to delete its copy ({e.detail['reason']})",
    Kind.REPLICA_FORGOTTEN: lambda e, f: f"the master took the copy of {f} on {e.peer} out of the lookup table",
    Kind.REPLICA_CORRUPT: lambda e, f: f"the copy of {f} on {e.peer} was found corrupt ({e.detail['reason']})",
    Kind.DAMAGE_FOUND: lambda e, f: f"{e.node} found its copy of {f} damaged: {_because(e)}",
    Kind.SCRUB_DONE: _scrubbed,
    Kind.DISK_FAILED: lambda e, f: f"the disk of {e.node} failed: {_because(e)}",
    Kind.STRAYS_FOUND: _strays,
    Kind.ORPHAN_FOUND: lambda e, f: f"{e.peer} reported a replica that the catalog does not know",
    Kind.DEGRADED: _degraded,
    Kind.SCAN: _scan,
    Kind.NODE_ERROR: lambda e, f: f"{e.node} met an error: {_because(e)}",
    Kind.FAULT: lambda e, f: action_text(e),
}

SPOKEN = frozenset(_SENTENCES)
"""The kinds that have a sentence."""
