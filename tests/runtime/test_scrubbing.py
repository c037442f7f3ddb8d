"""Reading real replicas again: whatever became of them is found, named, and read no faster than allowed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dfslab.core.keeper.events import ScrubDone, ScrubFailed
from dfslab.core.keeper.instructions import Scrub
from dfslab.core.model import StoredReplica
from dfslab.runtime import failpoints
from dfslab.runtime.gate import Gate, NodeDown
from dfslab.runtime.scrubbing import SHORTAGE_PAUSE_S, STEP_BYTES, Scrubbing
from dfslab.runtime.storage import Storage

V1, V2 = "v1-0123456789", "v2-abcdef0123"
BLOCK = 1024
DATA = os.urandom(5 * BLOCK + 7)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path, "keeper-1", Gate())


def store(storage: Storage, version: str = V1, data: bytes = DATA, block_size: int = BLOCK) -> StoredReplica:
    writer = storage.create(version, len(data), block_size)
    for start in range(0, len(data), block_size):
        writer.write(memoryview(data)[start : start + block_size])
    return writer.commit()


def scrub(storage: Storage, stored: StoredReplica) -> str:
    """Return what is wrong with a replica, or an empty string."""
    outcome = Scrubbing(storage, lambda seconds: None).scrub(Scrub(7, stored, 1e6))
    assert outcome.number == 7
    return outcome.reason if isinstance(outcome, ScrubFailed) else ""


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_a_replica_that_is_as_it_was_stored_passes(storage: Storage, size: int) -> None:
    assert scrub(storage, store(storage, data=os.urandom(size))) == ""


@pytest.mark.parametrize("block_size", [1, 1000, 1 << 18, (1 << 18) + 1, 1 << 20])
def test_blocks_of_any_size_are_compared_whole(storage: Storage, block_size: int) -> None:
    size = 3000 if block_size == 1 else 2 * STEP_BYTES + 5
    stored = store(storage, data=os.urandom(size), block_size=block_size)
    assert scrub(storage, stored) == ""

    _flip(Path(stored.path), size - 1)

    last = (size - 1) // block_size
    assert scrub(storage, stored) == f"block {last} of {last + 1} (counted from 0) fails its checksum"


def _flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def _link(path: Path) -> None:
    path.rename(path.parent / "elsewhere")
    path.symlink_to("elsewhere")


def _crc(path: Path) -> Path:
    return path.with_suffix(".crc")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit": (lambda path: _flip(path, 2 * BLOCK + 1), "block 2 of 6 (counted from 0) fails its checksum"),
    "cut short": (lambda path: os.truncate(path, BLOCK), f"its data are {BLOCK} bytes long, {len(DATA)} were stored"),
    "too long": (
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        f"its data are {len(DATA) + 1} bytes long, {len(DATA)} were stored",
    ),
    "gone": (lambda path: path.unlink(), "its data are missing"),
    "a symlink": (_link, "its data are missing"),
    "no checksums": (lambda path: _crc(path).unlink(), "its checksums file is missing or damaged"),
    "empty checksums": (lambda path: _crc(path).write_bytes(b""), "its checksums file is missing or damaged"),
    "a flipped bit in the checksums": (lambda path: _flip(_crc(path), 30), "its checksums file is missing or damaged"),
    "nonsense with a right checksum": (
        lambda path: _crc(path).write_bytes(bytes.fromhex("8a9136aa") + b"\x00" * 32),
        "its checksums file is missing or damaged",
    ),
    "the checksums of another": (
        lambda path: _crc(path).write_bytes((path.parent / f"{V2}.crc").read_bytes()),
        "its checksums are not those that it was stored with",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_of_every_kind_is_found_and_named(storage: Storage, damage: str) -> None:
    """FAULTS rows 16 to 18."""
    change, reason = DAMAGES[damage]
    stored = store(storage)
    store(storage, V2, os.urandom(len(DATA)))

    change(Path(stored.path))

    assert scrub(storage, stored) == reason


def test_data_and_checksums_that_fit_each_other_but_not_what_the_master_matched_are_bad(storage: Storage) -> None:
    """Another upload's bytes under this version's name, with checksums to match: nothing on the disk says so."""
    stored = store(storage)
    storage.delete(V1)
    store(storage, V1, os.urandom(len(DATA)))

    assert scrub(storage, stored) == "its checksums are not those that it was stored with"


def test_a_disk_that_can_not_be_read_makes_the_replica_bad(storage: Storage) -> None:
    """FAULTS row 15: EIO."""
    stored = store(storage)

    with failpoints.armed("keeper.scrubbing", "EIO") as passed:
        assert scrub(storage, stored) == "it can't be read: Input/output error"
    assert passed() == 1


def test_no_more_than_the_rate_is_read(storage: Storage) -> None:
    """Each step is followed by the pause that makes it as slow as the rate says."""
    stored = store(storage, data=os.urandom(4 * STEP_BYTES), block_size=STEP_BYTES)
    pauses: list[float] = []

    outcome = Scrubbing(storage, pauses.append).scrub(Scrub(1, stored, 0.1))

    assert outcome == ScrubDone(1)
    step_s = STEP_BYTES / 0.1e6
    assert len(pauses) == 4
    assert all(step_s - 2.0 < pause <= step_s for pause in pauses), pauses


def test_a_keeper_that_ends_meanwhile_does_not_read_on(storage: Storage) -> None:
    stored = store(storage)

    def ended(seconds: float) -> None:
        raise NodeDown("this node was killed")

    with pytest.raises(NodeDown):
        Scrubbing(storage, ended).scrub(Scrub(1, stored, 1.0))


@pytest.mark.parametrize("shortage", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_process_that_is_short_of_something_waits_and_holds_nothing_against_the_replica(
    storage: Storage, shortage: int
) -> None:
    stored = store(storage)
    pauses: list[float] = []

    def fail() -> None:
        raise OSError(shortage, os.strerror(shortage))

    with failpoints.armed("keeper.scrubbing", fail) as passed:
        outcome = Scrubbing(storage, pauses.append).scrub(Scrub(1, stored, 1e6))

    assert outcome == ScrubDone(1)
    assert passed() == 2
    assert pauses[0] == SHORTAGE_PAUSE_S
