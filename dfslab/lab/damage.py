"""Damage on a disk: bytes of a replica, or its checksums, become others behind the keeper's back.

The keeper does not notice: it serves what is there, and whoever reads it finds out. What is done is
certain to change something, or is refused.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dfslab.core.errors import InvalidOption
from dfslab.core.faults import check_how
from dfslab.core.history import Table


@dataclass(frozen=True, slots=True)
class Damage:
    """A replica that was damaged, and how to tell whether it still is.

    Attributes
    ----------
    keeper, version : str
    path : Path
        The file that was changed.
    size : int
        Its length since then, in bytes.
    offset : int
        The first byte that is another.
    byte : bytes
        What is there now; empty when the file ends there.
    """

    keeper: str
    version: str
    path: Path
    size: int
    offset: int
    byte: bytes

    def lasts(self) -> bool:
        """Return True until the file is gone, or has been replaced by a good one."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            return os.fstat(fd).st_size == self.size and os.pread(fd, 1, self.offset) == self.byte
        finally:
            os.close(fd)

    def matters(self, table: Table, replicas: int) -> bool:
        """Return True while the file is there and this replica is one of the copies that it needs."""
        if self.version not in table.files:
            return False
        row = table.replicas.get(self.version, {}).get(self.keeper)
        if (row is None or row.state != "valid") and table.live_copies(self.version) >= replicas:
            return False
        return self.lasts()


Change = tuple[int, bytes]
"""The first byte that is another, and what is there now."""


def damage(data: Path, how: str, block_size: int, rng: random.Random) -> tuple[Path, int, Change]:
    """Damage a replica; return the file that was changed, its length now, and the change.

    Parameters
    ----------
    data : Path
        The replica; its checksums lie beside it.
    how : {"bitflip", "truncate", "swap", "checksum"}
        One bit becomes the other; the end is cut off; two blocks that differ change places (the
        halves of a small file); one bit of the checksums beside it becomes the other.

    Raises
    ------
    InvalidOption
        For another `how`, or when nothing would change.
    FileNotFoundError
        There is no such replica.
    """
    check_how("how", how)
    path = data.with_suffix(".crc") if how == "checksum" else data
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size = os.fstat(fd).st_size
        if not size:
            reason = "the file is empty, so there is no byte to damage; how='checksum' damages its checksums"
            raise InvalidOption(option="how", value=repr(how), reason=reason)
        change = HOWS[how](fd, size, block_size, rng)
        return path, os.fstat(fd).st_size, change
    finally:
        os.close(fd)


def _flip_a_bit(fd: int, size: int, block_size: int, rng: random.Random) -> Change:
    offset = rng.randrange(size)
    flipped = bytes([os.pread(fd, 1, offset)[0] ^ (1 << rng.randrange(8))])
    _write(fd, flipped, offset)
    return offset, flipped


def _cut_the_end_off(fd: int, size: int, block_size: int, rng: random.Random) -> Change:
    end = rng.randrange(size)
    os.ftruncate(fd, end)
    return end, b""


def _swap_two_blocks(fd: int, size: int, block_size: int, rng: random.Random) -> Change:
    first, second, length = _two_that_differ(fd, size, block_size, rng)
    one, other = os.pread(fd, length, first), os.pread(fd, length, second)
    _write(fd, other, first)
    _write(fd, one, second)
    differs = next(index for index in range(length) if one[index] != other[index])
    return first + differs, other[differs : differs + 1]


def _two_that_differ(fd: int, size: int, block_size: int, rng: random.Random) -> tuple[int, int, int]:
    """Return where two whole blocks that differ begin, and their length; for a small file its halves."""
    blocks = size // block_size
    if blocks < 2:
        half = size // 2
        if half and os.pread(fd, half, 0) != os.pread(fd, half, size - half):
            return 0, size - half, half
    else:
        start = rng.randrange(blocks)
        content = os.pread(fd, block_size, start * block_size)
        for step in range(1, blocks):
            other = (start + step) % blocks
            if os.pread(fd, block_size, other * block_size) != content:
                first, second = sorted((start, other))
                return first * block_size, second * block_size, block_size
    reason = "its blocks are all the same, so swapping two changes nothing; how='bitflip' does"
    raise InvalidOption(option="how", value="'swap'", reason=reason)


def _write(fd: int, content: bytes, offset: int) -> None:
    done = 0
    while done < len(content):
        done += os.pwrite(fd, content[done:], offset + done)


HOWS: dict[str, Callable[[int, int, int, random.Random], Change]] = {
    "bitflip": _flip_a_bit,
    "truncate": _cut_the_end_off,
    "swap": _swap_two_blocks,
    "checksum": _flip_a_bit,
}
"""The ways of damaging a replica, by the name that `Cluster.corrupt` takes."""
