"""What simulated nodes say to each other over connections, and the checksums of simulated bytes."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass

from dfslab.core.blocks import CHECKSUM_BYTES, digest, first_difference
from dfslab.core.keeper.shelf import CHECKSUMS, DATA, UNKNOWN_DIGEST, replicas, stored_digest
from dfslab.core.model import StoredReplica
from dfslab.sim.disk import Disk


@dataclass(frozen=True, slots=True)
class Put:
    """Leave is asked to send a version."""

    version: str
    size: int
    block_size: int
    ticket: bytes
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Get:
    """A run of whole blocks of a version is asked for."""

    version: str
    offset: int
    length: int
    ticket: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The keeper does what was asked: it takes the bytes, has stored them, or begins to send them."""


def checksums_of(content: bytes, block_size: int) -> bytes:
    """Return the packed checksums of a file's blocks (CRC-32: CRC32C is not in the standard library)."""
    return b"".join(
        zlib.crc32(content[start : start + block_size]).to_bytes(CHECKSUM_BYTES)
        for start in range(0, len(content), block_size)
    )


def first_bad_block(content: bytes, checksums: bytes, block_size: int) -> int | None:
    """Return the first block whose checksum is another, or None."""
    return first_difference(checksums_of(content, block_size), checksums)


def checksums_file(version: str, size: int, block_size: int, checksums: bytes) -> bytes:
    """Return what is written beside a replica."""
    body = json.dumps([version, size, block_size, checksums.hex()]).encode()
    return zlib.crc32(body).to_bytes(CHECKSUM_BYTES) + body


def noted_checksums(disk: Disk, version: str) -> tuple[str, int, int, bytes] | None:
    """Return the version, size, block size and checksums that stand beside a replica; None when they can't be read."""
    raw = disk.read(version + CHECKSUMS)
    if raw is None or raw[:CHECKSUM_BYTES] != zlib.crc32(raw[CHECKSUM_BYTES:]).to_bytes(CHECKSUM_BYTES):
        return None
    noted_version, size, block_size, checksums = json.loads(raw[CHECKSUM_BYTES:])
    return noted_version, size, block_size, bytes.fromhex(checksums)


def scan(disk: Disk, path: str) -> list[StoredReplica]:
    """Return the replicas that a look at a disk finds."""
    found = []
    for version in replicas(disk.names):
        name = version + DATA
        size = len(disk.names[name].content)
        noted = noted_checksums(disk, version)
        known = UNKNOWN_DIGEST if noted is None else stored_digest(version, size, *noted[:2], digest(noted[3]))
        found.append(StoredReplica(version, size, known, f"{path}/{name}"))
    return found


def damage(disk: Disk, stored: StoredReplica) -> str:
    """Return in which way a replica is not what was stored, or an empty string: what a scrubber finds."""
    content, noted = disk.read(stored.version + DATA), noted_checksums(disk, stored.version)
    if content is None:
        return "its data are missing"
    if len(content) != stored.size:
        return f"its data are {len(content)} bytes long, {stored.size} were stored"
    if noted is None or noted[:2] != (stored.version, stored.size) or digest(noted[3]) != stored.digest:
        return "its checksums are not those that it was stored with"
    bad = first_bad_block(content, noted[3], noted[2])
    return "" if bad is None else f"block {bad} fails its checksum"
