"""A file of a single chunk: one thread, one holder, as long as all goes well."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

import dfslab
from dfslab.core.errors import DownloadFailed
from tests.cluster.conftest import Starter
from tests.small_disk import fill, mounted

DATA = random.Random(3).randbytes(64 * 1024)


def test_a_small_file_takes_no_thread_of_its_own_and_the_holders_take_turns(
    start: Starter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster = start(3)
    cluster.upload(DATA, name="small", ack_replicas=3)
    started: list[str] = []
    begin = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        started.append(thread.name)
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)
    with dfslab.Client(cluster.address, token=cluster.token) as client:
        downloads = [client.download("small", tmp_path / str(at)) for at in range(6)]

    assert all((tmp_path / str(at)).read_bytes() == DATA for at in range(6))
    requests = [download.chunks.iloc[0] for download in downloads]
    assert {request.keeper for request in requests} == {"keeper-1", "keeper-2", "keeper-3"}
    late = [request for request in requests if request.end_s - request.start_s > 0.05]
    assert late or not [name for name in started if name.startswith("download-")]


def test_a_small_file_is_fetched_from_the_others_while_its_first_holder_says_nothing(
    start: Starter, tmp_path: Path
) -> None:
    """The others are called in when it is late, and the first is not waited for once the file is whole."""
    cluster = start(3, heartbeat_timeout_s=100.0)
    info = cluster.upload(DATA, name="small", ack_replicas=3)
    cluster.pause(info.holders[0])
    try:
        with dfslab.Client(cluster.address, token=cluster.token, stall_timeout_s=60.0) as client:
            downloads = [client.download("small", tmp_path / str(at)) for at in range(3)]
    finally:
        cluster.resume(info.holders[0])

    assert all((tmp_path / str(at)).read_bytes() == DATA for at in range(3))
    assert all(download.seconds < 30 for download in downloads)
    assert any(len(download.chunks) > 1 for download in downloads), "the paused holder had its turn"
    for download in downloads:
        served = download.chunks[download.chunks.outcome == "ok"]
        assert info.holders[0] not in set(served.keeper)


def test_a_small_file_whose_first_holder_is_bad_comes_from_another(start: Starter, tmp_path: Path) -> None:
    cluster = start(3, repair="scan")
    info = cluster.upload(DATA, name="small", ack_replicas=3)
    cluster.corrupt("small", info.holders[0])

    for at in range(3):
        cluster.download("small", tmp_path / str(at))
        assert (tmp_path / str(at)).read_bytes() == DATA


def test_a_small_file_whose_target_can_not_be_written_is_no_holders_fault(start: Starter, tmp_path: Path) -> None:
    cluster = start(3)
    cluster.upload(DATA, name="small", ack_replicas=3)
    with pytest.raises(dfslab.errors.TargetUnwritable):
        cluster.download("small", tmp_path / "no-such-folder" / "x")


def test_a_small_file_for_which_the_readers_disk_has_no_room_leaves_nothing_there(
    start: Starter, tmp_path: Path
) -> None:
    cluster = start(3)
    cluster.upload(DATA, name="small", ack_replicas=3)
    with mounted(tmp_path / "disk", 1 << 20) as disk:
        filler = fill(disk)

        with pytest.raises(dfslab.errors.TargetUnwritable, match="No space left"):
            cluster.download("small", disk / "small")

        assert list(disk.iterdir()) == [filler]
        filler.unlink()
        assert cluster.download("small", disk / "small").path.read_bytes() == DATA


def test_a_small_file_with_no_holder_left_fails_with_each_ones_reason(start: Starter, tmp_path: Path) -> None:
    cluster = start(3, repair="scan", heartbeat_timeout_s=100.0)
    info = cluster.upload(DATA, name="small", ack_replicas=3)
    for holder in info.holders:
        cluster.corrupt("small", holder)

    with pytest.raises(DownloadFailed) as failed:
        cluster.download("small", tmp_path / "x")

    assert all(holder in str(failed.value) for holder in info.holders)
    assert not list(tmp_path.iterdir())
