"""A keeper's disk: in which order a replica is made durable and taken away, and what a look at the disk means.

The runtime takes these steps on a real disk, the simulator on a simulated one that crashes between any
two of them. A replica exists once its data has its final name; its checksums have theirs before.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

DATA, CHECKSUMS, TEMPORARY = ".data", ".crc", ".tmp"
UNKNOWN_DIGEST = 0xFFFFFFFF
"""What is reported for a replica whose checksums are missing or damaged: it matches no version."""


class Step(enum.StrEnum):
    """One thing that is done to a disk, which a crash may come before or after."""

    SYNC_DATA = "sync-data"
    WRITE_CHECKSUMS = "write-checksums"
    SYNC_CHECKSUMS = "sync-checksums"
    RENAME_CHECKSUMS = "rename-checksums"
    RENAME_DATA = "rename-data"
    UNLINK_DATA = "unlink-data"
    UNLINK_CHECKSUMS = "unlink-checksums"
    SYNC_DIRECTORY = "sync-directory"


PUBLISH = (
    Step.SYNC_DATA,
    Step.WRITE_CHECKSUMS,
    Step.SYNC_CHECKSUMS,
    Step.RENAME_CHECKSUMS,
    Step.RENAME_DATA,
    Step.SYNC_DIRECTORY,
)
"""How a written replica gets its final name. A step that fails is final: no fsync is tried a second time."""

DELETE = (Step.UNLINK_DATA, Step.UNLINK_CHECKSUMS, Step.SYNC_DIRECTORY)
"""How a replica goes: data first, so that none is ever without its checksums."""


def leftovers(names: Iterable[str]) -> list[str]:
    """Return the files that a crash has left and a start removes: temporary ones, and checksums without data."""
    there = dict.fromkeys(names)
    return [
        name
        for name in there
        if name.endswith(TEMPORARY) or (name.endswith(CHECKSUMS) and name.removesuffix(CHECKSUMS) + DATA not in there)
    ]


def stored_digest(version: str, size: int, noted_version: str, noted_size: int, digest: int) -> int:
    """Return what to report of a replica whose checksums file is sound: its digest, unless it is another replica's."""
    return digest if (noted_version, noted_size) == (version, size) else UNKNOWN_DIGEST
