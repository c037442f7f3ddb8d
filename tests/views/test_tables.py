"""The tables' columns, order and dtypes are public; so is what their values mean."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pandas as pd
import pytest

from dfslab.core.history import Table
from dfslab.core.master.instructions import PlannedAction
from dfslab.core.trace import Kind
from dfslab.views import tables
from dfslab.views.snapshot import in_natural_order

from .story import MB, Story

KEEPERS = [f"keeper-{number}" for number in range(1, 12)]

SCHEMAS = {
    "lookup_table": {
        "file_name": "string",
        "data_node": "string",
        "file_path": "string",
        "is_alive": "bool",
        "state": "string",
        "version": "string",
        "size_bytes": "int64",
        "since_s": "float64",
    },
    "keepers": {
        "keeper": "string",
        "state": "string",
        "is_alive": "bool",
        "incarnation": "int64",
        "replicas": "int64",
        "stored_bytes": "int64",
        "free_bytes": "int64",
        "last_heartbeat_s": "float64",
        "address": "string",
        "data_address": "string",
        "directory": "string",
    },
    "files": {
        "file_name": "string",
        "version": "string",
        "size_bytes": "int64",
        "live_copies": "int64",
        "copies": "int64",
        "wanted": "int64",
        "state": "string",
        "holders": "string",
        "created_at": "datetime64[us, UTC]",
    },
    "events": {
        "time_s": "float64",
        "node": "string",
        "kind": "string",
        "file_name": "string",
        "version": "string",
        "peer": "string",
        "bytes": "int64",
        "cause": "string",
        "id": "string",
        "detail": "string",
    },
    "transfers": {
        "transfer": "string",
        "kind": "string",
        "file_name": "string",
        "version": "string",
        "source": "string",
        "target": "string",
        "bytes": "int64",
        "start_s": "float64",
        "end_s": "float64",
        "seconds": "float64",
        "throughput_mb_s": "float64",
        "state": "string",
        "reason": "string",
    },
    "planned_actions": dict.fromkeys(("action", "file_name", "version", "source", "target", "reason"), "string"),
}

EMPTY: dict[str, Callable[[], pd.DataFrame]] = {
    "lookup_table": lambda: tables.lookup_table(Table()),
    "keepers": lambda: tables.keepers(Table()),
    "files": lambda: tables.files(Table(), 3),
    "events": lambda: tables.events([]),
    "transfers": lambda: tables.transfers([]),
    "planned_actions": lambda: tables.planned_actions([]),
}


@pytest.fixture
def story() -> Story:
    """Three files on eleven keepers; keeper-2 has died."""
    story = Story(KEEPERS)
    story.at(1.0).commit("b.mp4", "v1", "keeper-10", "keeper-2", "keeper-1", size=5 * MB)
    story.at(2.0).commit("a.mp4", "v2", "keeper-2", size=3 * MB, created_at=1_700_000_000.25)
    story.at(3.0).commit("lectures/c.mp4", "v3", "keeper-3", "keeper-4", "keeper-5", size=2 * MB)
    story.at(4.0).corrupt("v3", "keeper-3")
    story.drop("v3", "keeper-4")
    story.at(5.0).dies("keeper-2")
    return story


FULL: dict[str, Callable[[Story], pd.DataFrame]] = {
    "lookup_table": lambda story: tables.lookup_table(story.table),
    "keepers": lambda story: tables.keepers(story.table),
    "files": lambda story: tables.files(story.table, 3),
    "events": lambda story: tables.events(story.events),
    "transfers": lambda story: tables.transfers(_with_an_upload(story)),
    "planned_actions": lambda story: tables.planned_actions(
        [PlannedAction("copy", "b.mp4", "v1", "keeper-1", "keeper-3", "2 of 3 live copies")]
    ),
}


def _with_an_upload(story: Story) -> list:  # type: ignore[type-arg]
    story.note("client", Kind.UPLOAD_REQUESTED, file_name="b.mp4", bytes=MB, transfer="u1")
    return story.events


def _schema(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_empty_table_has_all_columns_with_their_dtypes(name: str) -> None:
    frame = EMPTY[name]()
    assert list(_schema(frame).items()) == list(SCHEMAS[name].items())
    assert len(frame) == 0


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_full_table_has_the_very_same_columns_and_dtypes(name: str, story: Story) -> None:
    frame = FULL[name](story)
    assert list(_schema(frame).items()) == list(SCHEMAS[name].items())
    assert len(frame) > 0
    assert list(frame.index) == list(range(len(frame)))


def test_the_lookup_table_starts_with_the_four_columns_of_the_assignment(story: Story) -> None:
    frame = tables.lookup_table(story.table)
    assert list(frame.columns[:4]) == ["file_name", "data_node", "file_path", "is_alive"]


def test_the_lookup_table_goes_by_file_name_and_then_by_the_keepers_number(story: Story) -> None:
    frame = tables.lookup_table(story.table)
    assert list(zip(frame.file_name, frame.data_node, strict=True)) == [
        ("a.mp4", "keeper-2"),
        ("b.mp4", "keeper-1"),
        ("b.mp4", "keeper-2"),
        ("b.mp4", "keeper-10"),
        ("lectures/c.mp4", "keeper-3"),
        ("lectures/c.mp4", "keeper-4"),
        ("lectures/c.mp4", "keeper-5"),
    ]


def test_exactly_the_rows_of_a_dead_keeper_are_not_alive(story: Story) -> None:
    frame = tables.lookup_table(story.table)
    assert set(frame[~frame.is_alive].data_node) == {"keeper-2"}
    assert "keeper-2" not in set(frame[frame.is_alive].data_node)


def test_a_draining_keeper_still_serves_so_its_rows_are_alive(story: Story) -> None:
    story.drains("keeper-1")
    frame = tables.lookup_table(story.table)
    assert frame[frame.data_node == "keeper-1"].is_alive.all()
    keepers = tables.keepers(story.table).set_index("keeper")
    assert keepers.loc["keeper-1", "state"] == "draining"
    assert keepers.loc["keeper-1", "is_alive"]


def test_a_replicas_row_tells_its_path_state_version_size_and_since_when(story: Story) -> None:
    frame = tables.lookup_table(story.table)
    row = frame[(frame.file_name == "lectures/c.mp4") & (frame.data_node == "keeper-3")].iloc[0]
    assert row.file_path == "/disks/keeper-3/replicas/v3"
    assert (row.state, row.version, row.size_bytes, row.since_s) == ("corrupt", "v3", 2 * MB, 4.0)
    assert list(frame[frame.version == "v3"].state) == ["corrupt", "dropping", "valid"]


def test_replicas_of_an_overwritten_version_are_not_in_the_lookup_table(story: Story) -> None:
    story.at(6.0).commit("a.mp4", "v9", "keeper-7")
    story.delete("a.mp4", "v2")
    frame = tables.lookup_table(story.table)
    assert list(frame[frame.file_name == "a.mp4"].version) == ["v9"]


def test_in_the_middle_of_an_overwrite_the_later_version_counts(story: Story) -> None:
    story.at(6.0).commit("a.mp4", "v9", "keeper-7")
    assert list(tables.files(story.table, 3).version) == ["v9", "v1", "v3"]


def test_keepers_come_in_the_order_of_their_numbers(story: Story) -> None:
    assert list(tables.keepers(story.table).keeper) == KEEPERS


def test_names_with_and_without_numbers_are_ordered_as_people_count() -> None:
    assert in_natural_order(["keeper-10", "keeper", "keeper-2", "keeper-2", "a", "10", "9"]) == [
        "9",
        "10",
        "a",
        "keeper",
        "keeper-2",
        "keeper-10",
    ]


def test_a_keepers_row_tells_what_it_holds_and_where_it_is(story: Story) -> None:
    story.at(7.5).note("master", Kind.HEARTBEAT, peer="keeper-1", incarnation=1, free_bytes=123)
    frame = tables.keepers(story.table).set_index("keeper")
    assert frame.loc["keeper-2"].to_dict() == {
        "state": "dead",
        "is_alive": False,
        "incarnation": 1,
        "replicas": 2,
        "stored_bytes": 8 * MB,
        "free_bytes": 10**9,
        "last_heartbeat_s": 0.0,
        "address": "keeper-2:1",
        "data_address": "keeper-2:2",
        "directory": "/disks/keeper-2",
    }
    rows = frame.to_dict("index")
    assert (rows["keeper-1"]["free_bytes"], rows["keeper-1"]["last_heartbeat_s"]) == (123, 7.5)
    assert (rows["keeper-11"]["replicas"], rows["keeper-11"]["stored_bytes"]) == (0, 0)


def test_a_keeper_that_was_never_heard_has_no_last_heartbeat() -> None:
    story = Story()
    story.note("master", Kind.KEEPER_UNSEEN, peer="keeper-1", incarnation=4)
    row = tables.keepers(story.table).iloc[0]
    assert (row.state, row.is_alive, row.incarnation) == ("unseen", False, 4)
    assert math.isnan(row.last_heartbeat_s)


def test_a_files_row_tells_how_well_it_is_replicated(story: Story) -> None:
    story.at(6.0).commit("whole.mp4", "v4", "keeper-10", "keeper-3", "keeper-9")
    frame = tables.files(story.table, 3).set_index("file_name")
    assert frame[["live_copies", "copies", "wanted", "state", "holders"]].to_dict("index") == {
        "a.mp4": {"live_copies": 0, "copies": 1, "wanted": 3, "state": "unavailable", "holders": ""},
        "b.mp4": {"live_copies": 2, "copies": 3, "wanted": 3, "state": "degraded", "holders": "keeper-1,keeper-10"},
        "lectures/c.mp4": {"live_copies": 1, "copies": 3, "wanted": 3, "state": "degraded", "holders": "keeper-5"},
        "whole.mp4": {
            "live_copies": 3,
            "copies": 3,
            "wanted": 3,
            "state": "ok",
            "holders": "keeper-3,keeper-9,keeper-10",
        },
    }


def test_a_files_time_of_creation_is_in_utc_to_the_microsecond(story: Story) -> None:
    frame = tables.files(story.table, 3).set_index("file_name")
    assert frame.loc["a.mp4", "created_at"] == pd.Timestamp("2023-11-14 22:13:20.25", tz="UTC")


def test_more_copies_than_wanted_are_ok(story: Story) -> None:
    assert tables.files(story.table, 1).set_index("file_name").loc["b.mp4", "state"] == "ok"


def test_an_events_row_has_its_detail_as_json(story: Story) -> None:
    row = tables.events(story.events).to_dict("records")[0]
    assert row["id"] == story.events[0].id
    assert (row["time_s"], row["node"], row["kind"]) == (0.0, "master", "keeper_registered")
    assert json.loads(row["detail"])["directory"] == "/disks/keeper-1"


def test_an_event_without_detail_has_an_empty_json_object() -> None:
    story = Story()
    cause = story.note("master", Kind.MASTER_STARTED)
    story.note("master", Kind.SCAN, cause=cause)
    frame = tables.events(story.events)
    assert list(frame.detail) == ["{}", "{}"]
    assert list(frame.cause) == ["", cause]


def test_planned_actions_come_as_the_scan_gave_them() -> None:
    actions = [
        PlannedAction("copy", "b.mp4", "v1", "keeper-1", "keeper-3", "2 of 3 live copies"),
        PlannedAction("drop", "a.mp4", "v2", "", "keeper-9", "4 live copies, 3 wanted"),
    ]
    assert tables.planned_actions(actions).values.tolist() == [
        ["copy", "b.mp4", "v1", "keeper-1", "keeper-3", "2 of 3 live copies"],
        ["drop", "a.mp4", "v2", "", "keeper-9", "4 live copies, 3 wanted"],
    ]
