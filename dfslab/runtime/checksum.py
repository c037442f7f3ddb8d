"""CRC32C, packed as the wire and the disk have it.

The package is imported at the first use: its own import looks up its version in the metadata of
every installed package, which would be a tenth of the time that `import dfslab` takes.
"""

from __future__ import annotations

import struct

_CRC = struct.Struct(">I")
SIZE = _CRC.size
SHORT_BYTES = 256 * 1024
"""A block of this length is checked in 20 µs: to give the interpreter lock away and get it back costs more."""


def crc(data: bytes | memoryview) -> bytes:
    """Return the CRC32C (RFC 3720, B.4) of `data`: 4 bytes, big-endian."""
    from crc32c import crc32c

    return _CRC.pack(crc32c(data))


def block_crcs(view: memoryview, block_size: int) -> bytes:
    """Return the packed checksums of the blocks in `view`, the last of which may be shorter."""
    from crc32c import crc32c

    release = 0 if block_size <= SHORT_BYTES else -1
    return b"".join(
        _CRC.pack(crc32c(view[start : start + block_size], gil_release_mode=release))
        for start in range(0, len(view), block_size)
    )
