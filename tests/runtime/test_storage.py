"""A keeper's disk, with real files."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.blocks import digest
from dfslab.core.errors import DirectoryInUse, NoSuchReplica, ProtocolError, StorageFailed, WrongDirectory
from dfslab.runtime.gate import Gate, NodeDown
from dfslab.runtime.storage import UNKNOWN_DIGEST, Storage, check_version

V1 = "v1-0123456789"
V2 = "v2-abcdef0123"
BLOCK = 1024


def crcs(data: bytes) -> bytes:
    blocks = [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]
    return b"".join(struct.pack(">I", crc32c.crc32c(block)) for block in blocks)


def store(storage: Storage, version: str, data: bytes) -> None:
    writer = storage.create(version, len(data), BLOCK)
    writer.write(memoryview(data))
    writer.commit()


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
    gate.cut()

    with pytest.raises(NodeDown):
        writer.commit()
    storage.close()
    assert len(list((tmp_path / "replicas").glob("*.tmp"))) == 2

    again = Storage(tmp_path, "keeper-1", Gate())
    assert list(again.replicas.iterdir()) == []
    assert list(again.scan()) == []


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
