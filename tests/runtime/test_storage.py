"""A keeper's disk, with real files."""

import contextlib
import errno
import json
import os
import resource
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.blocks import SMALL_BYTES, digest
from dfslab.core.errors import (
    DirectoryInUse,
    NoSuchReplica,
    ProtocolError,
    ReplicaNotDeleted,
    StorageFailed,
    UnsafeDirectory,
    WrongDirectory,
)
from dfslab.core.keeper.shelf import DELETE, PUBLISH, UNKNOWN_DIGEST, Step
from dfslab.runtime import failpoints
from dfslab.runtime.gate import Gate, NodeDown
from dfslab.runtime.storage import Storage, check_version
from tests.small_disk import fill, mounted

V1 = "v1-0123456789"
V2 = "v2-abcdef0123"
BLOCK = 1024


def crcs(data: bytes) -> bytes:
    blocks = [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]
    return b"".join(struct.pack(">I", crc32c.crc32c(block)) for block in blocks)


def store(storage: Storage, version: str, data: bytes) -> None:
    writer = storage.create(version, len(data), BLOCK)
    try:
        writer.write(memoryview(data))
        writer.commit()
    except BaseException:
        writer.abort()
        raise


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK])
def test_a_committed_replica_is_the_bytes_themselves_and_is_found_again(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    storage = Storage(tmp_path, "keeper-1", Gate())
    store(storage, V1, data)
    storage.close()

    (found,) = Storage(tmp_path, "keeper-1", Gate()).scan()

    assert (found.version, found.size, found.digest) == (V1, size, digest(crcs(data)))
    assert Path(found.path).read_bytes() == data


def test_nothing_is_visible_before_the_commit_and_nothing_is_left_after_an_abort(tmp_path: Path) -> None:
    storage = Storage(tmp_path, "keeper-1", Gate())
    writer = storage.create(V1, 4, BLOCK)
    writer.write(memoryview(b"data"))

    assert list(storage.scan()) == []
    writer.abort()

    assert list(storage.replicas.iterdir()) == []


def test_a_killed_keeper_publishes_nothing_and_its_temporary_files_are_swept_at_the_next_start(tmp_path: Path) -> None:
    """FAULTS row 3: killed after fsync, before rename."""
    gate = Gate()
    storage = Storage(tmp_path, "keeper-1", gate)
    writer = storage.create(V1, 4, BLOCK)
    writer.write(memoryview(b"data"))

    with failpoints.armed("keeper.sync-checksums", gate.cut), pytest.raises(NodeDown):
        writer.commit()
    writer.abort()
    storage.close()
    assert len(list((tmp_path / "replicas").glob("*.tmp"))) == 2

    again = Storage(tmp_path, "keeper-1", Gate())
    assert list(again.replicas.iterdir()) == []
    assert list(again.scan()) == []


@pytest.mark.parametrize("when", ["before.", ""])
@pytest.mark.parametrize("step", PUBLISH)
def test_wherever_a_keeper_is_killed_its_replica_is_whole_at_the_next_start_or_not_there(
    tmp_path: Path, step: Step, when: str
) -> None:
    """FAULTS rows 1, 3, 4."""
    gate = Gate()
    storage = Storage(tmp_path, "keeper-1", gate)
    writer = storage.create(V1, 4, BLOCK)
    writer.write(memoryview(b"data"))
    with failpoints.armed(f"keeper.{when}{step}", gate.cut) as passed, pytest.raises(NodeDown):
        writer.commit()
    writer.abort()
    storage.close()

    again = Storage(tmp_path, "keeper-1", Gate())
    found = list(again.scan())

    renamed = (step, when) in [(Step.RENAME_DATA, ""), (Step.SYNC_DIRECTORY, "before."), (Step.SYNC_DIRECTORY, "")]
    assert passed() == 1
    assert [(one.version, one.digest) for one in found] == ([(V1, digest(crcs(b"data")))] if renamed else [])
    assert len(list(again.replicas.iterdir())) == (2 if renamed else 0), "something else was left"


@pytest.mark.parametrize("when", ["before.", ""])
@pytest.mark.parametrize("step", PUBLISH)
@pytest.mark.parametrize("code", ["EIO", "ENOSPC"])
def test_an_error_of_the_disk_at_any_step_is_typed_and_final_and_leaves_nothing(
    tmp_path: Path, step: Step, when: str, code: str
) -> None:
    """FAULTS rows 13 and 15."""
    storage = Storage(tmp_path, "keeper-1", Gate())
    store(storage, V2, b"other")
    writer = storage.create(V1, 4, BLOCK)
    writer.write(memoryview(b"data"))

    with (
        failpoints.armed(f"keeper.{when}{step}", code) as passed,
        pytest.raises(StorageFailed, match="keeper-1 could not store the replica"),
    ):
        writer.commit()
    writer.abort()

    assert passed() == 1, "the step was tried again, or never"
    assert [one.version for one in storage.scan()] == [V2]
    assert len(list(storage.replicas.iterdir())) == 2, "something of the failed one was left"
    store(storage, V1, b"data")
    assert [one.version for one in storage.scan()] == [V1, V2]


@pytest.mark.parametrize("code", ["EIO", "ENOSPC"])
def test_an_error_of_the_disk_before_the_publishing_is_typed_too(tmp_path: Path, code: str) -> None:
    """FAULTS rows 13 and 15."""
    storage = Storage(tmp_path, "keeper-1", Gate())

    with failpoints.armed("keeper.before.allocate", code), pytest.raises(StorageFailed):
        storage.create(V1, 4, BLOCK)
    writer = storage.create(V1, 4, BLOCK)
    with failpoints.armed("keeper.before.write", code), pytest.raises(StorageFailed):
        writer.write(memoryview(b"data"))
    writer.abort()

    assert list(storage.replicas.iterdir()) == []


def test_what_a_failed_publishing_could_not_take_away_is_swept_at_the_next_start(tmp_path: Path) -> None:
    """FAULTS row 15: the disk is dead from one moment on, so that nothing can be removed any more either."""
    gate = Gate()
    storage = Storage(tmp_path, "keeper-1", gate)
    writer = storage.create(V1, 4, BLOCK)
    writer.write(memoryview(b"data"))

    def the_disk_dies() -> None:
        gate.cut()  # nothing is unlinked any more
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with failpoints.armed("keeper.before.rename-data", the_disk_dies), pytest.raises(StorageFailed):
        writer.commit()
    writer.abort()
    assert len(list(storage.replicas.iterdir())) == 2
    storage.close()

    again = Storage(tmp_path, "keeper-1", Gate())

    assert list(again.scan()) == []
    assert list(again.replicas.iterdir()) == []


@pytest.mark.parametrize("step", DELETE)
def test_an_error_of_the_disk_in_a_deletion_is_typed_and_says_what_remains(tmp_path: Path, step: Step) -> None:
    storage = Storage(tmp_path, "keeper-1", Gate())
    store(storage, V1, b"data")

    with (
        failpoints.armed(f"keeper.before.{step}", "EIO") as passed,
        pytest.raises(ReplicaNotDeleted, match="the master orders it again"),
    ):
        storage.delete(V1)

    assert passed() == 1
    assert storage.remains(V1) == (step is Step.UNLINK_DATA)
    assert [one.version for one in storage.scan()] == ([V1] if step is Step.UNLINK_DATA else [])
    storage.delete(V1)
    assert list(storage.replicas.iterdir()) == []


@pytest.mark.parametrize("when", ["before.", ""])
@pytest.mark.parametrize("step", DELETE)
def test_wherever_a_keeper_is_killed_in_a_deletion_no_replica_is_without_its_checksums(
    tmp_path: Path, step: Step, when: str
) -> None:
    gate = Gate()
    storage = Storage(tmp_path, "keeper-1", gate)
    store(storage, V1, b"data")
    with failpoints.armed(f"keeper.{when}{step}", gate.cut) as passed, pytest.raises(NodeDown):
        storage.delete(V1)
    storage.close()

    again = Storage(tmp_path, "keeper-1", Gate())

    assert passed() == 1
    there = (step, when) == (Step.UNLINK_DATA, "before.")
    assert [one.digest for one in again.scan()] == ([digest(crcs(b"data"))] if there else [])
    assert len(list(again.replicas.iterdir())) == (2 if there else 0)


def test_checksums_without_their_data_are_swept(tmp_path: Path) -> None:
    storage = Storage(tmp_path, "keeper-1", Gate())
    store(storage, V1, b"data")
    storage.close()
    (tmp_path / "replicas" / f"{V1}.data").unlink()

    assert list(Storage(tmp_path, "keeper-1", Gate()).replicas.iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "flipped", "short", "of another version"])
def test_a_replica_without_good_checksums_is_reported_as_fitting_no_version(tmp_path: Path, damage: str) -> None:
    """FAULTS row 18."""
    storage = Storage(tmp_path, "keeper-1", Gate())
    store(storage, V1, b"data")
    store(storage, V2, b"other")
    path = tmp_path / "replicas" / f"{V1}.crc"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "flipped":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "short":
        path.write_bytes(content[:3])
    else:
        path.write_bytes((tmp_path / "replicas" / f"{V2}.crc").read_bytes())

    found = {stored.version: stored.digest for stored in storage.scan()}

    assert found == {V1: UNKNOWN_DIGEST, V2: digest(crcs(b"other"))}


def test_a_deleted_replica_is_gone_but_whoever_has_it_open_reads_on(tmp_path: Path) -> None:
    storage = Storage(tmp_path, "keeper-1", Gate())
    store(storage, V1, b"data")
    opened = storage.open(V1)

    storage.delete(V1)
    storage.delete(V1)

    assert os.pread(opened.fd, 10, 0) == b"data"
    opened.close()
    with pytest.raises(NoSuchReplica):
        storage.open(V1)
    assert list(storage.replicas.iterdir()) == []


def test_a_second_keeper_on_the_same_directory_is_refused_in_this_process_and_in_another(tmp_path: Path) -> None:
    """FAULTS row 27."""
    storage = Storage(tmp_path, "keeper-1", Gate())
    code = (
        "import sys, pathlib\nfrom dfslab.runtime.storage import Storage\nfrom dfslab.runtime.gate import Gate\n"
        "Storage(pathlib.Path(sys.argv[1]), 'keeper-1', Gate())"
    )

    with pytest.raises(DirectoryInUse):
        Storage(tmp_path, "keeper-1", Gate())
    other = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert "DirectoryInUse" in other.stderr

    storage.close()
    Storage(tmp_path, "keeper-1", Gate()).close()


def test_another_keepers_directory_is_refused_and_let_go(tmp_path: Path) -> None:
    Storage(tmp_path, "keeper-1", Gate()).close()

    with pytest.raises(WrongDirectory, match="keeper-1"):
        Storage(tmp_path, "keeper-2", Gate())

    Storage(tmp_path, "keeper-1", Gate()).close()
    assert json.loads((tmp_path / "keeper.json").read_text())["keeper"] == "keeper-1"


def test_a_symlink_in_the_store_is_neither_reported_nor_followed(tmp_path: Path) -> None:
    """FAULTS row 30."""
    storage = Storage(tmp_path / "store", "keeper-1", Gate())
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (storage.replicas / f"{V1}.data").symlink_to(secret)

    assert list(storage.scan()) == []
    with pytest.raises(NoSuchReplica):
        storage.open(V1)


def test_checksums_that_are_a_symlink_are_not_read(tmp_path: Path) -> None:
    """FAULTS row 30: a bad replica, not another file's content."""
    storage = Storage(tmp_path / "store", "keeper-1", Gate())
    store(storage, V1, b"data")
    path = storage.replicas / f"{V1}.crc"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    assert [one.digest for one in storage.scan()] == [UNKNOWN_DIGEST]


@pytest.mark.parametrize("what", ["a link to a directory", "a link to nothing", "a file"])
def test_replicas_that_are_no_directory_of_ones_own_are_refused_and_not_followed(tmp_path: Path, what: str) -> None:
    """FAULTS row 30."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / f"{V1}.crc").write_bytes(b"somebody else's")
    store = tmp_path / "store"
    store.mkdir()
    if what == "a file":
        (store / "replicas").write_bytes(b"")
    else:
        (store / "replicas").symlink_to(elsewhere if what == "a link to a directory" else tmp_path / "nowhere")

    with pytest.raises(UnsafeDirectory, match="store/replicas is a symbolic link or no directory"):
        Storage(store, "keeper-1", Gate())

    assert [path.name for path in elsewhere.iterdir()] == [f"{V1}.crc"]
    assert not (tmp_path / "nowhere").exists()
    (store / "replicas").unlink()
    Storage(store, "keeper-1", Gate()).close()


def test_a_link_put_in_the_place_of_the_directory_later_is_not_followed_either(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "store", "keeper-1", Gate())
    (tmp_path / "elsewhere").mkdir()
    storage.replicas.rename(tmp_path / "moved")
    storage.replicas.symlink_to(tmp_path / "elsewhere")

    store(storage, V1, b"data")

    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert len(list((tmp_path / "moved").iterdir())) == 2


def test_a_pipe_in_the_store_holds_nobody(tmp_path: Path) -> None:
    """Opening a pipe waits for its writer, unless told not to."""
    storage = Storage(tmp_path, "keeper-1", Gate())
    os.mkfifo(storage.replicas / f"{V1}.data")

    assert list(storage.scan()) == []
    with pytest.raises(NoSuchReplica):
        storage.open(V1)


def test_files_that_are_none_of_a_keepers_are_left_alone_and_named(tmp_path: Path) -> None:
    Storage(tmp_path, "keeper-1", Gate()).close()
    strays = ["notes.txt", "v1-0123456789.bak", "mine.tmp", "holiday.data", "holiday.crc"]
    for name in strays:
        (tmp_path / "replicas" / name).write_bytes(b"x")
    (tmp_path / "replicas" / "folder.tmp").mkdir()

    storage = Storage(tmp_path, "keeper-1", Gate())

    assert sorted(storage.strays) == sorted(strays)
    assert list(storage.scan()) == []
    assert sorted(path.name for path in storage.replicas.iterdir()) == sorted([*strays, "folder.tmp"])


def test_nobody_but_the_owner_may_look_at_what_is_stored(tmp_path: Path) -> None:
    directory = tmp_path / "keeper-1"
    storage = Storage(directory, "keeper-1", Gate())
    store(storage, V1, b"data")

    paths = [directory, storage.replicas, *storage.replicas.iterdir(), directory / "keeper.json", directory / "lock"]

    assert {path.name: path.stat().st_mode & 0o077 for path in paths} == {path.name: 0 for path in paths}


def test_a_replica_larger_than_the_disk_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    storage = Storage(tmp_path, "keeper-1", Gate())

    with pytest.raises(StorageFailed):
        storage.create(V1, 1 << 60, BLOCK)

    assert list(storage.replicas.iterdir()) == []


def test_a_full_disk_refuses_what_is_new_also_in_its_middle_and_keeps_what_is_old(tmp_path: Path) -> None:
    storage = Storage(tmp_path, "keeper-1", Gate())
    store(storage, V1, b"data")
    writer = storage.create(V2, 2 * BLOCK, BLOCK)
    writer.write(memoryview(bytes(BLOCK)))

    storage.is_full = True

    assert storage.free_bytes() == 0
    with pytest.raises(StorageFailed, match="the disk is full"):
        writer.write(memoryview(bytes(BLOCK)))
    writer.abort()
    for size in (0, 10):
        with pytest.raises(StorageFailed, match="the disk is full"):
            storage.create(V2, size, BLOCK)
    assert [stored.version for stored in storage.scan()] == [V1]
    assert len(list(storage.replicas.iterdir())) == 2, "something of the refused ones was left"

    storage.is_full = False
    assert storage.free_bytes() > 0
    store(storage, V2, b"more")


def test_the_first_differing_block_is_named(tmp_path: Path) -> None:
    storage = Storage(tmp_path, "keeper-1", Gate())
    data = os.urandom(3 * BLOCK)
    writer = storage.create(V1, len(data), BLOCK)
    writer.write(memoryview(data))

    assert writer.first_difference(crcs(data)) is None
    assert writer.first_difference(crcs(data[: 2 * BLOCK] + bytes(BLOCK))) == 2
    assert writer.first_difference(crcs(data) + b"1234") == 3
    writer.abort()


@given(st.text())
def test_only_version_ids_become_paths(text: str) -> None:
    try:
        accepted = check_version(text)
    except ProtocolError:
        return
    assert "/" not in accepted
    assert accepted.isascii()
    assert accepted.startswith("v")


@pytest.fixture
def no_descriptors() -> Iterator[Callable[[], None]]:
    """Have this process run out of descriptors, until the end of the test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def take() -> None:
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))

    yield take
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_without_descriptors_holds_nothing_against_its_replicas(
    tmp_path: Path, no_descriptors: Callable[[], None]
) -> None:
    """Found bad, all copies of all files would go into quarantine: the keepers of a laboratory share one process."""
    storage = Storage(tmp_path, "keeper-1", Gate())
    store(storage, V1, b"a" * 10)

    no_descriptors()

    with pytest.raises(StorageFailed, match="Too many open files"):
        storage.open(V1)


@pytest.mark.parametrize("size", [64 * 1024, 2 * SMALL_BYTES])
def test_a_replica_that_its_disk_has_no_room_for_is_refused_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    with (
        mounted(tmp_path / "disk", 4 * SMALL_BYTES) as disk,
        contextlib.closing(Storage(disk / "keeper-1", "keeper-1", Gate())) as storage,
    ):
        filler = fill(disk)

        with pytest.raises(StorageFailed, match="the disk is full"):
            store(storage, V1, os.urandom(size))

        assert list(storage.replicas.iterdir()) == []
        filler.unlink()
        store(storage, V1, os.urandom(size))
