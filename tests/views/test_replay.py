"""A saved trace shows what its cluster showed; a file that can't be read says where and why."""

from __future__ import annotations

import contextlib
import copy
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import dfslab
from dfslab.core.saved import line_of, read_trace
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind, Tracer
from dfslab.views.looking import Looking
from dfslab.views.perfetto import perfetto_json
from dfslab.views.replay import Replay
from tests.core.test_trace import BUSY

from .story import Story


@pytest.fixture
def story() -> Story:
    """Four keepers and two files; one keeper is killed and declared dead, another paused."""
    story = Story()
    story.note("lab", Kind.CLUSTER_STARTED, **story.source().setup.as_detail())
    for number in range(1, 5):
        story.registers(f"keeper-{number}")
    story.at(1.0).commit("a.mp4", "v1", "keeper-1", "keeper-2", "keeper-3")
    story.at(2.0).commit("<b>.mp4", "v2", "keeper-2", "keeper-3", "keeper-4")
    story.at(3.0).fault("kill", "keeper-2")
    story.at(6.0).dies("keeper-2")
    story.at(7.0).fault("pause", "keeper-3")
    story.at(8.0).record("v1", "keeper-4")
    return story


@pytest.fixture
def live(story: Story) -> Looking:
    return Looking(story.source())


@pytest.fixture
def replay(live: Looking, tmp_path: Path) -> Replay:
    return dfslab.replay(live.trace.to_jsonl(tmp_path / "trace.jsonl"))


@pytest.mark.parametrize("at", [None, 0.0, 1.0, 2.5, 6.0, 8.0])
def test_the_tables_of_every_moment_are_those_of_the_cluster(live: Looking, replay: Replay, at: float | None) -> None:
    """DESIGN §8: tables are functions of the trace, so a saved trace replays."""
    for name in ("lookup_table", "keepers", "files", "events", "transfers"):
        assert_frame_equal(getattr(replay, name)(at=at), getattr(live, name)(at=at))
    assert replay.node_states(at) == live.node_states(at)
    assert list(replay.trace) == list(live.trace)


def test_the_events_of_a_past_moment_are_those_up_to_it(live: Looking) -> None:
    assert list(live.events(at=6.0).kind)[-2:] == ["fault", "keeper_dead"]
    assert live.events(at=2.5).time_s.max() == 2.0


def test_what_the_laboratory_had_done_is_known_for_every_moment(replay: Replay) -> None:
    really = [replay.node_states(at) for at in (2.9, 3.0, 7.5)]

    assert [states["keeper-2"] for states in really] == ["running", "dead", "dead"]
    assert [states["keeper-3"] for states in really] == ["running", "running", "paused"]


def test_a_moment_may_be_a_number_of_numpys(live: Looking) -> None:
    six: Any = np.int64(6)
    early: Any = np.float32(2.5)

    assert_frame_equal(live.lookup_table(at=six), live.lookup_table(at=6.0))
    assert_frame_equal(live.diff(early, live.events().time_s.max()), live.diff(2.5))


def test_now_is_the_last_event(replay: Replay) -> None:
    assert replay.now_s == 8.0


@pytest.mark.parametrize("at", [-0.1, 8.1, float("nan"), "now", True, None])
def test_a_moment_that_the_trace_does_not_cover_is_refused_by_name(replay: Replay, at: object) -> None:
    if at is None:
        return
    for name in ("lookup_table", "keepers", "files", "events", "transfers"):
        with pytest.raises(dfslab.errors.InvalidOption, match=r"the trace covers 0 to 8\.0 s") as caught:
            getattr(replay, name)(at=at)
        assert caught.value.fields["option"] == "at"


def test_moments_that_fell_out_of_a_bounded_trace_are_refused(story: Story, tmp_path: Path) -> None:
    live = Looking(story.source(capacity=3))
    replay = dfslab.replay(live.trace.to_jsonl(tmp_path / "trace.jsonl"))

    for looking in (live, replay):
        assert len(looking.trace) == 3
        assert_frame_equal(looking.lookup_table(at=6.0), Looking(story.source()).lookup_table(at=6.0))
        with pytest.raises(dfslab.errors.InvalidOption, match=r"the trace covers 3 to 8\.0 s"):
            looking.lookup_table(at=2.9)


def test_it_draws_the_same_pictures(live: Looking, replay: Replay) -> None:
    assert replay.plot.lookup_table().get_title(loc="left") == live.plot.lookup_table().get_title(loc="left")


def test_its_representations_say_what_it_is(replay: Replay) -> None:
    assert repr(replay).startswith("<dfslab replay of cluster 'lab': 17 events over 8.0 s, 2 files, from /")
    html = replay._repr_html_()
    assert "a trace of 8.0 s" in html
    assert "keeper-2" in html
    assert "‖ paused" in html


def test_a_clusters_name_is_escaped(story: Story, tmp_path: Path) -> None:
    path = tmp_path / "<script>.jsonl"

    html = dfslab.replay(Looking(story.source()).trace.to_jsonl(path))._repr_html_()

    assert "<script>" not in html
    assert "&lt;script&gt;" in html


# -- files that can't be read or written --------------------------------------------------------


def test_a_missing_file_is_a_file_not_found_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="No such file") as caught:
        dfslab.replay(tmp_path / "nowhere.jsonl")
    assert isinstance(caught.value, dfslab.errors.TraceMissing)


@pytest.mark.parametrize("path", [None, 5])
def test_what_is_no_path_is_refused_by_name(path: Any) -> None:
    with pytest.raises(dfslab.errors.InvalidOption, match=r"^path="):
        dfslab.replay(path)


def test_a_folder_is_no_trace(tmp_path: Path) -> None:
    with pytest.raises(dfslab.errors.TraceUnreadable, match="Is a directory"):
        dfslab.replay(tmp_path)


def test_any_other_file_is_no_trace() -> None:
    with pytest.raises(dfslab.errors.TraceUnreadable, match="line 1: it is no JSON"):
        dfslab.replay(__file__)


def test_a_trace_that_was_cut_short_is_read_when_one_says_so(live: Looking, tmp_path: Path) -> None:
    path = live.trace.to_jsonl(tmp_path / "trace.jsonl")
    os.truncate(path, path.stat().st_size - 20)

    with pytest.raises(dfslab.errors.TraceUnreadable, match=r"line 17: .*partial=True"):
        dfslab.replay(path)
    torn = dfslab.replay(path, partial=True)

    assert list(torn.trace) == list(live.trace)[:-1]
    assert torn.torn
    assert "cut short" in repr(torn)
    assert "cut short" in torn._repr_html_()


def test_a_trace_is_saved_whole_or_not_at_all(live: Looking, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("what was there")

    live.trace.to_jsonl(path)

    assert list(tmp_path.iterdir()) == [path]
    assert dfslab.replay(path).now_s == 8.0
    with pytest.raises(dfslab.errors.TargetUnwritable, match="it is a folder"):
        live.trace.to_jsonl(tmp_path)
    with pytest.raises(dfslab.errors.TargetMissing) as caught:
        live.trace.to_jsonl(tmp_path / "nowhere" / "trace.jsonl")
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(dfslab.errors.TargetUnwritable, match="Not a directory"):
        live.trace.to_jsonl(path / "trace.jsonl")


def test_the_trace_is_a_sequence_of_events(live: Looking, story: Story) -> None:
    trace = live.trace

    assert (len(trace), trace[0], trace[-2:]) == (17, story.events[0], story.events[-2:])
    assert repr(trace) == "<dfslab trace: 17 events, 0.0 to 8.0 s>"
    assert_frame_equal(trace.to_pandas(), live.events())


# -- whatever is in the file --------------------------------------------------------------------

LINES = [json.loads(line_of(event)) for event in BUSY]
HEADER = json.loads(line_of(Tracer("lab", "1").event(Kind.CLUSTER_STARTED, 0.0, **Setup(n=4).as_detail())))
ODD: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({})
)


@given(st.data())
def test_a_changed_file_is_refused_or_shown_but_never_breaks_a_table(data: st.DataObject) -> None:
    """A file from elsewhere may say anything; what is let in must not surprise the tables later."""
    lines = [HEADER, *(dict(line) for line in LINES)]
    index = data.draw(st.integers(1, len(lines) - 1))
    line = lines[index] = copy.deepcopy(lines[index])
    inside = line.get("detail") if data.draw(st.booleans()) else line
    target = inside if inside else line
    name = data.draw(st.sampled_from(sorted(target)))
    if data.draw(st.booleans()):
        target[name] = data.draw(ODD)
    else:
        del target[name]
    written = [json.dumps(one).encode() + b"\n" for one in lines]

    try:
        replay = Replay(read_trace(written, "odd.jsonl"), Path("odd.jsonl"))
    except dfslab.errors.TraceUnreadable:
        return
    for at in (None, 0.0, 5.0):
        for table in ("lookup_table", "keepers", "files", "events", "transfers"):
            getattr(replay, table)(at=at)
    replay.diff(0.0)
    replay._repr_html_()
    for keeper in replay.keepers().keeper:
        with contextlib.suppress(dfslab.errors.NoSuchFile):
            replay.explain(keeper, "a.mp4")
    base, events = replay.source.history()
    assert "".join(perfetto_json(base, events, "odd", replay.now_s)).endswith("]}\n")
