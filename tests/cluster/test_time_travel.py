"""One story on a real cluster: a keeper dies, its file is repaired; what was, what changed and why, live and saved."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal

import dfslab
from dfslab.cluster import Cluster
from dfslab.core.saved import line_of
from dfslab.core.trace import Kind, TraceEvent, Tracer
from dfslab.views.replay import Replay
from tests.cluster.conftest import Starter

NAME = "clip.mp4"


@dataclass
class Story:
    """What the tests look at: the cluster after the story, its saved trace, and the moments."""

    cluster: Cluster
    replay: Replay
    victim: str
    heir: str
    before_s: float
    dead_s: float
    after_s: float


@pytest.fixture
def story(start: Starter, tmp_path: Path) -> Story:
    cluster = start(n=4, root=tmp_path / "root")
    cluster.upload(bytes(500_000), name=NAME)
    cluster.wait_for_replicas()
    holders = cluster.stat(NAME).holders
    before_s = cluster.now_s
    victim = cluster.kill(holders[0])
    cluster.wait_for_dead(victim)
    dead_s = next(event.time_s for event in cluster.trace if event.kind is Kind.KEEPER_DEAD)
    cluster.wait_for_replicas()
    (heir,) = set(cluster.stat(NAME).holders) - set(holders)
    cluster.download(NAME, tmp_path)
    cluster.heartbeat_now(heir)
    saved = cluster.trace.to_jsonl(tmp_path / "saved.jsonl")
    after_s = cluster.now_s
    return Story(cluster, dfslab.replay(saved), victim, heir, before_s, dead_s, after_s)


def test_a_kill_and_its_repair_can_be_looked_back_at(story: Story) -> None:
    cluster, victim, heir = story.cluster, story.victim, story.heir

    # what was
    was, now = (cluster.lookup_table(at).set_index("data_node") for at in (story.before_s, story.after_s))
    assert was.is_alive.all()
    assert heir not in was.index
    assert not now.loc[victim, "is_alive"]
    assert now.loc[heir, "state"] == "valid"
    assert cluster.keepers(at=story.before_s).is_alive.all()
    assert list(cluster.files(at=story.before_s).live_copies) == [3]

    # what changed
    changes = cluster.diff(story.before_s, story.after_s)
    assert [tuple(row) for row in changes[["what", "data_node", "change", "before", "after"]].to_numpy()] == [
        ("keeper", victim, "changed", "alive", "dead"),
        ("replica", heir, "appeared", "", "valid"),
    ]

    # and why
    why = cluster.explain(heir, NAME)
    assert why.answer.startswith(f"{heir} holds a copy of {NAME} because {victim} missed its heartbeats at ")
    assert f', after cluster.kill("{victim}") at ' in why.answer
    kinds = {event.id: event.kind for event in cluster.trace}
    assert [kinds[step.event] for step in why.steps if kinds[step.event] is not Kind.KEEPER_REGISTERED][-6:] == [
        Kind.FAULT,
        Kind.KEEPER_DEAD,
        Kind.COPY_ORDERED,
        Kind.COPY_STARTED,
        Kind.REPLICA_STORED,
        Kind.REPLICA_RECORDED,
    ]
    assert cluster.explain(victim, NAME, at=story.before_s).answer.endswith(f"upload at {_upload_s(cluster)}")
    assert "does not count" in cluster.explain(victim, NAME).answer

    # and the same from the file
    replay = story.replay
    events = list(replay.trace)
    assert events == list(cluster.trace)[: len(events)]
    for at in (0.0, story.before_s, story.dead_s, replay.now_s):
        for table in ("lookup_table", "keepers", "files", "events", "transfers"):
            assert_frame_equal(getattr(replay, table)(at=at), getattr(cluster, table)(at=at))
    assert_frame_equal(replay.diff(story.before_s, replay.now_s), cluster.diff(story.before_s, replay.now_s))
    assert replay.explain(heir, NAME) == cluster.explain(heir, NAME, at=replay.now_s)
    assert replay.node_states()[victim] == "dead"
    assert replay.setup == cluster.setup


def _upload_s(cluster: Cluster) -> str:
    from dfslab.views.sentences import seconds

    return seconds(next(event.time_s for event in cluster.trace if event.kind is Kind.SLOT_GRANTED))


def test_the_trace_in_the_clusters_root_replays_too_and_perfetto_gets_it(story: Story, tmp_path: Path) -> None:
    cluster = story.cluster
    document = json.loads(cluster.trace.to_perfetto(tmp_path / "perfetto.json").read_text())
    names = {line["name"] for line in document["traceEvents"]}
    assert f"receive {NAME} from {story.heir}" not in names
    assert any(name.startswith(f"receive {NAME} from keeper-") for name in names)
    assert f"{story.victim} dead" in names

    cluster.close()
    own = dfslab.replay(tmp_path / "root" / "trace.jsonl")

    assert list(own.trace)[: len(story.replay.trace)] == list(story.replay.trace)
    assert not own.torn


def test_what_a_killed_process_leaves_behind_can_be_replayed(tmp_path: Path) -> None:
    """kill -9: nobody closes the trace; what was written is there, and a torn last line is forgiven when asked to."""
    code = (
        "import dfslab, os, signal, sys\n"
        "cluster = dfslab.cluster.start(n=3, root=sys.argv[1])\n"
        "cluster.upload(b'x' * 1000, name='a.bin')\n"
        "cluster.wait_for_replicas()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    path = tmp_path / "trace.jsonl"

    whole = dfslab.replay(path)
    os.truncate(path, path.stat().st_size - 7)
    torn = dfslab.replay(path, partial=True)

    assert list(whole.files().live_copies) == [3]
    assert list(torn.trace) == list(whole.trace)[:-1]
    with pytest.raises(dfslab.errors.TraceUnreadable, match="cut short in this line"):
        dfslab.replay(path)


def test_the_trace_of_a_single_node_is_refused_with_the_reason(tmp_path: Path) -> None:
    """`dfslab master` and `dfslab keeper` each write a trace of their own, without the cluster's first line."""
    tracer = Tracer("keeper-1", "1")
    lines = [line_of(tracer.event(Kind.REPLICA_STORED, 1.0, version="v1", copy="")) + "\n"]
    (tmp_path / "trace.jsonl").write_text("".join(lines))

    with pytest.raises(dfslab.errors.TraceUnreadable, match=r"line 1, field 'kind': .*one node") as caught:
        dfslab.replay(tmp_path / "trace.jsonl")
    assert caught.value.fields["line"] == 1


@pytest.mark.parametrize("at", [-0.001, 1e9, float("nan"), "yesterday"])
def test_moments_outside_of_the_trace_are_refused_by_name(cluster: Cluster, at: Any) -> None:
    for look in (cluster.lookup_table, cluster.keepers, cluster.files, cluster.events, cluster.transfers):
        with pytest.raises(dfslab.errors.InvalidOption) as caught:
            look(at=at)
        assert caught.value.fields["option"] == "at"


def test_an_hour_of_trace_stays_under_50_mb(start: Starter, tmp_path: Path) -> None:
    """Issue: 6 keepers, an hour. Real lines of a real load, 20 MB/s of it, half uploads and half downloads."""
    megabytes = 20
    cluster = start(n=6, speed=1.0, link=dfslab.Link(rate_mb_s=20))
    first = len(cluster.trace)
    cluster.upload(bytes(megabytes * 1_000_000), name="lectures/week-01/introduction.mp4")
    cluster.wait_for_replicas()
    cluster.download("lectures/week-01/introduction.mp4", to=tmp_path)
    loaded = cluster.trace[first:]
    assert {Kind.PROGRESS, Kind.CHUNK_FETCHED, Kind.COPY_DONE, Kind.HEARTBEAT} <= {event.kind for event in loaded}

    beats = [_size(event) for event in loaded if event.kind is Kind.HEARTBEAT]
    moved = sum(_size(event) for event in loaded if event.kind is not Kind.HEARTBEAT)
    hour = 3600 * (6 * max(beats) + 20 * moved / (2 * megabytes))

    assert hour < 50e6, f"{hour / 1e6:.1f} MB"


def _size(event: TraceEvent) -> int:
    return len(line_of(event).encode()) + 1
