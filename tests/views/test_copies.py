"""Live copies over time, folded from the trace once."""

from __future__ import annotations

import math

import pytest

from dfslab.core.history import Table
from dfslab.core.trace import Kind
from dfslab.views.copies import CopiesFold, CopiesOfFile, live_copies_over_time, spread_of

from .story import Story

KEEPERS = ["keeper-1", "keeper-2", "keeper-3", "keeper-4"]


def steps(story: Story) -> dict[str, list[tuple[float, float]]]:
    """Return (time, copies) of each file; -1 stands for no such file."""
    return {line.name: as_steps(line) for line in live_copies_over_time(Table(), story.events)}


def as_steps(line: CopiesOfFile) -> list[tuple[float, float]]:
    copies = [-1.0 if math.isnan(value) else value for value in line.copies]
    return list(zip(line.times, copies, strict=True))


def test_copies_grow_with_each_replica_fall_with_a_death_and_come_back_with_repair() -> None:
    story = Story(KEEPERS)
    story.at(1.0).commit("a", "v1", "keeper-1")
    story.at(1.5).record("v1", "keeper-2")
    story.at(2.0).record("v1", "keeper-3")
    story.at(5.0).dies("keeper-2")
    story.at(6.0).record("v1", "keeper-4")
    story.at(9.0).registers("keeper-2", incarnation=2)
    assert steps(story) == {"a": [(1.0, 1), (1.5, 2), (2.0, 3), (5.0, 2), (6.0, 3), (9.0, 4)]}


def test_events_of_one_moment_count_together() -> None:
    story = Story(KEEPERS)
    story.at(1.0).commit("a", "v1", "keeper-1", "keeper-2", "keeper-3")
    assert steps(story) == {"a": [(1.0, 3)]}


def test_a_corrupt_and_a_dropping_replica_do_not_count() -> None:
    story = Story(KEEPERS)
    story.at(1.0).commit("a", "v1", "keeper-1", "keeper-2", "keeper-3")
    story.at(2.0).corrupt("v1", "keeper-1")
    story.at(3.0).drop("v1", "keeper-2")
    story.at(4.0).note("master", Kind.REPLICA_FORGOTTEN, version="v1", peer="keeper-3")
    assert steps(story) == {"a": [(1.0, 3), (2.0, 2), (3.0, 1), (4.0, 0)]}


def test_a_death_touches_the_files_on_that_keeper_only() -> None:
    story = Story(KEEPERS)
    story.at(1.0).commit("a", "v1", "keeper-1", "keeper-2")
    story.at(2.0).commit("b", "v2", "keeper-3")
    story.at(3.0).dies("keeper-1")
    assert steps(story) == {"a": [(1.0, 2), (3.0, 1)], "b": [(2.0, 1)]}


def test_an_overwrite_goes_on_with_the_new_version() -> None:
    story = Story(KEEPERS)
    story.at(1.0).commit("a", "v1", "keeper-1", "keeper-2", "keeper-3")
    story.at(2.0).commit("a", "v2", "keeper-4")
    story.delete("a", "v1")
    story.at(3.0).record("v2", "keeper-1")
    story.at(4.0).dies("keeper-2")
    assert steps(story) == {"a": [(1.0, 3), (2.0, 1), (3.0, 2)]}


def test_a_deleted_file_ends_and_may_begin_again() -> None:
    story = Story(KEEPERS)
    story.at(1.0).commit("a", "v1", "keeper-1", "keeper-2")
    story.at(2.0).delete("a", "v1")
    story.at(3.0).dies("keeper-1")
    story.at(4.0).commit("a", "v2", "keeper-2")
    assert steps(story) == {"a": [(1.0, 2), (2.0, -1), (4.0, 1)]}


def test_a_renamed_file_keeps_its_history_under_its_new_name() -> None:
    story = Story(KEEPERS)
    story.at(1.0).commit("a", "v1", "keeper-1", "keeper-2")
    story.at(2.0).rename("a", "b", "v1")
    story.at(3.0).dies("keeper-1")
    assert steps(story) == {"b": [(1.0, 2), (3.0, 1)]}


def test_a_restarted_master_counts_no_copy_until_its_keeper_has_registered() -> None:
    story = Story(KEEPERS)
    story.at(1.0).commit("a", "v1", "keeper-1", "keeper-2")
    story.at(2.0).commit("gone", "v2", "keeper-1")
    story.at(5.0).note("master", Kind.MASTER_STARTED)
    story.note("master", Kind.KEEPER_UNSEEN, peer="keeper-1", incarnation=1)
    story.note("master", Kind.FILE_RESTORED, file_name="a", version="v1", bytes=1, created_at=0.0)
    for keeper in ("keeper-1", "keeper-2"):
        story.note("master", Kind.REPLICA_RESTORED, version="v1", peer=keeper, path="/")
    story.at(6.0).registers("keeper-1", incarnation=2)
    assert steps(story) == {"a": [(1.0, 2), (5.0, 0), (6.0, 1)], "gone": [(2.0, 1), (5.0, -1)]}


def test_what_fell_out_of_a_bounded_trace_counts_from_its_first_event_on() -> None:
    story = Story(KEEPERS)
    story.at(1.0).commit("a", "v1", "keeper-1", "keeper-2", "keeper-3")
    for second in range(2, 8):
        story.at(float(second)).note("master", Kind.HEARTBEAT, peer="keeper-1", incarnation=1, free_bytes=1)
    story.at(8.0).dies("keeper-1")
    trace = story.trace(capacity=3)
    assert trace.dropped
    (line,) = live_copies_over_time(trace.table(-math.inf), trace.events())
    assert as_steps(line) == [(6.0, 3), (8.0, 2)]


def test_the_fold_agrees_with_the_table_at_every_moment() -> None:
    story = Story(KEEPERS)
    story.at(1.0).commit("a", "v1", "keeper-1", "keeper-2", "keeper-3")
    story.at(2.0).commit("b", "v2", "keeper-2", "keeper-4")
    story.at(3.0).dies("keeper-2")
    story.at(4.0).corrupt("v1", "keeper-3")
    story.at(5.0).commit("a", "v3", "keeper-1")
    story.delete("a", "v1")
    story.at(6.0).rename("b", "c", "v2")
    story.at(7.0).registers("keeper-2", incarnation=2)
    lines = live_copies_over_time(Table(), story.events)
    for moment in range(1, 8):
        table = story.trace().table(float(moment))
        copies = sorted(table.live_copies(version) for version in table.files)
        assert sorted(value for line in lines for value in values_at(line, moment)) == copies, moment


def values_at(line: CopiesOfFile, moment: float) -> list[float]:
    known = [copies for time_s, copies in zip(line.times, line.copies, strict=True) if time_s <= moment]
    return [] if not known or math.isnan(known[-1]) else [known[-1]]


def test_the_spread_tells_fewest_median_and_most_and_forgets_deleted_files() -> None:
    nan = math.nan
    spread = spread_of(
        [
            CopiesOfFile("a", [1.0, 4.0], [3.0, 1.0]),
            CopiesOfFile("b", [2.0, 5.0], [2.0, nan]),
            CopiesOfFile("c", [2.0], [3.0]),
        ]
    )
    assert spread.times == [1.0, 2.0, 4.0, 5.0]
    assert spread.fewest == [3.0, 2.0, 1.0, 1.0]
    assert spread.median == [3.0, 3.0, 2.0, 2.0]
    assert spread.most == [3.0, 3.0, 3.0, 3.0]


def test_the_spread_of_no_file_is_not_a_number() -> None:
    spread = spread_of([CopiesOfFile("a", [1.0, 2.0], [1.0, math.nan])])
    assert spread.times == [1.0, 2.0]
    for column in spread[1:]:
        assert column == [1.0, pytest.approx(math.nan, nan_ok=True)]


def test_the_spread_that_is_kept_up_along_the_way_is_that_of_all_lines() -> None:
    story = Story(["keeper-1", "keeper-2"])
    for number in range(6):
        story.at(float(number)).commit(f"{number}.mp4", f"v{number}", "keeper-1", *["keeper-2"] * (number % 2))
    story.at(7.0).dies("keeper-1")
    story.at(8.0).delete("3.mp4", "v3")
    fold = CopiesFold(Table(), since_s=0.0)
    for event in story.events:
        fold.apply(event)
    fold.flush()

    assert fold.spread == spread_of(fold.lines)
