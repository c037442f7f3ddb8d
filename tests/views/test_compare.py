"""Predicted against observed, from traces written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from dfslab.core.errors import InvalidOption
from dfslab.core.links import Link
from dfslab.core.predict import detection_s, download_s, recovery_s, upload_s
from dfslab.core.setup import Setup
from dfslab.core.trace import Kind
from dfslab.runtime.data_server import IDLE_TIMEOUT_S
from dfslab.views.compare import COMPARISON
from dfslab.views.looking import Looking
from dfslab.views.observations import CONNECTION_RESTS_S

from .story import MB, Story

KEEPERS = ("keeper-1", "keeper-2", "keeper-3", "keeper-4")
TWENTY = Link(rate_mb_s=20)


def compared(story: Story, machine_mb_s: float | None = None, **setup: Any) -> pd.DataFrame:
    setup = {"link": TWENTY, "n": 4, **setup}
    return Looking(story.source(**setup)).compare(machine_mb_s)


def download(story: Story, seconds: float, *holders: str, size: int = 20 * MB, name: str = "a.mp4") -> None:
    """Add the lines of a download that takes so long from now."""
    cause = story.note("client", Kind.DOWNLOAD_REQUESTED, file_name=name, peer="master")
    lines: dict[str, Any] = {"file_name": name, "version": f"v-{name}", "cause": cause}
    started = story.note("client", Kind.DOWNLOAD_STARTED, bytes=size, holders=list(holders), **lines)
    story.at(story.now + seconds)
    for keeper in holders:
        fetched: dict[str, Any] = {"peer": keeper, "cause": started, "outcome": "ok"}
        story.note("client", Kind.CHUNK_FETCHED, file_name=name, version=f"v-{name}", **fetched)
    story.note("client", Kind.DOWNLOAD_DONE, bytes=size, seconds=seconds, holders=len(holders), **lines)


def upload(story: Story, seconds: float, *keepers: str, size: int = 20 * MB, **detail: Any) -> None:
    """Add the lines of an upload that takes so long from now; the keepers behind the first get copies."""
    first, *targets = keepers
    story.note("client", Kind.UPLOAD_REQUESTED, file_name="a.mp4", bytes=size, peer="master", transfer="t1")
    granted = {"keeper": first, "upload": "t1", "name": "a.mp4", "for_version": "v1", **detail}
    story.note("master", Kind.SLOT_GRANTED, peer="client", bytes=size, **granted)
    story.at(story.now + seconds / 2)
    for target in targets:
        story.copy_ordered(f"c-{target}", "v1", first, target)
    story.at(story.now + seconds / 2)
    story.note("client", Kind.UPLOAD_DONE, file_name="a.mp4", version="v1", bytes=size, transfer="t1")


def death(story: Story, keeper: str = "keeper-2") -> None:
    """Kill a keeper that holds a file of 20 MB, at 10 s; it is declared dead at 12.5 s, the file whole at 13.6 s."""
    story.commit("a.mp4", "v1", "keeper-1", "keeper-2", "keeper-3", size=20 * MB)
    story.at(10.0).fault("kill", keeper)
    story.at(12.5).dies(keeper)
    story.copy_ordered("c1", "v1", "keeper-1", "keeper-4")
    story.at(13.6).copy_done("c1", "v1", "keeper-1", "keeper-4")


def predicted_of(frame: pd.DataFrame, index: int = 0) -> tuple[float, float, float]:
    row = frame.iloc[index]
    return row.predicted_low, row.predicted, row.predicted_high


def is_predicted(frame: pd.DataFrame) -> bool:
    rows = frame[frame.quantity != "detection"]
    assert len(rows) == 1
    known = bool(rows.predicted.notna().iloc[0])
    assert bool(rows.within.isna().iloc[0]) is not known
    return known


# -- what is in the table -----------------------------------------------------------------------


def test_an_empty_trace_gives_an_empty_table_of_the_same_dtypes() -> None:
    full = Story(KEEPERS)
    download(full, 0.5, "keeper-1", "keeper-2")

    for frame in (compared(Story()), compared(full)):
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == COMPARISON
    assert len(compared(Story())) == 0


def test_a_download_is_compared_with_the_formula_for_its_holders() -> None:
    story = Story(KEEPERS)
    story.at(1.0)
    download(story, 0.6, "keeper-1", "keeper-2")

    (row,) = compared(story).itertuples()

    expected = download_s(20 * MB, [TWENTY] * 2)
    assert (row.quantity, row.subject, row.start_s, row.observed, row.unit) == ("download", "a.mp4", 1.0, 0.6, "s")
    assert (row.predicted_low, row.predicted, row.predicted_high) == (expected.low, expected.typical, expected.high)
    assert row.error == pytest.approx(0.6 - expected.typical)
    assert row.relative_error == pytest.approx(0.6 / expected.typical - 1)
    assert row.within


def test_an_observation_outside_of_its_range_is_not_within() -> None:
    story = Story(KEEPERS)
    download(story, 5.0, "keeper-1")

    assert list(compared(story).within) == [False]


@pytest.mark.parametrize(("detail", "ack"), [({"ack_replicas": 2}, 2), ({}, 1)])
def test_an_upload_is_compared_with_the_formula_for_its_copies(detail: dict[str, int], ack: int) -> None:
    story = Story(KEEPERS)
    upload(story, 3.0, "keeper-1", "keeper-2", "keeper-3", **detail)

    frame = compared(story)

    expected = upload_s(20 * MB, ack, keepers=[TWENTY] * 3)
    assert list(frame.quantity) == ["upload"]
    assert predicted_of(frame) == (expected.low, expected.typical, expected.high)


def test_a_death_gives_a_detection_and_a_recovery() -> None:
    story = Story(KEEPERS)
    death(story)

    frame = compared(story)

    assert list(frame.quantity) == ["detection", "recovery"]
    assert list(frame.subject) == ["keeper-2"] * 2
    assert list(frame.start_s) == [10.0] * 2
    assert list(frame.observed) == pytest.approx([2.5, 3.6])
    detection = detection_s()
    recovery = recovery_s([20 * MB], sources=[TWENTY] * 2, targets=[TWENTY] * 3)
    assert predicted_of(frame, 0) == (detection.low, detection.typical, detection.high)
    assert predicted_of(frame, 1) == pytest.approx((recovery.low, recovery.typical, recovery.high))
    assert list(frame.within) == [True, True]


@pytest.mark.parametrize(
    "silence",
    [
        lambda story: story.fault("pause", "keeper-2"),
        lambda story: story.fault("drop_heartbeats", "keeper-2"),
        lambda story: story.fault("partition", a=["master", "keeper-1"], b=["keeper-2"], one_way=False),
        lambda story: story.fault("partition", a=["keeper-2"], b=["master"], one_way=True),
    ],
)
def test_every_kind_of_silence_is_detected(silence: Callable[[Story], None]) -> None:
    story = Story(KEEPERS)
    silence(story.at(10.0))
    story.at(12.5).dies("keeper-2")

    frame = compared(story)

    assert list(frame.quantity) == ["detection"]
    assert list(frame.observed) == [2.5]
    assert list(frame.within) == [True]


def test_a_partition_that_lets_heartbeats_through_is_not_why_a_keeper_died() -> None:
    story = Story(KEEPERS)
    story.at(10.0).fault("partition", a=["master"], b=["keeper-2"], one_way=True)
    story.at(12.5).dies("keeper-2")

    assert len(compared(story)) == 0


def test_a_death_that_nobody_caused_is_not_compared() -> None:
    story = Story(KEEPERS)
    story.at(12.5).dies("keeper-2")

    assert len(compared(story)) == 0


def test_a_keeper_that_comes_back_with_its_copies_was_not_repaired() -> None:
    story = Story(KEEPERS)
    story.commit("a.mp4", "v1", "keeper-1", "keeper-2", "keeper-3")
    story.at(10.0).fault("kill", "keeper-2")
    story.at(12.5).dies("keeper-2")
    story.at(13.0).fault("restart", "keeper-2")
    story.at(13.1).registers("keeper-2", incarnation=2)
    story.at(14.0).record("v1", "keeper-4")

    assert list(compared(story).quantity) == ["detection"]


def test_a_connection_that_rests_from_an_earlier_transfer_saves_the_handshake() -> None:
    """For a minute, and until one of its ends begins anew."""
    far = Link(rate_mb_s=20, delay_ms=50)
    story = Story(KEEPERS)
    for wait_s in (0.0, 30.0, 61.0):
        story.at(story.now + wait_s)
        download(story, 1.5, "keeper-1")
    story.fault("kill", "keeper-1")
    story.at(story.now + 0.1).fault("restart", "keeper-1")
    story.at(story.now + 1.0)
    download(story, 1.5, "keeper-1")

    first, again, much_later, after_restart = compared(story, link=far).predicted

    assert first - again == pytest.approx(0.1)
    assert (much_later, after_restart) == (first, first)


def test_a_connection_rests_as_long_as_a_keeper_leaves_it() -> None:
    assert CONNECTION_RESTS_S == IDLE_TIMEOUT_S


# -- when there is no prediction ----------------------------------------------------------------


def test_without_limits_there_is_no_prediction_unless_the_machine_is_known() -> None:
    story = Story(KEEPERS)
    download(story, 0.5, "keeper-1")

    assert not is_predicted(compared(story, link=Link()))
    assert is_predicted(compared(story, link=Link(), machine_mb_s=100.0))
    assert list(compared(story, link=Link()).observed) == [0.5]


def test_the_links_are_those_of_the_moment() -> None:
    story = Story(KEEPERS)
    story.at(1.0).fault("set_link", "keeper-1", **Link(rate_mb_s=5).as_dict())
    story.at(2.0)
    download(story, 4.1, "keeper-1")

    assert compared(story).predicted[0] == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda story: story.fault("pause", "keeper-1"),
        lambda story: story.fault("kill", "master"),
        lambda story: story.fault("set_link", "keeper-1", **Link(rate_mb_s=5).as_dict()),
        lambda story: story.fault("set_link", "client", other="keeper-1", **Link(delay_ms=50).as_dict()),
        lambda story: story.fault("partition", a=["keeper-1"], b=["keeper-4"], one_way=False),
    ],
)
def test_a_fault_that_touches_who_took_part_leaves_no_prediction(meanwhile: Callable[[Story], None]) -> None:
    story = Story(KEEPERS)
    cause = story.note("client", Kind.DOWNLOAD_REQUESTED, file_name="a.mp4", peer="master")
    lines: dict[str, Any] = {"file_name": "a.mp4", "version": "v1", "cause": cause}
    story.note("client", Kind.DOWNLOAD_STARTED, bytes=MB, holders=["keeper-1"], **lines)
    meanwhile(story.at(0.5))
    story.at(1.0).note("client", Kind.DOWNLOAD_DONE, bytes=MB, seconds=1.0, holders=1, **lines)

    assert not is_predicted(compared(story))


def test_a_fault_elsewhere_or_earlier_does_not_matter() -> None:
    story = Story(KEEPERS)
    story.fault("pause", "keeper-4")
    story.at(1.0).fault("pause", "keeper-1")
    story.at(2.0).fault("resume", "keeper-1")
    story.at(3.0)
    download(story, 0.5, "keeper-1")

    assert is_predicted(compared(story))


def test_a_transfer_that_shared_a_card_is_not_predicted() -> None:
    story = Story(KEEPERS)
    story.copy_ordered("c1", "v9", "keeper-1", "keeper-4")
    story.at(0.1)
    download(story, 0.5, "keeper-1")

    assert not is_predicted(compared(story))


def test_a_card_that_both_use_in_opposite_directions_is_not_shared() -> None:
    story = Story(KEEPERS)
    story.copy_ordered("c1", "v9", "keeper-4", "keeper-1")
    story.at(0.1)
    download(story, 0.5, "keeper-1")

    assert is_predicted(compared(story))


def test_a_copy_that_ended_before_does_not_share() -> None:
    story = Story(KEEPERS)
    story.copy_ordered("c1", "v9", "keeper-1", "keeper-4")
    story.at(0.1).copy_done("c1", "v9", "keeper-1", "keeper-4")
    story.at(0.2)
    download(story, 0.5, "keeper-1")

    assert is_predicted(compared(story))


def test_a_download_of_a_file_that_is_being_copied_shares_the_source() -> None:
    story = Story(KEEPERS)
    story.copy_ordered("c1", "v-a.mp4", "keeper-1", "keeper-4")
    story.at(0.1)
    download(story, 0.5, "keeper-1")

    assert not is_predicted(compared(story))


def test_a_second_death_meanwhile_leaves_the_recovery_without_a_prediction() -> None:
    story = Story((*KEEPERS, "keeper-5"))
    story.commit("a.mp4", "v1", "keeper-1", "keeper-2", "keeper-3")
    story.at(10.0).fault("kill", "keeper-2")
    story.at(12.0).fault("kill", "keeper-5")
    story.at(12.5).dies("keeper-2")
    story.at(13.6).record("v1", "keeper-4")

    assert not is_predicted(compared(story, n=5))


def test_two_keepers_that_one_partition_cuts_off_leave_the_recovery_without_a_prediction() -> None:
    story = Story((*KEEPERS, "keeper-5"))
    story.commit("a.mp4", "v1", "keeper-1", "keeper-2", "keeper-3")
    story.at(10.0).fault("partition", a=["master"], b=["keeper-2", "keeper-5"], one_way=False)
    story.at(12.5).dies("keeper-2")
    story.at(12.6).dies("keeper-5")
    story.at(13.6).record("v1", "keeper-4")

    frame = compared(story, n=5)

    assert list(frame[frame.quantity == "detection"].within) == [True, True]
    assert not is_predicted(frame)


def test_a_dead_master_leaves_the_detection_without_a_prediction() -> None:
    story = Story(KEEPERS)
    story.at(9.0).fault("kill", "master")
    story.at(10.0).fault("kill", "keeper-2")
    story.at(11.0).fault("restart", "master")
    story.at(15.0).dies("keeper-2")

    frame = compared(story)

    assert list(frame.observed) == [5.0]
    assert frame.predicted.isna().all()


def test_a_download_that_had_to_start_again_is_left_out() -> None:
    story = Story(KEEPERS)
    cause = story.note("client", Kind.DOWNLOAD_REQUESTED, file_name="a.mp4", peer="master")
    lines: dict[str, Any] = {"file_name": "a.mp4", "version": "v1", "cause": cause}
    story.note("client", Kind.DOWNLOAD_STARTED, bytes=MB, holders=["keeper-1"], **lines)
    story.note("client", Kind.DOWNLOAD_STARTED, bytes=MB, holders=["keeper-2"], **lines)
    story.at(1.0).note("client", Kind.DOWNLOAD_DONE, bytes=MB, seconds=1.0, holders=1, **lines)

    assert len(compared(story)) == 0


def test_a_trace_that_lost_its_beginning_is_compared_as_far_as_it_goes() -> None:
    story = Story(KEEPERS)
    death(story)
    download(story, 0.5, "keeper-1")

    source = story.source(capacity=4, link=TWENTY, n=4)

    assert list(Looking(source).compare().quantity) == ["download"]


def test_a_rate_of_the_machine_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidOption, match="machine_mb_s"):
        compared(Story(), machine_mb_s=-1.0)


def test_the_setup_of_the_trace_decides() -> None:
    """A saved trace says what its timers were."""
    story = Story(KEEPERS)
    death(story)
    source = story.source(link=TWENTY, n=4)
    assert isinstance(source.setup, Setup)

    assert Looking(source).compare().predicted[0] == pytest.approx(2.55)
