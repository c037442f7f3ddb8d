"""A trace as lines of JSON: what each line says, and reading them back with nothing taken on trust.

The first line is the `cluster_started` event; its detail carries the format and the cluster's
settings and, in an export, how many lines follow (`events`) and, when older events had fallen out,
the table that they led to (`base`). What is empty in an event is left out of its line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Any

from dfslab.core.errors import DfsError, InvalidOption, TraceUnreadable
from dfslab.core.history import Table
from dfslab.core.links import LINK_FIELDS
from dfslab.core.nodes import LAB
from dfslab.core.setup import TRACE_FORMAT, Setup
from dfslab.core.trace import Kind, Trace, TraceEvent

_REQUIRED = ("id", "time_s", "node", "kind")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def line_of(event: TraceEvent) -> str:
    """Return the event as a line of JSON, without its end.

    A running cluster does this for every event, so it says only what there is to say, and quickly.
    """
    values: dict[str, Any] = {"id": event.id, "time_s": event.time_s, "node": event.node, "kind": event.kind}
    if event.file_name:
        values["file_name"] = event.file_name
    if event.version:
        values["version"] = event.version
    if event.peer:
        values["peer"] = event.peer
    if event.bytes:
        values["bytes"] = event.bytes
    if event.cause:
        values["cause"] = event.cause
    if event.detail:
        values["detail"] = dict(event.detail)
    return _encode(values)


def header_of(setup: Setup, events: Sequence[TraceEvent], base: Table, begin_s: float) -> tuple[TraceEvent, int]:
    """Return the first line of an export, and how many events of the trace it stands for: 1, or 0 once it fell out."""
    if events and events[0].kind is Kind.CLUSTER_STARTED:
        extra: dict[str, Any] = {"events": len(events) - 1}
        return replace(events[0], detail={**events[0].detail, **extra}), 1
    extra = {"events": len(events), "base": base.as_dict()}
    return TraceEvent(f"{LAB}.export:0", begin_s, LAB, Kind.CLUSTER_STARTED, detail={**setup.as_detail(), **extra}), 0


@dataclass(frozen=True)
class SavedTrace:
    """A trace that was read back.

    Attributes
    ----------
    setup : Setup
    trace : Trace
    now_s : float
        The time of its last event, seconds since the cluster started.
    torn : bool
        True when the end of the file is missing.
    """

    setup: Setup
    trace: Trace
    now_s: float
    torn: bool


def read_trace(lines: Iterable[bytes], path: str, *, partial: bool = False) -> SavedTrace:
    """Read a trace from the lines of a file, each with its line end; raise TraceUnreadable naming line and field.

    With `partial`, a file that was cut short is read as far as it is whole.
    """
    return _Reader(path, partial).read(lines)


def event_of(line: bytes, path: str = "the line") -> TraceEvent:
    """Return the event of one line, as `line_of` made it; raise TraceUnreadable naming the field that is not one."""
    event = _Reader(path, partial=False)._event(line + b"\n")
    assert event is not None  # only a file that may be partial has a torn end
    return event


class _Reader:
    def __init__(self, path: str, partial: bool) -> None:
        self._path, self._partial = path, partial
        self._line = 0

    def read(self, lines: Iterable[bytes]) -> SavedTrace:
        trace: Trace | None = None
        setup, torn, now_s, promised = Setup(), False, 0.0, None
        for self._line, line in enumerate(lines, 1):
            event = self._event(line)
            if event is None:
                torn = True
                break
            if trace is None:
                setup, trace, promised = self._begin(event)
            else:
                self._append(trace, event)
            now_s = max(now_s, event.time_s)
        if trace is None:
            self._line = 1
            raise self._refused("", "the file is empty, or was cut short in its first line")
        return SavedTrace(setup, trace, now_s, self._is_short(promised) or torn)

    def _refused(self, field: str, reason: str) -> TraceUnreadable:
        return TraceUnreadable(path=self._path, line=self._line, field=field, reason=reason)

    # -- the whole file -----------------------------------------------------------------------

    def _begin(self, first: TraceEvent) -> tuple[Setup, Trace, int | None]:
        """Return what the first line says: the settings, the trace so far, and how many lines follow, if it knows."""
        if first.kind is not Kind.CLUSTER_STARTED:
            reason = (
                f"it is {str(first.kind)!r}, a whole cluster's trace begins with 'cluster_started'; that of one node "
                "(`dfslab master`, `dfslab keeper`) can't be replayed"
            )
            raise self._refused("kind", reason)
        setup = self._setup(first.detail)
        detail = {name: value for name, value in first.detail.items() if name not in ("events", "base")}
        promised = first.detail.get("events")
        if promised is not None and not _is_count(promised):
            raise self._refused("detail.events", f"it is {promised!r}, not a count")
        if "base" not in first.detail:
            trace = Trace(_ALL)
            trace.append(replace(first, detail=detail))
            return setup, trace, promised
        return setup, Trace(_ALL, self._base(first.detail["base"]), first.time_s), promised

    def _setup(self, detail: Mapping[str, Any]) -> Setup:
        number = detail.get("format", -1)
        if not _is_count(number):
            raise self._refused("detail.format", "it is missing or no number: this is no trace of dfslab's")
        if number != TRACE_FORMAT:
            advice = "a newer dfslab reads it" if number > TRACE_FORMAT else "it is too old"
            raise self._refused("detail.format", f"it is {number}, this version reads {TRACE_FORMAT}: {advice}")
        try:
            return Setup.from_detail(detail)
        except KeyError as error:
            raise self._refused(f"detail.{error.args[0]}", "it is missing") from None
        except InvalidOption as error:
            raise self._refused(f"detail.{error.fields['option']}", str(error)) from None
        except (TypeError, ValueError, AttributeError, DfsError) as error:
            raise self._refused("detail", f"the settings can't be read ({error})") from None

    def _base(self, values: Any) -> Table:
        try:
            for part, checks in _BASE.items():
                for row in values[part]:
                    self._check_row(f"detail.base.{part}", row, checks)
            return Table.from_dict(values)
        except (KeyError, TypeError, AttributeError) as error:
            raise self._refused("detail.base", f"the table can't be read ({error})") from None

    def _append(self, trace: Trace, event: TraceEvent) -> None:
        if event.kind is Kind.CLUSTER_STARTED:
            raise self._refused("kind", "a second 'cluster_started': the file holds more than one life of a cluster")
        file = trace.current.files.get(event.version) if event.kind is Kind.FILE_RENAMED else None
        if file is not None and file.file_name != event.detail["old"]:
            raise self._refused("detail.old", f"it is {_short(event.detail['old'])}, not {_short(file.file_name)}")
        try:
            trace.append(event)
        except KeyError:
            field = "version" if event.kind is Kind.FILE_RENAMED else "peer"
            raise self._refused(field, f"no earlier line brought {getattr(event, field)!r}") from None

    def _is_short(self, promised: int | None) -> bool:
        follow = self._line - 1
        if promised is None or follow == promised:
            return False
        if follow < promised and self._partial:
            return True
        reason = f"{promised} lines should follow, {follow} do: the file was " + (
            "cut short; replay(path, partial=True) reads what is there" if follow < promised else "added to"
        )
        self._line = 1
        raise self._refused("detail.events", reason)

    # -- one line -----------------------------------------------------------------------------

    def _event(self, line: bytes) -> TraceEvent | None:
        """Return the event of a line, or None for the torn end of a file that may be partial."""
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            if line.endswith(b"\n"):
                raise self._refused("", "it is no JSON") from None
            if self._partial:
                return None
            reason = "the file was cut short in this line; replay(path, partial=True) reads what is whole"
            raise self._refused("", reason) from None
        if not isinstance(values, dict):
            raise self._refused("", "it is no JSON object")
        return self._checked(values)

    def _checked(self, values: dict[str, Any]) -> TraceEvent:
        for name in _REQUIRED:
            if name not in values:
                raise self._refused(name, "it is missing")
        for name, value in values.items():
            check = _FIELDS.get(name)
            if check is None:
                raise self._refused(name, "an event has no such field")
            if not check.holds(value):
                raise self._refused(name, f"it is {_short(value)}, not {check.wanted}")
        kind, detail = _KINDS[values["kind"]], values.get("detail", {})
        self._check_row("detail", detail, _DETAIL.get(kind, _NO_CHECKS))
        get = values.get
        return TraceEvent(
            values["id"],
            float(values["time_s"]),
            intern(values["node"]),  # one text for many events
            kind,
            intern(get("file_name", "")),
            intern(get("version", "")),
            intern(get("peer", "")),
            get("bytes", 0),
            get("cause", ""),
            detail,
        )

    def _check_row(self, where: str, values: Mapping[str, Any], checks: Mapping[str, _Check]) -> None:
        for name, check in checks.items():
            if name not in values:
                if check.optional:
                    continue
                raise self._refused(f"{where}.{name}", "it is missing")
            if not check.holds(values[name]):
                raise self._refused(f"{where}.{name}", f"it is {_short(values[name])}, not {check.wanted}")


_ALL = 2**62
"""As many events as there are: a saved trace is not bounded again."""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


# -- what a field may be ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Check:
    wanted: str
    holds: Callable[[Any], bool]
    optional: bool = False

    def or_none(self) -> _Check:
        """Return the same for what may be missing, or null."""
        return _Check(f"{self.wanted}, or null", lambda value: value is None or self.holds(value), optional=True)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -_HUGE < value < _HUGE


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _HUGE


_HUGE = 2**63
"""What no number of a trace reaches; a DataFrame could not hold it."""
_YEAR_10000 = 253_402_300_800.0

_KINDS = {str(kind): kind for kind in Kind}
_TEXT = _Check("text", lambda value: isinstance(value, str))
_NUMBER = _Check("a number", _is_number)
_COUNT = _Check("a whole number, 0 or more", _is_count)
_OFF_OR_ON = _Check("true or false", lambda value: isinstance(value, bool))
_NAMES = _Check("a list of names", lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value))

_FIELDS: Mapping[str, _Check] = {
    "id": _Check("an event's id", lambda value: isinstance(value, str) and bool(value)),
    "time_s": _Check("a number of seconds, 0 or more", lambda value: _is_number(value) and value >= 0),
    "node": _TEXT,
    "kind": _Check("a kind that this version knows", lambda value: isinstance(value, str) and value in _KINDS),
    "file_name": _TEXT,
    "version": _TEXT,
    "peer": _TEXT,
    "bytes": _COUNT,
    "cause": _TEXT,
    "detail": _Check("a JSON object", lambda value: isinstance(value, dict)),
}

_UNIX_TIME = _Check("a time in seconds since 1970", lambda value: _is_number(value) and 0 <= value < _YEAR_10000)
_FILE = {"created_at": _UNIX_TIME}
_REPLICA = {"path": _TEXT}
_KEEPER = {
    "state": _TEXT,
    "incarnation": _COUNT,
    "address": _TEXT,
    "data_address": _TEXT,
    "directory": _TEXT,
    "free_bytes": _COUNT,
}
_REASON = {"reason": _TEXT}
_TRANSFER = {"transfer": _TEXT}
_COPY = {"source": _TEXT, "copy": _TEXT}
_CHUNK = {"reason": _TEXT.or_none(), "offset": _COUNT, "start_s": _NUMBER, "end_s": _NUMBER, "outcome": _TEXT}

_NO_CHECKS: Mapping[str, _Check] = {}
_DETAIL: Mapping[Kind, Mapping[str, _Check]] = {
    Kind.FILE_RESTORED: _FILE,
    Kind.REPLICA_RESTORED: _REPLICA,
    Kind.SAFE_MODE_ENDED: {"unseen": _NAMES},
    Kind.MASTER_READ_ONLY: _REASON,
    Kind.KEEPER_REGISTERED: _KEEPER,
    Kind.KEEPER_UNSEEN: {"incarnation": _COUNT},
    Kind.REGISTRATION_LAPSED: {"incarnation": _COUNT},
    Kind.HEARTBEAT: {"free_bytes": _COUNT},
    Kind.REPLICA_STORED: {"copy": _TEXT},
    Kind.UPLOAD_REQUESTED: _TRANSFER,
    Kind.SLOT_GRANTED: {"upload": _TEXT, "name": _TEXT, "keeper": _TEXT, "for_version": _TEXT},
    Kind.UPLOAD_STARTED: _TRANSFER,
    Kind.REPLICA_RECORDED: _REPLICA,
    Kind.FILE_COMMITTED: _FILE,
    Kind.UPLOAD_ACKNOWLEDGED: {"upload": _TEXT},
    Kind.COPY_ORDERED: {**_COPY, **_REASON, "shortage": _TEXT.or_none()},
    Kind.COPY_STARTED: {"copy": _TEXT},
    Kind.COPY_DONE: _COPY,
    Kind.COPY_FAILED: {**_COPY, **_REASON},
    Kind.UPLOAD_RETRIED: {**_TRANSFER, **_REASON},
    Kind.UPLOAD_DONE: _TRANSFER,
    Kind.UPLOAD_FAILED: {**_TRANSFER, **_REASON},
    Kind.PROGRESS: {"total": _COUNT, "copy": _TEXT.or_none(), "transfer": _TEXT.or_none()},
    Kind.DOWNLOAD_STARTED: {"holders": _NAMES},
    Kind.CHUNK_FETCHED: _CHUNK,
    Kind.CHUNK_FAILED: _CHUNK | _REASON,
    Kind.DOWNLOAD_DONE: {"seconds": _NUMBER, "holders": _COUNT},
    Kind.DOWNLOAD_FAILED: _REASON,
    Kind.FILE_DELETED: _REASON,
    Kind.FILE_RENAMED: {"old": _TEXT},
    Kind.REPLICA_DROP_ORDERED: _REASON,
    Kind.REPLICA_CORRUPT: _REASON,
    Kind.DAMAGE_FOUND: {**_REASON, "finder": _TEXT},
    Kind.SCRUB_DONE: {"replicas": _COUNT, "bad": _COUNT},
    Kind.DISK_FAILED: _REASON,
    Kind.STRAYS_FOUND: {"names": _NAMES, "count": _COUNT},
    Kind.SCAN: {"short": _COUNT.or_none(), "surplus": _COUNT.or_none()},
    Kind.FAULT: {
        "action": _TEXT,
        "a": _NAMES.or_none(),
        "b": _NAMES.or_none(),
        "one_way": _OFF_OR_ON.or_none(),
        "wipe": _OFF_OR_ON.or_none(),
        "restored": _OFF_OR_ON.or_none(),
        "other": _TEXT.or_none(),
        "how": _TEXT.or_none(),
        **{name: _NUMBER.or_none() for name in LINK_FIELDS},
    },
    Kind.NODE_ERROR: _REASON,
}
"""What the tables, the pictures and the explanations take from an event's detail."""

_BASE: Mapping[str, Mapping[str, _Check]] = {
    "keepers": {
        "keeper": _TEXT,
        "last_heartbeat_s": _NUMBER.or_none(),
        **_KEEPER,
    },
    "files": {"version": _TEXT, "file_name": _TEXT, "size": _COUNT, **_FILE},
    "replicas": {"version": _TEXT, "keeper": _TEXT, "state": _TEXT, "since_s": _NUMBER, **_REPLICA},
}
"""What the rows are of the table that an export begins with."""
