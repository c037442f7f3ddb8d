"""What changed between two moments: the difference of two snapshots, one row a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import dfslab
from dfslab.core.errors import InvalidOption
from dfslab.core.history import Table
from dfslab.core.trace import Kind
from dfslab.views import diff as module
from dfslab.views.diff import DIFF
from dfslab.views.looking import Looking
from tests.core.test_trace import BUSY

from .story import Story


@pytest.fixture
def story() -> Story:
    story = Story(["keeper-1", "keeper-2", "keeper-10"])
    story.at(1.0).commit("a.mp4", "v1", "keeper-1", "keeper-2", "keeper-10")
    story.at(2.0).dies("keeper-2")
    story.at(3.0).corrupt("v1", "keeper-10")
    story.at(4.0).registers("keeper-3")
    story.at(5.0).record("v1", "keeper-3")
    story.at(6.0).registers("keeper-2", incarnation=2)
    story.at(7.0).rename("a.mp4", "b.mp4", "v1")
    story.at(8.0).commit("b.mp4", "v2", "keeper-1")
    story.delete("b.mp4", "v1")
    story.at(9.0).delete("b.mp4", "v2")
    return story


def rows(story: Story, t1: float, t2: float | None = None) -> list[tuple[str, ...]]:
    frame = Looking(story.source()).diff(t1, t2)
    assert list(frame.columns) == list(DIFF)
    assert all(str(dtype) == "string" for dtype in frame.dtypes)
    return [tuple(row) for row in frame.itertuples(index=False)]


def test_a_stored_file_and_its_replicas_appear(story: Story) -> None:
    assert rows(story, 0.5, 1.0) == [
        ("file", "a.mp4", "", "appeared", "version", "", "v1", "v1"),
        ("replica", "a.mp4", "keeper-1", "appeared", "state", "", "valid", "v1"),
        ("replica", "a.mp4", "keeper-2", "appeared", "state", "", "valid", "v1"),
        ("replica", "a.mp4", "keeper-10", "appeared", "state", "", "valid", "v1"),
    ]


def test_a_death_and_what_it_costs_the_files(story: Story) -> None:
    assert rows(story, 1.0, 2.0) == [
        ("keeper", "", "keeper-2", "changed", "state", "alive", "dead", ""),
        ("file", "a.mp4", "", "changed", "live_copies", "3", "2", "v1"),
    ]


def test_a_copy_that_was_found_corrupt(story: Story) -> None:
    assert rows(story, 2.0, 3.0) == [
        ("file", "a.mp4", "", "changed", "live_copies", "2", "1", "v1"),
        ("replica", "a.mp4", "keeper-10", "changed", "state", "valid", "corrupt", "v1"),
    ]


def test_a_new_keeper_and_its_copy(story: Story) -> None:
    assert rows(story, 3.0, 5.0) == [
        ("keeper", "", "keeper-3", "appeared", "state", "", "alive", ""),
        ("file", "a.mp4", "", "changed", "live_copies", "1", "2", "v1"),
        ("replica", "a.mp4", "keeper-3", "appeared", "state", "", "valid", "v1"),
    ]


def test_a_keeper_that_registered_again(story: Story) -> None:
    assert rows(story, 5.0, 6.0)[:2] == [
        ("keeper", "", "keeper-2", "changed", "state", "dead", "alive", ""),
        ("keeper", "", "keeper-2", "changed", "incarnation", "1", "2", ""),
    ]


def test_a_new_name(story: Story) -> None:
    assert rows(story, 6.0, 7.0) == [("file", "b.mp4", "", "changed", "file_name", "a.mp4", "b.mp4", "v1")]


def test_an_overwrite_is_a_new_version_with_replicas_of_its_own(story: Story) -> None:
    found = rows(story, 7.0, 8.0)

    assert found[0] == ("file", "b.mp4", "", "changed", "version", "v1", "v2", "v2")
    assert ("replica", "b.mp4", "keeper-1", "vanished", "state", "valid", "", "v1") in found
    assert ("replica", "b.mp4", "keeper-1", "appeared", "state", "", "valid", "v2") in found


def test_a_deleted_file_vanishes_with_its_replicas(story: Story) -> None:
    assert rows(story, 8.0, 9.0) == [
        ("file", "b.mp4", "", "vanished", "version", "v2", "", "v2"),
        ("replica", "b.mp4", "keeper-1", "vanished", "state", "valid", "", "v2"),
    ]


def test_a_name_that_another_file_had_before() -> None:
    story = Story(["keeper-1"])
    story.at(1.0).commit("a.mp4", "v1", "keeper-1")
    story.at(2.0).rename("a.mp4", "b.mp4", "v1")
    story.commit("a.mp4", "v2", "keeper-1")

    assert rows(story, 1.0)[:2] == [
        ("file", "a.mp4", "", "appeared", "version", "", "v2", "v2"),
        ("file", "b.mp4", "", "changed", "file_name", "a.mp4", "b.mp4", "v1"),
    ]


def test_a_replica_that_moved(story: Story) -> None:
    story.at(10.0).commit("c.mp4", "v3", "keeper-1")
    story.at(11.0).note("master", Kind.REPLICA_RECORDED, version="v3", peer="keeper-1", path="/elsewhere/v3")

    assert rows(story, 10.0) == [
        ("replica", "c.mp4", "keeper-1", "changed", "file_path", "/disks/keeper-1/replicas/v3", "/elsewhere/v3", "v3")
    ]


@pytest.mark.parametrize(("t1", "t2"), [(0.0, 0.0), (3.5, 3.9), (9.0, None), (9.0, 9.0)])
def test_where_nothing_happened_there_is_no_row(story: Story, t1: float, t2: float | None) -> None:
    assert rows(story, t1, t2) == []


def test_a_saved_trace_has_the_same_differences(story: Story, tmp_path: Path) -> None:
    live = Looking(story.source())
    replay = dfslab.replay(live.trace.to_jsonl(tmp_path / "t.jsonl"))

    assert_frame_equal(replay.diff(0.0, 9.0), live.diff(0.0, 9.0))


@pytest.mark.parametrize(
    ("t1", "t2", "field"),
    [(-1.0, 2.0, "t1"), (1.0, 99.0, "t2"), (99.0, None, "t1"), (3.0, 2.0, "t2"), ("a", 2.0, "t1"), (1.0, True, "t2")],
)
def test_moments_that_are_none_are_refused_by_name(story: Story, t1: Any, t2: Any, field: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        Looking(story.source()).diff(t1, t2)
    assert caught.value.fields["option"] == field


moments = st.integers(0, len(BUSY))


@given(moments, moments)
def test_a_difference_backwards_is_the_same_with_its_ends_exchanged(one: int, other: int) -> None:
    """Nothing is lost and nothing invented: what appears one way vanishes the other way."""
    before, after = Table(), Table()
    for event in BUSY[:one]:
        before.apply(event)
    for event in BUSY[:other]:
        after.apply(event)

    there, back = module.diff(before, after), module.diff(after, before)

    swapped = back.rename(columns={"before": "after", "after": "before"})
    keys = ["what", "data_node", "before", "after"]
    there = there[there.field != "live_copies"]
    swapped = swapped[swapped.field != "live_copies"]
    assert sorted(map(tuple, there[keys].to_numpy())) == sorted(map(tuple, swapped[keys].to_numpy()))
    if one == other:
        assert there.empty
