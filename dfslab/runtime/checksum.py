"""CRC32C, packed as the wire and the disk have it.

The package is imported at the first use: its own import looks up its version in the metadata of
every installed package, which would be a tenth of the time that `import dfslab` takes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache, lru_cache

from dfslab.core.blocks import first_difference

_CRC = struct.Struct(">I")
SIZE = _CRC.size
SHORT_BYTES = 64 * 1024
"""So much is checked in 5 µs: to give the interpreter lock away and get it back costs more."""


@cache
def _crc32c() -> Callable[..., int]:
    from crc32c import crc32c

    return crc32c


def crc(data: bytes | memoryview) -> bytes:
    """Return the CRC32C (RFC 3720, B.4) of `data`: 4 bytes, big-endian."""
    return _CRC.pack(_crc32c()(data))


def block_crcs(view: memoryview, block_size: int) -> bytes:
    """Return the packed checksums of the blocks in `view`, the last of which may be shorter."""
    crc32c = _crc32c()
    release = 0 if block_size <= SHORT_BYTES else -1
    return b"".join(
        _CRC.pack(crc32c(view[start : start + block_size], gil_release_mode=release))
        for start in range(0, len(view), block_size)
    )


def first_bad_block(view: memoryview, block_size: int, wanted: bytes) -> int | None:
    """Return the first block in `view` whose checksum is not as `wanted` has it, packed; None when all are.

    Several blocks are checked in one call, which gives the interpreter lock away once for them all: a CRC is linear, so
    that the one of all their bytes follows from their own. Only when it differs, each block is looked at.
    """
    blocks, rest = divmod(len(view), block_size)
    is_run = blocks > 1 and not rest and len(wanted) == blocks * SIZE
    if is_run and _crc32c()(view) == joined(wanted, block_size):
        return None
    return first_difference(block_crcs(view, block_size), wanted)


def joined(checksums: bytes, block_size: int) -> int:
    """Return the CRC of several blocks of the same size from their own."""
    low, second, third, high = _followed_by_zeros(block_size)
    so_far = 0
    for (block,) in _CRC.iter_unpack(checksums):
        so_far = low[so_far & 255] ^ second[so_far >> 8 & 255] ^ third[so_far >> 16 & 255] ^ high[so_far >> 24] ^ block
    return so_far


@lru_cache(maxsize=8)
def _followed_by_zeros(count: int) -> tuple[list[int], ...]:
    """Return what each byte of a CRC, from the lowest, adds to that of the same bytes with `count` zeros behind.

    The CRC of two runs of bytes is that of the first with as many zeros behind it as the second has bytes, XOR
    that of the second (Mark Adler, `crc32_combine` of zlib).
    """
    crc32c = _crc32c()
    zeros = bytes(count)
    of_zeros = crc32c(zeros)
    of_bits = [crc32c(zeros, 1 << bit) ^ of_zeros for bit in range(8 * SIZE)]
    tables = []
    for place in range(SIZE):
        table = [0]
        for bit in of_bits[8 * place : 8 * place + 8]:
            table += [entry ^ bit for entry in table]
        tables.append(table)
    return tuple(tables)
