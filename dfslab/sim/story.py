"""What happened to one file, told from the trace: for whoever has to find out why a guarantee broke."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dfslab.core.guarantees import Broken
from dfslab.core.trace import Kind, TraceEvent

MAX_LINES = 80
_ALWAYS = frozenset(
    {Kind.FAULT, Kind.MASTER_STARTED, Kind.KEEPER_REGISTERED, Kind.KEEPER_DEAD, Kind.SAFE_MODE_ENDED, Kind.NODE_ERROR}
)
_OF_NO_HELP = frozenset({"path", "directory", "address", "data_address", "upload", "free_bytes"})


def story_of(broken: Broken, trace: Sequence[TraceEvent]) -> list[str]:
    """Return the lines of the trace that concern a broken guarantee's file, and what was done to the nodes meanwhile.

    At most 80, the latest.
    """
    mine = [event for event in trace if _concerns(event, broken)]
    begin_s = mine[0].time_s - 1.0 if mine else 0.0
    later = (event for event in trace if event.time_s >= begin_s)
    lines = [_line(event) for event in later if _concerns(event, broken) or event.kind in _ALWAYS]
    left_out = len(lines) - MAX_LINES
    return [f"... {left_out} lines before", *lines[-MAX_LINES:]] if left_out > 0 else lines


def _concerns(event: TraceEvent, broken: Broken) -> bool:
    if broken.version:
        return broken.version in (event.version, event.detail.get("for_version"), event.detail.get("orphan"))
    return bool(broken.file_name) and event.file_name == broken.file_name


def _line(event: TraceEvent) -> str:
    return f"{event.time_s:9.3f}  {event.node:<9} {' '.join(_words(event))}"


def _words(event: TraceEvent) -> Iterator[str]:
    if event.kind is Kind.FAULT:
        yield f"** {event.detail['action']}"
        return
    yield str(event.kind)
    for value in (event.file_name, event.version, event.peer):
        if value:
            yield value
    for name, value in event.detail.items():
        if value not in ("", None) and name not in _OF_NO_HELP:
            yield f"{name}={value}"
