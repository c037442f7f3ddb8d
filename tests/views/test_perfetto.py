"""The export for Perfetto keeps the rules of Chrome's Trace Event Format, and says what happened."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import dfslab
from dfslab.core.trace import Kind
from dfslab.views.looking import Looking
from tests.core.test_trace import BUSY

from .story import Story

Line = dict[str, Any]


def exported(story: Story, folder: Path, capacity: int = 10_000) -> list[Line]:
    path = Looking(story.source(capacity=capacity)).trace.to_perfetto(folder / "trace.json")
    document = json.loads(path.read_text())
    assert document["displayTimeUnit"] == "ms"
    lines: list[Line] = document["traceEvents"]
    check_the_format(lines)
    return lines


def check_the_format(lines: list[Line]) -> None:
    """The rules of the format, as far as Perfetto's viewer relies on them."""
    named: set[tuple[str, int, int]] = set()
    slices: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    flows: dict[int, list[Line]] = defaultdict(list)
    last = 0
    for line in lines:
        assert {"ph", "name", "pid", "tid", "ts"} <= set(line)
        assert all(type(line[name]) is int for name in ("pid", "tid", "ts"))
        assert line["name"]
        assert line["ts"] >= last
        last = line["ts"]
        thread = (line["pid"], line["tid"])
        match line["ph"]:
            case "M":
                assert line["name"] in ("process_name", "process_sort_index", "thread_name", "thread_sort_index")
                (value,) = line["args"].values()
                assert isinstance(value, int if line["name"].endswith("index") else str)
                assert (line["name"], *thread) not in named
                named.add((line["name"], *thread))
            case "X":
                assert line["dur"] > 0
                assert type(line["dur"]) is int
                slices[thread].append((line["ts"], line["ts"] + line["dur"]))
            case "i":
                assert line["s"] in ("t", "p", "g")
            case "s" | "f":
                assert any(start <= line["ts"] <= end for start, end in slices[thread]), "an arrow without a slice"
                assert line["ph"] == "s" or line["bp"] == "e"
                flows[line["id"]].append(line)
            case "C":
                assert all(isinstance(value, int) for value in line["args"].values())
            case other:
                pytest.fail(f"unknown phase {other}")
        if line["ph"] != "M":
            assert ("process_name", line["pid"], 0) in named
            assert ("thread_name", *thread) in named
    for spans in slices.values():
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans)), "slices that overlap"
    for ends in flows.values():
        assert [line["ph"] for line in ends] == ["s", "f"]


def names(lines: list[Line]) -> dict[int, str]:
    return {line["pid"]: line["args"]["name"] for line in lines if line["name"] == "process_name"}


def threads(lines: list[Line]) -> dict[int, str]:
    return {line["tid"]: line["args"]["name"] for line in lines if line["name"] == "thread_name"}


def of(lines: list[Line], phase: str) -> list[tuple[str, str, float, float]]:
    """Return the node, the name, the beginning and the end in seconds of every line of a phase."""
    node = names(lines)
    return [
        (node[line["pid"]], line["name"], line["ts"] / 1e6, (line["ts"] + line.get("dur", 0)) / 1e6)
        for line in lines
        if line["ph"] == phase
    ]


@pytest.fixture
def story() -> Story:
    """An upload, a death, a repair, a download of two chunks at a time."""
    story = Story(["keeper-1", "keeper-2"])
    story.at(1.0).note("client", Kind.UPLOAD_REQUESTED, file_name="a.mp4", bytes=100, transfer="u1")
    started = story.at(1.1).note(
        "client", Kind.UPLOAD_STARTED, file_name="a.mp4", version="v1", peer="keeper-1", bytes=100, transfer="u1"
    )
    story.at(1.4).note("keeper-1", Kind.REPLICA_STORED, version="v1", cause=started, copy="")
    story.commit("a.mp4", "v1", "keeper-1")
    story.at(1.5).note("client", Kind.UPLOAD_DONE, file_name="a.mp4", version="v1", bytes=100, transfer="u1")
    ordered = story.at(2.0).note(
        "master",
        Kind.COPY_ORDERED,
        file_name="a.mp4",
        version="v1",
        peer="keeper-2",
        bytes=100,
        source="keeper-1",
        copy="c1",
        reason="1 of 2",
    )
    story.at(2.5).note(
        "master",
        Kind.COPY_DONE,
        file_name="a.mp4",
        version="v1",
        peer="keeper-2",
        bytes=100,
        cause=ordered,
        source="keeper-1",
        copy="c1",
    )
    story.record("v1", "keeper-2")
    story.note("master", Kind.HEARTBEAT, peer="keeper-2", incarnation=1, free_bytes=7)
    story.at(3.0).fault("kill", "keeper-1")
    story.at(4.0).dies("keeper-1")
    story.at(5.0).fault("restart", "keeper-1")
    asked = story.at(6.0).note("client", Kind.DOWNLOAD_REQUESTED, file_name="a.mp4")
    begun = story.note(
        "client", Kind.DOWNLOAD_STARTED, file_name="a.mp4", version="v1", cause=asked, holders=["keeper-2"]
    )
    for offset in (0, 50):
        story.at(6.5 + offset / 100).note(
            "client",
            Kind.CHUNK_FETCHED,
            file_name="a.mp4",
            version="v1",
            peer="keeper-2",
            bytes=50,
            cause=begun,
            offset=offset,
            start_s=6.1,
            end_s=6.5 + offset / 100,
            outcome="ok",
            reason="",
        )
    story.at(7.5).fault("pause", "keeper-2")
    return story.at(8.0)


def test_every_node_is_a_process_in_the_order_of_the_architecture(story: Story, tmp_path: Path) -> None:
    lines = exported(story, tmp_path)
    order = {line["pid"]: line["args"]["sort_index"] for line in lines if line["name"] == "process_sort_index"}
    node = names(lines)

    assert [node[pid] for pid in sorted(order, key=lambda pid: order[pid])] == [
        "lab",
        "master",
        "client",
        "keeper-1",
        "keeper-2",
    ]


def test_transfers_chunks_and_faults_are_slices(story: Story, tmp_path: Path) -> None:
    assert of(exported(story, tmp_path), "X") == [
        ("client", "upload a.mp4 to keeper-1", 1.0, 1.5),
        ("keeper-1", "receive a.mp4 from client", 1.1, 1.4),
        ("keeper-1", "send a.mp4 to keeper-2", 2.0, 2.5),
        ("keeper-2", "receive a.mp4 from keeper-1", 2.0, 2.5),
        ("lab", "keeper-1 dead", 3.0, 5.0),
        ("client", "download a.mp4", 6.0, 8.0),
        ("keeper-2", "chunk of a.mp4", 6.1, 7.0),
        ("keeper-2", "chunk of a.mp4", 6.1, 6.5),
        ("lab", "keeper-2 paused", 7.5, 8.0),
    ]


def test_what_happens_at_once_on_a_node_has_lanes_of_its_own(story: Story, tmp_path: Path) -> None:
    lines = exported(story, tmp_path)
    lane = threads(lines)

    assert [lane[line["tid"]] for line in lines if line["name"] == "chunk of a.mp4"] == ["chunks", "chunks 2"]


def test_arrows_go_from_the_source_to_the_target(story: Story, tmp_path: Path) -> None:
    lines = exported(story, tmp_path)

    assert [line[:1] + line[2:3] for line in of(lines, "s")] == [("client", 1.0), ("keeper-1", 2.0)]
    assert [line[:1] + line[2:3] for line in of(lines, "f")] == [("keeper-1", 1.1), ("keeper-2", 2.0)]


def test_heartbeats_deaths_and_actions_are_instants(story: Story, tmp_path: Path) -> None:
    found = [line[:3] for line in of(exported(story, tmp_path), "i")]

    assert ("keeper-2", "heartbeat", 2.5) in found
    assert ("keeper-1", "declared dead", 4.0) in found
    assert ("lab", 'cluster.kill("keeper-1")', 3.0) in found
    assert any(node == "master" and "committed a.mp4" in name for node, name, _ in found)


def test_live_copies_are_counted(story: Story, tmp_path: Path) -> None:
    lines = exported(story, tmp_path)

    counts = [(line["ts"] / 1e6, line["args"]["copies"]) for line in lines if line["ph"] == "C"]
    assert counts == [(1.4, 1), (2.5, 2), (4.0, 1)]


@pytest.mark.parametrize("capacity", [1, 5, 12, 1000])
def test_a_trace_that_lost_its_beginning_can_be_shown_too(story: Story, tmp_path: Path, capacity: int) -> None:
    exported(story, tmp_path, capacity)


def test_the_traces_of_a_master_keep_the_format(tmp_path: Path) -> None:
    story = Story()
    story.events = list(BUSY)
    story.now = max(event.time_s for event in BUSY)

    assert len(exported(story, tmp_path)) > len(BUSY) / 2


def test_an_empty_trace_is_an_empty_picture(tmp_path: Path) -> None:
    assert exported(Story(), tmp_path) == []


def test_what_can_not_be_written_is_refused(story: Story, tmp_path: Path) -> None:
    with pytest.raises(dfslab.errors.TargetMissing):
        Looking(story.source()).trace.to_perfetto(tmp_path / "nowhere" / "trace.json")
