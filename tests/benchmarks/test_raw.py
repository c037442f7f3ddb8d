"""The limit carries bytes rightly, and to as many disks as it says: a baseline that cheats would flatter nobody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import bare, raw
from benchmarks.raw import RawCluster, RawFailed, Stored

SIZES = (0, 1, 64 * 1024, raw.BUFFER_BYTES, raw.PART_BYTES + raw.BUFFER_BYTES + 7)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RawCluster]:
    with raw.started(tmp_path / "raw") as running:
        yield running


def on_disk(stored: Stored) -> list[bytes]:
    return [holder.path(stored.number).read_bytes() for holder in stored.holders]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chained", [False, True])
def test_every_copy_is_what_was_uploaded_and_so_is_the_download(
    cluster: RawCluster, tmp_path: Path, size: int, chained: bool
) -> None:
    content = os.urandom(size)
    (tmp_path / "source").write_bytes(content)
    client = cluster.client()

    stored = client.upload(tmp_path / "source", 4, copies=3, chained=chained)
    client.download(stored, tmp_path / "got", holders=2)

    assert on_disk(stored) == [content] * 3
    assert [keeper for keeper in cluster.keepers if keeper.path(4).exists()] == sorted(
        stored.holders, key=cluster.keepers.index
    ), "nobody else has it"
    assert (tmp_path / "got").read_bytes() == content
    assert [path.name for path in tmp_path.rglob("*.tmp")] == []


def test_bytes_are_stored_as_a_file_is(cluster: RawCluster, tmp_path: Path) -> None:
    content = os.urandom(raw.BUFFER_BYTES + 1)

    stored = cluster.client().upload(content, 0)

    assert on_disk(stored) == [content]


def test_a_bit_that_flips_on_a_disk_is_noticed(cluster: RawCluster, tmp_path: Path) -> None:
    client = cluster.client()
    stored = client.upload(bytes(raw.BUFFER_BYTES + 5), 0, copies=1)
    with stored.holders[0].path(0).open("r+b") as file:
        file.seek(raw.BUFFER_BYTES + 3)
        file.write(b"!")

    with pytest.raises(RawFailed, match=f"wrong bytes at {raw.BUFFER_BYTES}"):
        client.download(stored, tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_several_streams_copy_replicas_whole(cluster: RawCluster) -> None:
    client = cluster.client()
    contents = [os.urandom(raw.BUFFER_BYTES * number + number) for number in range(5)]
    stored = [client.upload(content, number) for number, content in enumerate(contents)]
    target = cluster.keepers[5]

    cluster.copy([(one, one.holders[0], target) for one in stored], streams=3)

    assert [target.path(number).read_bytes() for number in range(5)] == contents


def test_clients_at_once_do_not_mix_their_files_up(cluster: RawCluster, tmp_path: Path) -> None:
    clients = [cluster.client() for _ in range(4)]
    contents = [os.urandom(3 * raw.BUFFER_BYTES) for _ in clients]

    def work(number: int) -> None:
        stored = clients[number].upload(contents[number], number, copies=3)
        clients[number].download(stored, tmp_path / f"got-{number}")

    raw.in_parallel([lambda number=number: work(number) for number in range(4)])  # type: ignore[misc]

    assert [(tmp_path / f"got-{number}").read_bytes() for number in range(4)] == contents


def test_the_bare_figures_move_all_their_bytes(tmp_path: Path) -> None:
    bare.write_page_cache(tmp_path / "written", 3 * bare.BUFFER_BYTES)
    bare.send_over_loopback(3 * bare.BUFFER_BYTES)

    assert (tmp_path / "written").stat().st_size == 3 * bare.BUFFER_BYTES
