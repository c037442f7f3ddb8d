"""The file beside a replica: its own CRC32C, then ReplicaChecksums of proto/dfs.proto."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from dfslab.core.blocks import MAX_CHECKSUMS_BYTES
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.checksum import SIZE, crc

MOST_BYTES = MAX_CHECKSUMS_BYTES + 1024
"""No file has more; what is longer is none of ours, and is not read into memory."""


def content_of(noted: pb.ReplicaChecksums) -> bytes:
    """Return what is written into the file."""
    message = noted.SerializeToString()
    return crc(message) + message


def read(fd: int) -> pb.ReplicaChecksums | None:
    """Return what the file says, or None when it is damaged; `fd` is closed.

    Raises OSError when it can't be read.
    """
    with open(fd, "rb") as file:
        content = file.read(MOST_BYTES)
    if content[:SIZE] != crc(content[SIZE:]):
        return None
    try:
        return pb.ReplicaChecksums.FromString(content[SIZE:])
    except DecodeError:
        return None
