"""The trace of a running cluster."""

import json
from pathlib import Path

from dfslab.core.trace import Kind, Tracer
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
