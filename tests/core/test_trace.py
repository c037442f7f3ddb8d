"""The trace: bounded, and the lookup table of any moment that it still covers can be had from it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dfslab.core.history import FileRow, KeeperRow, ReplicaRow, Table
from dfslab.core.trace import SEGMENT_EVENTS, Kind, Trace, TraceEvent, Tracer

from .worlds import Lab, lab


def busy_lab() -> Lab:
    """A world in which files come, change and go, and keepers die and return."""
    world = lab(keepers=4)
    a = world.store("a.mp4")
    world.run(2.0)
    b = world.store("b.mp4", on="keeper-2")
    world.rename("b.mp4", "c.mp4")
    world.run(6.0, silent=["keeper-3"])
    world.bad("a.mp4", "keeper-1")
    world.store("a.mp4", upload="again", content="new")
    world.register("keeper-3", a, b)
    world.delete("c.mp4")
    world.run(12.0)
    world.start_master(at=13.0)
    world.register("keeper-1", a)
    world.run(20.0)
    return world


BUSY = busy_lab().trace.events()


def test_events_are_numbered_per_node_and_start() -> None:
    first, second = Tracer("keeper-3", "b1"), Tracer("keeper-3", "b2")

    ids = [tracer.event(Kind.SCAN, 0.0).id for tracer in (first, first, second)]

    assert ids == ["keeper-3.b1:1", "keeper-3.b1:2", "keeper-3.b2:1"]


def test_an_event_knows_what_it_was_told() -> None:
    event = Tracer("master", "1").event(
        Kind.COPY_ORDERED, 1.5, file_name="a", version="v1", peer="k", bytes=7, cause="x:1", source="s"
    )

    assert event == TraceEvent(
        "master.1:1", 1.5, "master", Kind.COPY_ORDERED, "a", "v1", "k", 7, "x:1", {"source": "s"}
    )


@pytest.mark.parametrize("detail", [{}, {"reason": "because", "list": ["a"]}])
def test_an_event_is_a_line_of_json(detail: dict[str, Any]) -> None:
    """DESIGN §8: written as JSON lines."""
    event = Tracer("master", "1").event(Kind.SCAN, 1.23456789, **detail)

    line = json.loads(json.dumps(event.as_dict()))

    assert list(line) == ["id", "time_s", "node", "kind", "file_name", "version", "peer", "bytes", "cause", "detail"]
    assert (line["time_s"], line["kind"], line["detail"]) == (1.234568, "scan", detail)


def test_an_event_without_detail_can_not_be_given_any() -> None:
    event = TraceEvent("m:1", 0.0, "m", Kind.SCAN)

    with pytest.raises(TypeError):
        event.detail["x"] = 1  # type: ignore[index]


def test_the_table_follows_the_events() -> None:
    """DESIGN §8: tables are functions of the trace."""
    world = lab(keepers=1, replicas=1)
    version = world.store("a.mp4")
    world.beat("keeper-1", free_bytes=5, at=1.0)

    table = world.trace.table()

    assert table == Table(
        {"keeper-1": KeeperRow("keeper-1", "alive", 1, "10.0.0.1:5001", "10.0.0.1:6001", "/disks/keeper-1", 5, 1.0)},
        {version.id: FileRow(version.id, "a.mp4", 25, version.created_at)},
        {version.id: {"keeper-1": ReplicaRow(version.id, "keeper-1", f"/disks/keeper-1/{version.id}", "valid", 0.0)}},
    )
    assert table.live_copies(version.id) == 1
    assert table.live_copies("v-unknown") == 0


def test_the_table_of_a_past_moment_is_as_it_was() -> None:
    """DESIGN §5: lookup_table(at=...)."""
    world = lab(keepers=3)
    version = world.store("a.mp4")
    world.run(5.0, silent=["keeper-2"])
    world.delete("a.mp4", at=6.0)

    assert world.trace.table(at=-1.0) == Table()
    assert world.trace.table(at=0.0).live_copies(version.id) == 3
    assert world.trace.table(at=2.9).keepers["keeper-2"].is_alive
    assert not world.trace.table(at=3.0).keepers["keeper-2"].is_alive
    assert world.trace.table(at=5.0).live_copies(version.id) == 2
    assert version.id in world.trace.table(at=5.9).files
    assert world.trace.table(at=6.0).files == {}


def test_a_table_that_was_handed_out_does_not_change_any_more() -> None:
    world = lab(keepers=3)
    world.store("a.mp4")
    before = world.trace.table()
    frozen = repr(before)

    world.store("b.mp4")
    world.delete("a.mp4")
    world.bad("b.mp4", "keeper-1")

    assert repr(before) == frozen


def test_a_decommissioned_or_dead_keeper_is_not_alive_and_a_draining_one_is() -> None:
    alive = {
        state: KeeperRow("k", state).is_alive for state in ("alive", "draining", "dead", "unseen", "decommissioned")
    }

    assert alive == {"alive": True, "draining": True, "dead": False, "unseen": False, "decommissioned": False}


@pytest.mark.parametrize("capacity", [1, 2, 3, 10, 50, 10_000])
def test_a_bounded_trace_keeps_the_tables_of_the_moments_that_it_covers(capacity: int) -> None:
    """DESIGN §8: bounded in memory; what falls out is kept as the table that it led to."""
    whole = busy_lab().trace
    bounded = Trace(capacity)
    bounded.extend(whole.events())

    kept = bounded.events()
    assert kept == whole.events()[-capacity:]
    assert bounded.dropped == len(whole.events()) - len(kept)
    assert bounded.table() == whole.table()
    for moment in sorted({event.time_s for event in kept}):
        assert bounded.table(at=moment) == whole.table(at=moment)
    before_all = Table()
    for event in whole.events()[: bounded.dropped]:
        before_all.apply(event)
    assert bounded.table(at=-1.0) == before_all


@given(st.integers(1, 200), st.integers(0, 200))
def test_folding_twice_over_is_folding_once(capacity: int, cut: int) -> None:
    events = BUSY
    once, twice = Trace(capacity), Trace(capacity)

    once.extend(events)
    twice.extend(events[:cut])
    twice.extend(events[cut:])

    assert once.table() == twice.table()
    assert once.base == twice.base


@pytest.mark.parametrize("kind", [Kind.UPLOAD_STARTED, Kind.REPLICA_STORED, Kind.REPLICA_DROPPED, Kind.FAULT])
def test_what_keepers_clients_and_the_lab_say_changes_no_table(kind: Kind) -> None:
    """Only the master's word counts; the others' lines are for the pictures."""
    world = lab(keepers=3)
    version = world.store("a.mp4")
    before = world.trace.table()

    world.trace.append(Tracer("keeper-1", "b").event(kind, 1.0, version=version.id, peer="keeper-1"))

    assert world.trace.table() == before


# -- any moment of any trace --------------------------------------------------------------------


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are kept every few events, so that a short trace has many of them."""
    monkeypatch.setattr("dfslab.core.trace.SEGMENT_EVENTS", 3)


def folded(events: list[TraceEvent], at: float, base: Table | None = None) -> Table:
    """Return the table by folding one event after the other: what `Trace.table` is to be equal to."""
    table = Table() if base is None else base.copy()
    for event in events:
        if event.time_s <= at:
            table.apply(event)
    return table


late = st.lists(st.floats(0.0, 2.0), min_size=len(BUSY), max_size=len(BUSY))


@pytest.mark.usefixtures("short_segments")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(late, st.integers(1, len(BUSY) + 5), st.floats(-1.0, 25.0))
def test_the_table_of_any_moment_is_the_fold_of_what_was_told_up_to_it(
    delays: list[float], capacity: int, at: float
) -> None:
    """Also when nodes write their lines late and out of order, and when old lines have fallen out.

    Delays go to lines of keepers that never change the table alone; a change keeps its place in order.
    """
    events = [
        replace(event, time_s=event.time_s + delay) if event.kind in UNORDERED else event
        for event, delay in zip(BUSY, delays, strict=True)
    ]
    trace = Trace(capacity)
    trace.extend(events)
    dropped = len(events) - len(trace)

    assert trace.events() == events[dropped:]
    assert trace.base == folded(events[:dropped], math.inf)
    assert trace.table(at) == folded(events[dropped:], at, trace.base)
    assert trace.table() == folded(events, math.inf)
    if dropped:
        assert trace.begin_s == max(event.time_s for event in events[:dropped])
    if at >= trace.begin_s:
        assert trace.table(at) == folded(events, at)


UNORDERED = (Kind.HEARTBEAT, Kind.REPLICA_RECORDED, Kind.REPLICA_FORGOTTEN, Kind.REPLICA_STORED, Kind.FILE_DELETED)


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("capacity", [1, 2, 5, 1000])
@pytest.mark.parametrize("seen", [0, 1, 7, 30, 10_000])
def test_news_cross_from_one_run_of_events_to_the_next(capacity: int, seen: int) -> None:
    trace = Trace(capacity)
    trace.extend(BUSY)

    total, new = trace.since(seen)

    assert total == len(BUSY)
    assert new == BUSY[seen:][-capacity:]


def test_a_past_moment_of_a_long_trace_takes_a_fold_of_one_run_of_events() -> None:
    """A slider over 200,000 events answers in milliseconds; counted in events here, since machines are busy."""
    beat = Tracer("master", "1")
    trace = Trace()
    for number in range(50_000):
        trace.append(beat.event(Kind.HEARTBEAT, number / 100, peer="keeper-1", free_bytes=number))
    folds = Counted()
    with mock.patch.object(Table, "apply", folds):
        trace.table(at=321.0)

    assert folds.count <= SEGMENT_EVENTS


def test_the_tables_that_are_kept_have_no_more_entries_than_there_are_events() -> None:
    """Memory stays bounded by the events, however many files there are."""
    tracer, trace = Tracer("master", "1"), Trace(capacity=30_000)
    for number in range(3_000):
        trace.append(
            tracer.event(Kind.FILE_COMMITTED, 0.0, file_name=f"{number}", version=f"v{number}", created_at=0.0)
        )
    for number in range(60_000):
        trace.append(tracer.event(Kind.SCAN, float(number)))

    assert len(trace._segments) >= 5
    assert sum(segment.before.size for segment in trace._segments) <= 1.2 * len(trace)


class Counted:
    """Counts its calls."""

    count = 0

    def __call__(self, event: TraceEvent) -> None:
        self.count += 1
