"""The trace of a running cluster."""

import itertools
import json
import time
from pathlib import Path

from dfslab.core.history import Table
from dfslab.core.trace import Kind, Tracer
from dfslab.lab.waits import RESTS, wait_until
from dfslab.runtime.recorder import Recorder


def test_every_event_is_a_whole_line_of_the_file_at_once(tmp_path: Path) -> None:
    recorder, tracer = Recorder(tmp_path / "trace.jsonl"), Tracer("master", "1")
    for number in range(3):
        recorder.add(tracer.event(Kind.SCAN, float(number), short=number))
        lines = (tmp_path / "trace.jsonl").read_text().splitlines()
        assert [json.loads(line)["detail"]["short"] for line in lines] == list(range(number + 1))
    recorder.close()


def test_a_disk_that_refuses_the_trace_costs_one_complaint_and_no_event() -> None:
    complaints: list[str] = []
    recorder, tracer = Recorder(Path("/dev/full"), on_lost=complaints.append), Tracer("master", "1")

    for number in range(3):
        recorder.add(tracer.event(Kind.SCAN, float(number)))

    assert len(complaints) == 1
    assert [event.kind for event in recorder.events()] == [Kind.SCAN, Kind.NODE_ERROR, Kind.SCAN, Kind.SCAN]
    recorder.close()


def test_who_waits_for_a_change_misses_none_that_came_since_the_last_look() -> None:
    recorder, tracer = Recorder(), Tracer("master", "1")
    seen = recorder.count()
    recorder.add(tracer.event(Kind.SCAN, 0.0))
    began = time.monotonic()

    recorder.wait_for_change(60.0, seen)

    assert time.monotonic() - began < 30.0
    assert recorder.count() == seen + 1


def test_a_wait_looks_the_less_often_the_longer_a_look_takes() -> None:
    """However many events come: the look itself adds one here, so that there is always something new."""
    recorder, tracer = Recorder(), Tracer("master", "1")
    looks: list[tuple[float, float]] = []

    def missing(table: Table) -> list[str]:
        began = time.monotonic()
        recorder.add(tracer.event(Kind.SCAN, began))
        while time.monotonic() - began < 0.005:
            pass
        looks.append((began, time.monotonic()))
        return [] if len(looks) == 5 else ["more"]

    wait_until(recorder, missing, 60.0)

    for (began, ended), (again, _) in itertools.pairwise(looks):
        assert again - ended >= RESTS * (ended - began)
