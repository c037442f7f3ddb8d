"""The arithmetic of blocks and chunks.

A *block* is the unit of checksums; a *chunk* is a run of whole blocks, the unit that a download
fetches from one keeper at a time.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

BLOCK_SIZE = 256 * 1024
MAX_BLOCK_BYTES = 1024 * 1024
MAX_CHUNK_BYTES = 4 * 1024 * 1024
CHECKSUM_BYTES = 4
SMALL_BYTES = 1024 * 1024
"""What a file of so few bytes costs is not in its bytes."""
MAX_CHECKSUMS_BYTES = 48 * 1024 * 1024
"""Of one file, so that they fit into a message: 3 TiB in blocks of 256 KiB."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole blocks of one version.

    Attributes
    ----------
    index : int
        Place among the chunks of the download.
    offset, length : int
        Where it lies in the file, in bytes.
    """

    index: int
    offset: int
    length: int


def block_count(size: int, block_size: int) -> int:
    """Return how many blocks a file of `size` bytes has (none when it is empty)."""
    return -(-size // block_size)


def split_into_chunks(size: int, block_size: int, holders: int) -> tuple[Chunk, ...]:
    """Cut a file into chunks for a parallel download.

    Chunks are at most 4 MiB and always whole blocks. Each is a quarter of every holder's share of what
    is left, so that they shrink towards the end and all holders finish together (guided
    self-scheduling, Polychronopoulos & Kuck, IEEE Trans. Computers 1987): with equal chunks, the last
    round would leave some holders idle for the time of a whole one.
    """
    most = max(1, MAX_CHUNK_BYTES // block_size)
    left = block_count(size, block_size)
    chunks: list[Chunk] = []
    offset = 0
    while left:
        blocks = min(most, max(1, left // (4 * max(1, holders))))
        length = min(blocks * block_size, size - offset)
        chunks.append(Chunk(len(chunks), offset, length))
        left, offset = left - blocks, offset + length
    return tuple(chunks)


def share_of(chunk: Chunk, size: int, shares: int) -> int:
    """Return in which of so many equal parts of the file the middle of `chunk` lies, from 0."""
    return (chunk.offset + chunk.length // 2) * shares // size


def checksums_of(checksums: bytes, chunk: Chunk, block_size: int) -> bytes:
    """Return the part of a version's packed checksums that covers `chunk`."""
    first = chunk.offset // block_size
    count = block_count(chunk.length, block_size)
    return checksums[first * CHECKSUM_BYTES : (first + count) * CHECKSUM_BYTES]


def first_difference(found: bytes, wanted: bytes) -> int | None:
    """Return the first block whose packed checksum differs or is missing on one side, or None."""
    if found == wanted:
        return None
    blocks = range(max(len(found), len(wanted)))
    return next(block for block in blocks if _checksum(found, block) != _checksum(wanted, block))


def _checksum(checksums: bytes, block: int) -> bytes:
    return checksums[block * CHECKSUM_BYTES : (block + 1) * CHECKSUM_BYTES]


def digest(checksums: bytes) -> int:
    """Return a CRC-32 over a version's packed checksums: a short proof of which bytes a replica claims to hold."""
    return zlib.crc32(checksums)
