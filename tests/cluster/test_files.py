"""Files go up, are replicated, and come down whole."""

import hashlib
import os
import random
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dfslab
from dfslab.cluster import Cluster
from dfslab.core.blocks import BLOCK_SIZE
from tests.cluster.conftest import Starter


def content(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_each_sample_video_is_stored_three_times_and_comes_back_byte_for_byte(cluster: Cluster) -> None:
    videos = dfslab.samples.videos()
    for video in videos:
        info = cluster.upload(video)
        assert (info.name, info.size) == (video.name, video.stat().st_size)
        assert len(info.holders) >= 1

    cluster.wait_for_replicas()

    for video in videos:
        assert len(cluster.stat(video.name).holders) == 3
        assert sha256(cluster.download(video.name).path) == sha256(video)


def test_the_lookup_table_names_the_real_files_on_the_keepers(cluster: Cluster) -> None:
    data = content(300_000)
    cluster.upload(data, name="a/b.bin")
    cluster.wait_for_replicas("a/b.bin")

    table = cluster.lookup_table()

    assert list(table.columns[:4]) == ["file_name", "data_node", "file_path", "is_alive"]
    assert len(table) == 3
    assert table.is_alive.all()
    for keeper, path in zip(table.data_node, map(Path, table.file_path), strict=True):
        assert path.is_absolute()
        assert cluster.root / keeper in path.parents
        assert path.read_bytes() == data


@pytest.mark.parametrize(
    "size", [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE, 5_000_001], ids=lambda size: f"{size}"
)
def test_files_of_every_awkward_size_come_back_identical(cluster: Cluster, size: int) -> None:
    data = content(size)
    cluster.upload(data, name="odd")
    cluster.wait_for_replicas("odd")

    download = cluster.download("odd")

    assert download.path.read_bytes() == data
    assert download.size == size
    assert download.chunks.loc[download.chunks.outcome == "ok", "bytes"].sum() == size
    assert set(download.chunks.outcome) <= {"ok", "duplicate", "cancelled"}  # a busy machine makes it hedge


def test_a_download_takes_chunks_from_every_holder(cluster: Cluster) -> None:
    cluster.upload(content(12_000_000), name="big")
    cluster.wait_for_replicas("big")

    served: set[str] = set()
    for _ in range(10):  # on a busy machine, one worker may come too late for a chunk of one download
        served |= set(cluster.download("big").bytes_by_keeper())
        if len(served) == 3:
            break

    assert served == set(cluster.stat("big").holders)


def test_a_download_can_be_limited_to_some_holders(cluster: Cluster) -> None:
    cluster.upload(content(3_000_000), name="big")
    cluster.wait_for_replicas("big")

    asked = [set(cluster.download("big", holders=count).chunks.keeper) for count in (1, 2) for _ in range(5)]

    assert [len(keepers) for keepers in asked[:5]] == [1] * 5
    assert max(len(keepers) for keepers in asked[5:]) <= 2


@pytest.mark.parametrize("ack_replicas", [1, 2, 3])
def test_an_acknowledged_upload_is_on_as_many_keepers_as_asked_for(cluster: Cluster, ack_replicas: int) -> None:
    data = content(2_000_000)

    info = cluster.upload(data, name="acked", ack_replicas=ack_replicas)

    assert len(info.holders) >= ack_replicas
    on_disk = [path for path in cluster.root.glob("keeper-*/replicas/*.data") if path.read_bytes() == data]
    assert len(on_disk) >= ack_replicas


def test_with_scan_repair_only_the_awaited_copies_are_made_at_once(start: Starter) -> None:
    cluster = start(repair="scan", replication_interval_s=3600)

    cluster.upload(content(100_000), name="two", ack_replicas=2)

    assert len(cluster.stat("two").holders) == 2
    assert list(cluster.scan_now(dry_run=True).action) == ["copy"]
    cluster.scan_now()
    cluster.wait_for_replicas("two")


def test_overwriting_makes_a_new_version_and_the_old_bytes_leave_the_disks(cluster: Cluster) -> None:
    first = cluster.upload(content(400_000, 1), name="same")
    cluster.wait_for_replicas("same")
    second = cluster.upload(content(500_000, 2), name="same")
    cluster.wait_for_replicas("same")

    assert first.version != second.version
    assert cluster.download("same").path.read_bytes() == content(500_000, 2)
    wait_until_gone(cluster, first.version)


def wait_until_gone(cluster: Cluster, version: str) -> None:
    for _ in range(200):
        if not list(cluster.root.glob(f"keeper-*/replicas/{version}.*")):
            return
        cluster._recorder.wait_for_change(0.05)
    raise AssertionError(f"{version} is still on a disk")


def test_a_deleted_file_is_gone_from_the_table_and_from_the_disks(cluster: Cluster) -> None:
    info = cluster.upload(content(100_000), name="doomed")
    cluster.wait_for_replicas("doomed")

    cluster.delete("doomed")

    with pytest.raises(FileNotFoundError, match="doomed"):
        cluster.stat("doomed")
    with pytest.raises(FileNotFoundError):
        cluster.download("doomed")
    assert cluster.lookup_table().empty
    wait_until_gone(cluster, info.version)


def test_a_renamed_file_keeps_its_version_and_its_replicas(cluster: Cluster) -> None:
    info = cluster.upload(content(100_000), name="before")
    cluster.wait_for_replicas()

    renamed = cluster.rename("before", "folder/after")

    assert (renamed.name, renamed.version) == ("folder/after", info.version)
    assert set(cluster.lookup_table().file_name) == {"folder/after"}
    assert cluster.download("folder/after").path.read_bytes() == content(100_000)
    with pytest.raises(FileNotFoundError):
        cluster.stat("before")


def test_renaming_onto_a_name_that_is_taken_changes_nothing(cluster: Cluster) -> None:
    cluster.upload(b"one", name="one")
    cluster.upload(b"two", name="two")

    with pytest.raises(FileExistsError, match="was not touched"):
        cluster.rename("one", "two")

    assert cluster.download("one").path.read_bytes() == b"one"
    assert cluster.download("two").path.read_bytes() == b"two"


def test_many_uploads_of_one_name_at_once_leave_one_whole_winner(cluster: Cluster) -> None:
    """FAULTS row 28."""
    contents = [content(700_000 + seed, seed) for seed in range(6)]
    threads = [threading.Thread(target=cluster.upload, args=(data, "contested")) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    cluster.wait_for_replicas("contested")

    assert cluster.download("contested").path.read_bytes() in contents
    assert cluster.lookup_table().version.nunique() == 1


def test_a_download_goes_to_a_file_or_into_a_folder_and_replaces_what_is_there(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.upload(b"new", name="folder/clip.mp4")
    (tmp_path / "old.mp4").write_bytes(b"old")

    assert cluster.download("folder/clip.mp4", to=tmp_path).path == tmp_path / "clip.mp4"
    cluster.download("folder/clip.mp4", to=str(tmp_path / "old.mp4"))

    assert (tmp_path / "old.mp4").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "old.mp4"]


def test_progress_is_told_from_nothing_to_everything(cluster: Cluster) -> None:
    up: list[tuple[int, int]] = []
    down: list[tuple[int, int]] = []
    size = 5_000_000

    cluster.upload(content(size), name="watched", progress=lambda done, total: up.append((done, total)))
    cluster.download("watched", progress=lambda done, total: down.append((done, total)))

    for told in (up, down):
        assert told[-1] == (size, size)
        assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_an_interrupt_in_a_download_leaves_nothing_at_the_target(cluster: Cluster, tmp_path: Path) -> None:
    """FAULTS row 40."""
    cluster.upload(content(3_000_000), name="clip")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cluster.download("clip", to=tmp_path / "clip", progress=interrupt)

    assert list(tmp_path.iterdir()) == []
    assert cluster.download("clip").size == 3_000_000


def test_a_user_made_placement_and_scheduler_are_used(start: Starter) -> None:
    class First:
        def choose(self, candidates, size, rng):  # type: ignore[no-untyped-def]
            return candidates[0].keeper

    class OneByOne:
        def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):  # type: ignore[no-untyped-def]
            return waiting[0] if waiting and not in_flight else None

    cluster = start(placement=First(), chunk_scheduler=OneByOne, replicas=2)
    cluster.upload(content(2_000_000), name="placed")
    cluster.wait_for_replicas()

    assert sorted(cluster.stat("placed").holders) == ["keeper-1", "keeper-2"]
    chunks = cluster.download("placed").chunks.sort_values("start_s")
    assert (chunks.start_s.to_numpy()[1:] >= chunks.end_s.to_numpy()[:-1]).all()


@settings(max_examples=25)
@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20), min_size=1, max_size=3)
)
def test_any_name_that_is_accepted_can_be_stored_listed_and_deleted(parts: list[str]) -> None:
    name = "/".join(part.replace("/", "_").replace(".", "_") for part in parts)
    cluster = dfslab.cluster._running.get("names") or dfslab.cluster.start(3, name="names")
    data = os.urandom(10)

    cluster.upload(data, name=name)

    assert name in set(cluster.files().file_name)
    assert cluster.download(name).path.read_bytes() == data
    cluster.delete(name)
