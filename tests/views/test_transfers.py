"""Transfers are put together from lines of several nodes; some lines may be missing."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from dfslab.core.trace import Kind
from dfslab.views import tables

from .story import MB, Story


def rows(story: Story) -> list[dict[str, Any]]:
    """Return the table's rows without what is empty or NaN."""
    return [
        {str(key): value for key, value in row.items() if not (value == "" or pd.isna(value))}
        for row in tables.transfers(story.events).to_dict("records")
    ]


class Upload:
    """The lines of one upload."""

    def __init__(self, story: Story, id: str = "u1", name: str = "a.mp4", client: str = "client") -> None:
        self.story, self.id, self.name, self.client = story, id, name, client

    def says(self, kind: Kind, **fields: Any) -> None:
        self.story.note(self.client, kind, file_name=self.name, bytes=4 * MB, transfer=self.id, **fields)

    def is_granted(self, version: str, keeper: str) -> None:
        self.story.note(
            "master",
            Kind.SLOT_GRANTED,
            peer=self.client,
            bytes=4 * MB,
            keeper=keeper,
            upload=self.id,
            name=self.name,
            for_version=version,
        )

    def is_acknowledged(self, version: str) -> None:
        self.story.note(
            "master",
            Kind.UPLOAD_ACKNOWLEDGED,
            file_name=self.name,
            version=version,
            peer=self.client,
            bytes=4 * MB,
            upload=self.id,
        )


def test_an_upload_goes_from_the_client_to_the_keeper_that_took_it() -> None:
    upload = Upload(story := Story())
    story.at(1.0)
    upload.says(Kind.UPLOAD_REQUESTED)
    upload.is_granted("v1", "keeper-3")
    upload.says(Kind.UPLOAD_STARTED, version="v1", peer="keeper-3")
    story.at(2.5)
    upload.is_acknowledged("v1")
    story.at(3.0)
    upload.says(Kind.UPLOAD_DONE, version="v1")
    assert rows(story) == [
        {
            "transfer": "u1",
            "kind": "upload",
            "file_name": "a.mp4",
            "version": "v1",
            "source": "client",
            "target": "keeper-3",
            "bytes": 4 * MB,
            "start_s": 1.0,
            "end_s": 3.0,
            "seconds": 2.0,
            "throughput_mb_s": 2.0,
            "state": "done",
        }
    ]


def test_an_upload_that_went_on_with_another_keeper_names_the_one_that_took_it() -> None:
    upload = Upload(story := Story())
    upload.says(Kind.UPLOAD_REQUESTED)
    upload.says(Kind.UPLOAD_STARTED, version="v1", peer="keeper-1")
    upload.says(Kind.UPLOAD_RETRIED, version="v1", peer="keeper-1", reason="cut")
    upload.says(Kind.UPLOAD_STARTED, version="v2", peer="keeper-2")
    story.at(1.0)
    upload.says(Kind.UPLOAD_DONE, version="v2")
    (row,) = rows(story)
    assert (row["target"], row["version"], row["state"]) == ("keeper-2", "v2", "done")


def test_when_the_first_attempt_had_succeeded_after_all_its_keeper_is_the_target() -> None:
    upload = Upload(story := Story())
    upload.says(Kind.UPLOAD_REQUESTED)
    upload.says(Kind.UPLOAD_STARTED, version="v1", peer="keeper-1")
    upload.says(Kind.UPLOAD_RETRIED, version="v1", peer="keeper-1", reason="no answer")
    upload.is_granted("v2", "keeper-2")
    story.at(1.0)
    upload.says(Kind.UPLOAD_DONE, version="v1")
    (row,) = rows(story)
    assert (row["target"], row["version"]) == ("keeper-1", "v1")


def test_an_upload_under_way_has_no_end_and_no_rate() -> None:
    upload = Upload(story := Story())
    upload.says(Kind.UPLOAD_REQUESTED)
    upload.says(Kind.UPLOAD_STARTED, version="v1", peer="keeper-1")
    row = tables.transfers(story.events).iloc[0]
    assert row.state == "running"
    assert all(math.isnan(row[name]) for name in ("end_s", "seconds", "throughput_mb_s"))


def test_a_failed_upload_says_why_and_has_no_rate() -> None:
    upload = Upload(story := Story())
    upload.says(Kind.UPLOAD_REQUESTED)
    story.at(2.0)
    upload.says(Kind.UPLOAD_FAILED, reason="no live keeper")
    row = tables.transfers(story.events).iloc[0]
    assert (row.state, row.reason, row.seconds) == ("failed", "no live keeper", 2.0)
    assert math.isnan(row.throughput_mb_s)


def test_what_the_client_says_of_its_upload_counts_more_than_the_master() -> None:
    upload = Upload(story := Story())
    upload.says(Kind.UPLOAD_REQUESTED)
    story.at(30.0)
    upload.says(Kind.UPLOAD_FAILED, reason="not confirmed in time")
    story.at(31.0)
    upload.is_acknowledged("v1")
    (row,) = rows(story)
    assert (row["state"], row["end_s"]) == ("failed", 30.0)


def test_an_upload_of_a_client_elsewhere_is_known_from_the_masters_lines() -> None:
    upload = Upload(story := Story(), client="other")
    story.at(1.0)
    upload.is_granted("v1", "keeper-3")
    story.at(2.0)
    upload.is_acknowledged("v1")
    (row,) = rows(story)
    assert (row["source"], row["target"], row["file_name"]) == ("other", "keeper-3", "a.mp4")
    assert (row["start_s"], row["end_s"], row["state"], row["throughput_mb_s"]) == (1.0, 2.0, "done", 4.0)


def _download(story: Story) -> tuple[str, str]:
    request = story.note("client", Kind.DOWNLOAD_REQUESTED, file_name="a.mp4", peer="master")
    started = _start(story, request)
    return request, started


def _start(story: Story, request: str) -> str:
    return story.note(
        "client", Kind.DOWNLOAD_STARTED, file_name="a.mp4", version="v1", cause=request, bytes=6 * MB, holders=[]
    )


def _chunk(story: Story, started: str, keeper: str, outcome: str = "ok") -> None:
    kind = Kind.CHUNK_FETCHED if outcome in ("ok", "duplicate") else Kind.CHUNK_FAILED
    story.note("client", kind, file_name="a.mp4", version="v1", peer=keeper, cause=started, outcome=outcome)


def _done(story: Story, request: str, seconds: float) -> None:
    story.note(
        "client",
        Kind.DOWNLOAD_DONE,
        file_name="a.mp4",
        version="v1",
        cause=request,
        bytes=6 * MB,
        seconds=seconds,
        holders=2,
    )


def test_a_download_names_the_keepers_that_served_it_in_the_order_of_their_numbers() -> None:
    story = Story().at(1.0)
    request, started = _download(story)
    for keeper in ("keeper-10", "keeper-2", "keeper-10"):
        _chunk(story, started, keeper)
    _chunk(story, started, "keeper-3", "duplicate")
    _chunk(story, started, "keeper-4", "failed")
    _chunk(story, started, "keeper-5", "cancelled")
    story.at(4.01)
    _done(story, request, seconds=3.0)
    assert rows(story) == [
        {
            "transfer": request,
            "kind": "download",
            "file_name": "a.mp4",
            "version": "v1",
            "source": "keeper-2,keeper-10",
            "target": "client",
            "bytes": 6 * MB,
            "start_s": 1.0,
            "end_s": 4.01,
            "seconds": 3.0,
            "throughput_mb_s": 2.0,
            "state": "done",
        }
    ]


def test_a_download_that_started_again_names_only_who_served_the_whole_copy() -> None:
    story = Story()
    request, first = _download(story)
    _chunk(story, first, "keeper-1")
    second = _start(story, request)
    _chunk(story, second, "keeper-2")
    (row,) = rows(story)
    assert (row["source"], row["state"]) == ("keeper-2", "running")


def test_a_failed_download_says_why() -> None:
    story = Story()
    request = story.note("client", Kind.DOWNLOAD_REQUESTED, file_name="nope", peer="master")
    story.at(1.0).note("client", Kind.DOWNLOAD_FAILED, file_name="nope", cause=request, reason="no file named 'nope'")
    (row,) = rows(story)
    assert (row["state"], row["reason"], row["bytes"]) == ("failed", "no file named 'nope'", 0)


def test_the_download_of_an_empty_file_has_a_rate_of_zero() -> None:
    story = Story()
    request = story.note("client", Kind.DOWNLOAD_REQUESTED, file_name="empty")
    story.note("client", Kind.DOWNLOAD_DONE, file_name="empty", cause=request, seconds=0.5, holders=0)
    (row,) = rows(story)
    assert (row["throughput_mb_s"], row["seconds"]) == (0.0, 0.5)
    assert "source" not in row


def _copy(story: Story, kind: Kind, id: str = "c1", size: int = 3 * MB, **fields: Any) -> None:
    story.note(
        "master",
        kind,
        file_name="a.mp4",
        version="v1",
        peer="keeper-2",
        bytes=size,
        source="keeper-1",
        copy=id,
        **fields,
    )


def test_a_copy_goes_from_keeper_to_keeper() -> None:
    story = Story().at(1.0)
    _copy(story, Kind.COPY_ORDERED, reason="1 of 3 live copies")
    story.at(2.5)
    _copy(story, Kind.COPY_DONE)
    assert rows(story) == [
        {
            "transfer": "c1",
            "kind": "copy",
            "file_name": "a.mp4",
            "version": "v1",
            "source": "keeper-1",
            "target": "keeper-2",
            "bytes": 3 * MB,
            "start_s": 1.0,
            "end_s": 2.5,
            "seconds": 1.5,
            "throughput_mb_s": 2.0,
            "state": "done",
        }
    ]


def test_a_failed_copy_says_why_it_failed_not_why_it_was_ordered() -> None:
    story = Story()
    _copy(story, Kind.COPY_ORDERED, reason="1 of 3 live copies")
    _copy(story, Kind.COPY_FAILED, size=0, reason="keeper-1 died")
    (row,) = rows(story)
    assert (row["state"], row["reason"], row["bytes"]) == ("failed", "keeper-1 died", 3 * MB)


def test_a_copy_that_a_master_ordered_before_it_was_killed_does_not_run_for_ever() -> None:
    story = Story()
    _copy(story, Kind.COPY_ORDERED, id="lost", reason="")
    _copy(story, Kind.COPY_ORDERED, id="stored", reason="")
    story.at(5.0).note("master", Kind.MASTER_STARTED)
    story.at(6.0).note("keeper-2", Kind.REPLICA_STORED, version="v1", bytes=3 * MB, copy="stored")
    lost, stored = rows(story)
    assert (lost["state"], lost["end_s"]) == ("failed", 5.0)
    assert "restarted" in lost["reason"]
    assert (stored["state"], stored["end_s"]) == ("done", 6.0)
    assert "reason" not in stored


def test_a_transfer_whose_first_lines_fell_out_of_the_trace_has_no_start() -> None:
    story = Story().at(9.0)
    _done(story, "client.1:7", seconds=2.0)
    _copy(story, Kind.COPY_DONE)
    Upload(story).says(Kind.UPLOAD_DONE, version="v1")
    _chunk(story, "client.1:8", "keeper-1")
    frame = tables.transfers(story.events)
    assert list(frame.kind) == ["download", "copy", "upload"]
    assert list(frame.state) == ["done"] * 3
    assert frame.start_s.isna().all()
    assert frame.seconds.tolist()[0] == 2.0
    assert frame.target.tolist()[:2] == ["client", "keeper-2"]


def test_transfers_come_in_the_order_in_which_they_began() -> None:
    story = Story()
    Upload(story, "u1").says(Kind.UPLOAD_REQUESTED)
    _download(story)
    Upload(story, "u1").says(Kind.UPLOAD_DONE, version="v1")
    Upload(story, "u2").says(Kind.UPLOAD_REQUESTED)
    _copy(story, Kind.COPY_ORDERED, reason="")
    assert list(tables.transfers(story.events).kind) == ["upload", "download", "upload", "copy"]
