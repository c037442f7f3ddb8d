"""A saved trace: what was written is read back the same, and what is wrong with a file is named by line and field."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.errors import TraceUnreadable
from dfslab.core.links import Link
from dfslab.core.options import Options
from dfslab.core.saved import SavedTrace, header_of, line_of, read_trace
from dfslab.core.setup import TRACE_FORMAT, Setup
from dfslab.core.trace import Kind, Trace, TraceEvent, Tracer

from .test_trace import BUSY

SETUP = Setup(name="saved", n=4, options=Options(replicas=2), speed=2.0, link=Link(rate_mb_s=20.0))
FIRST = Tracer("lab", "1").event(Kind.CLUSTER_STARTED, 0.0, **SETUP.as_detail())
EVENTS = [FIRST, *BUSY]


def written(events: list[TraceEvent]) -> list[bytes]:
    """Return what a running cluster writes: a line an event."""
    return [f"{line_of(event)}\n".encode() for event in events]


def exported(trace: Trace) -> list[bytes]:
    """Return what an export writes: a first line that knows what follows, then the rest."""
    header, stands_for = header_of(SETUP, trace.events(), trace.base, trace.begin_s)
    return written([header, *trace.events()[stands_for:]])


def read(lines: list[bytes], *, partial: bool = False) -> SavedTrace:
    return read_trace(lines, "t.jsonl", partial=partial)


def trace_of(events: list[TraceEvent], capacity: int = 10_000) -> Trace:
    trace = Trace(capacity)
    trace.extend(events)
    return trace


def refusal(lines: list[bytes], *, partial: bool = False) -> tuple[int, str, str]:
    """Return the line, the field and the reason of the error that reading raises."""
    with pytest.raises(TraceUnreadable) as caught:
        read(lines, partial=partial)
    fields = caught.value.fields
    assert fields["path"] == "t.jsonl"
    assert str(caught.value).startswith("t.jsonl")
    return fields["line"], fields["field"], fields["reason"]


@pytest.mark.parametrize("lines", [written(EVENTS), exported(trace_of(EVENTS))], ids=["written", "exported"])
def test_what_was_saved_is_read_back_the_same(lines: list[bytes]) -> None:
    saved = read(lines)

    assert saved.trace.events() == EVENTS
    assert saved.setup == SETUP
    assert saved.now_s == max(event.time_s for event in EVENTS)
    assert not saved.torn
    assert saved.trace.table() == trace_of(EVENTS).table()


@pytest.mark.parametrize("capacity", [1, 10, len(BUSY)])
def test_a_bounded_trace_is_exported_with_the_table_of_what_fell_out(capacity: int) -> None:
    """DESIGN §8: what falls out is kept as the table that it led to, also in a file."""
    bounded = trace_of(EVENTS, capacity)

    saved = read(exported(bounded))

    assert saved.trace.events() == bounded.events()
    assert (saved.trace.base, saved.trace.table()) == (bounded.base, bounded.table())
    assert saved.trace.begin_s == bounded.begin_s
    assert saved.setup == SETUP


def test_a_line_leaves_out_what_is_empty() -> None:
    """An hour of trace stays small."""
    event = Tracer("master", "1").event(Kind.SCAN, 1.0)

    assert json.loads(line_of(event)) == {"id": "master.1:1", "time_s": 1.0, "node": "master", "kind": "scan"}


plain = st.text() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.booleans()


@given(
    st.floats(0, 1e6),
    st.text(max_size=5),
    st.integers(0, 2**60),
    st.dictionaries(st.text(), plain | st.lists(plain), max_size=3),
)
def test_any_event_survives_its_line(time_s: float, text: str, size: int, detail: dict[str, Any]) -> None:
    event = TraceEvent("k.1:1", time_s, text, Kind.ORPHAN_FOUND, text, text, text, size, text, detail)
    event = replace(event, time_s=round(time_s, 6))

    line = f"{line_of(event)}\n".encode(errors="backslashreplace")

    assert read([*written([FIRST]), line]).trace.events()[1] == event


def test_a_text_that_is_no_text_survives_too() -> None:
    """A path on a stranger's disk may hold bytes that are no UTF-8; Python keeps them as lone surrogates."""
    event = Tracer("keeper-1", "1").event(Kind.NODE_ERROR, 1.0, reason="can't read 'a\udcff'")
    line = f"{line_of(event)}\n".encode(errors="backslashreplace")

    assert read([*written([FIRST]), line]).trace.events()[1] == event


# -- the first line -----------------------------------------------------------------------------


FILE = {"version": "v1", "file_name": "a", "size": 1, "created_at": 0.0}


def test_an_empty_file_is_refused() -> None:
    assert refusal([])[:2] == (1, "")


def test_the_trace_of_a_single_node_is_refused_and_told_apart() -> None:
    """The command line's nodes write traces of their own, without the cluster's first line."""
    line, field, reason = refusal(written(BUSY))

    assert (line, field) == (1, "kind")
    assert "master_started" in reason
    assert "one node" in reason


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"format": TRACE_FORMAT + 1}, "detail.format", "newer"),
        ({"format": 0}, "detail.format", "too old"),
        ({"format": "1"}, "detail.format", "no trace"),
        ({"format": None}, "detail.format", "no trace"),
        ({"format": True}, "detail.format", "no trace"),
        ({"options": {"replicas": -1}}, "detail.replicas", "replicas"),
        ({"options": 3}, "detail", "settings"),
        ({"link": {"rate_mb_s": -1}}, "detail.rate_mb_s", "above 0"),
        ({"link": {"colour": 1}}, "detail", "colour"),
        ({"n": "many"}, "detail", "many"),
        ({"events": -1}, "detail.events", "count"),
        ({"base": {"keepers": []}}, "detail.base", "files"),
        ({"base": {"keepers": [{"name": "x"}], "files": [], "replicas": []}}, "detail.base.keepers.keeper", "missing"),
        ({"base": {"keepers": [], "files": [FILE | {"size": "3"}], "replicas": []}}, "detail.base.files.size", "'3'"),
        ({"base": {"keepers": [], "files": [FILE | {"x": 3}], "replicas": []}}, "detail.base", "x"),
        ({"base": {"keepers": [3], "files": [], "replicas": []}}, "detail.base", "table"),
        ({"base": []}, "detail.base", "table"),
    ],
)
def test_a_first_line_that_can_not_be_trusted_is_refused(change: dict[str, Any], field: str, says: str) -> None:
    first = replace(FIRST, detail={**FIRST.detail, **change})

    line, named, reason = refusal(written([first]))

    assert (line, named) == (1, field)
    assert says in reason


@pytest.mark.parametrize("name", ["format", "name", "n", "options", "speed", "link"])
def test_a_first_line_that_lacks_a_setting_is_refused_by_its_name(name: str) -> None:
    detail = {key: value for key, value in FIRST.detail.items() if key != name}

    assert refusal(written([replace(FIRST, detail=detail)]))[:2] == (1, f"detail.{name}")


def test_two_lives_in_one_file_are_refused() -> None:
    assert refusal(written([FIRST, *BUSY[:3], FIRST]))[:2] == (5, "kind")


# -- lines that are wrong -----------------------------------------------------------------------

LINE: dict[str, Any] = {"id": "m.1:1", "time_s": 1.5, "node": "master", "kind": "heartbeat", "peer": "keeper-1"}
BEAT = {**LINE, "detail": {"incarnation": 1, "free_bytes": 7}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": 3}, "id"),
        ({"time_s": "1.5"}, "time_s"),
        ({"time_s": -0.1}, "time_s"),
        ({"time_s": True}, "time_s"),
        ({"time_s": math.nan}, "time_s"),
        ({"time_s": math.inf}, "time_s"),
        ({"node": None}, "node"),
        ({"kind": "heart_attack"}, "kind"),
        ({"kind": ["heartbeat"]}, "kind"),
        ({"file_name": 1}, "file_name"),
        ({"version": []}, "version"),
        ({"peer": 1}, "peer"),
        ({"bytes": 1.5}, "bytes"),
        ({"bytes": -1}, "bytes"),
        ({"bytes": True}, "bytes"),
        ({"bytes": 2**63}, "bytes"),
        ({"time_s": 10**400}, "time_s"),
        ({"cause": {}}, "cause"),
        ({"detail": [1]}, "detail"),
        ({"detail": {}}, "detail.free_bytes"),
        ({"detail": {"free_bytes": "much"}}, "detail.free_bytes"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    good, bad = json.dumps(BEAT).encode(), json.dumps({**BEAT, **change}).encode()

    assert refusal([*written([FIRST]), good + b"\n", bad + b"\n"])[:2] == (3, field)


@pytest.mark.parametrize("created_at", [-1, 1e12, "yesterday", 10**400])
def test_a_file_from_no_time_at_all_is_refused(created_at: object) -> None:
    event = Tracer("master", "1").event(Kind.FILE_COMMITTED, 1.0, version="v1", created_at=created_at)

    assert refusal(written([FIRST, event]))[:2] == (2, "detail.created_at")


@pytest.mark.parametrize("field", ["id", "time_s", "node", "kind"])
def test_a_missing_field_is_named(field: str) -> None:
    line = json.dumps({name: value for name, value in BEAT.items() if name != field}).encode()

    assert refusal([*written([FIRST]), line + b"\n"]) == (2, field, "it is missing")


@pytest.mark.parametrize("line", [b"\n", b"{\n", b"nonsense\n", b'{"id": "\xff"}\n', b"[" * 100_000 + b"\n", b"{}{}\n"])
def test_a_line_that_is_no_json_is_refused_also_when_a_part_would_do(line: bytes) -> None:
    for partial in (False, True):
        assert refusal([*written([FIRST]), line, *written(BUSY[:1])], partial=partial) == (2, "", "it is no JSON")


@pytest.mark.parametrize("line", [b"3\n", b"null\n", b'["id"]\n', b'"text"'])
def test_a_line_that_is_no_object_is_refused(line: bytes) -> None:
    assert refusal([*written([FIRST]), line]) == (2, "", "it is no JSON object")


@pytest.mark.parametrize(
    ("kind", "field", "detail"),
    [
        (Kind.KEEPER_DEAD, "peer", {}),
        (Kind.KEEPER_DRAINING, "peer", {}),
        (Kind.FILE_RENAMED, "version", {"old": "a"}),
    ],
)
def test_a_line_about_what_no_earlier_line_brought_is_refused(kind: Kind, field: str, detail: dict[str, Any]) -> None:
    event = Tracer("master", "1").event(kind, 1.0, peer="keeper-9", version="v9", file_name="b", **detail)

    assert refusal(written([FIRST, event]))[:2] == (2, field)


# -- files that are cut short -------------------------------------------------------------------


def test_a_trace_may_be_cut_anywhere_and_is_read_as_far_as_it_is_whole() -> None:
    """A kill -9 ends a trace in the middle of whatever line it was at."""
    data = b"".join(written(EVENTS[:12]))
    first = len(written([FIRST])[0])
    for end in range(first, len(data)):
        whole = data[:end].count(b"\n") + (data[end - 1 : end + 1] == b"}\n")
        lines = data[:end].splitlines(keepends=True)
        saved = read(lines, partial=True)
        assert saved.trace.events() == EVENTS[:whole]
        if saved.torn:
            line, field, reason = refusal(lines)
            assert (line, field) == (whole + 1, "")
            assert "partial=True" in reason
        else:
            assert read(lines).trace.events() == saved.trace.events()


def test_a_trace_that_was_cut_in_its_first_line_has_nothing_to_read() -> None:
    first = written([FIRST])[0]

    for partial in (False, True):
        assert refusal([first[:-10]], partial=partial)[:2] == (1, "")


def test_an_export_that_lost_whole_lines_is_found_out_by_its_count() -> None:
    lines = exported(trace_of(EVENTS))

    line, field, reason = refusal(lines[:-2])
    saved = read(lines[:-2], partial=True)

    assert (line, field) == (1, "detail.events")
    assert f"{len(EVENTS) - 1} lines should follow, {len(EVENTS) - 3} do" in reason
    assert saved.torn
    assert saved.trace.events() == EVENTS[:-2]


def test_an_export_to_which_lines_were_added_is_refused() -> None:
    lines = [*exported(trace_of(EVENTS)), *written(BUSY[-1:])]

    for partial in (False, True):
        assert refusal(lines, partial=partial)[:2] == (1, "detail.events")


CUTS: list[Callable[[bytes], bytes]] = [lambda line: line[:-1], lambda line: line]


@pytest.mark.parametrize("cut", CUTS)
def test_a_last_line_without_its_end_counts_when_it_is_whole(cut: Callable[[bytes], bytes]) -> None:
    lines = written(EVENTS)

    assert read([*lines[:-1], cut(lines[-1])]).trace.events() == EVENTS
