"""A keeper's disk: in which order a replica is made durable and taken away, and what a look at the disk means.

The runtime takes these steps on a real disk, the simulator on a simulated one that crashes between any
two of them. A replica exists once its data has its final name; its checksums have theirs before.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

DATA, CHECKSUMS, TEMPORARY = ".data", ".crc", ".tmp"
VERSION_ID = re.compile(r"v[0-9]{1,18}-[0-9a-f]{10}")
"""What a version's id looks like; nothing else becomes part of a path."""
_OURS = re.compile(rf"({VERSION_ID.pattern})(\.data|\.crc|\.[0-9a-f]{{8}}(\.data|\.crc)\.tmp)")
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


DISCARD = (Step.UNLINK_DATA, Step.UNLINK_CHECKSUMS)
"""What takes the names of a replica away again whose publishing failed. They may be durable or not, and no
second sync could tell: whatever is back after a crash is whole, and belongs to no version that was acknowledged."""


def to_discard(failed: Step) -> tuple[Step, ...]:
    """Return which final names to take away, best effort, when this step of PUBLISH has failed."""
    return DISCARD if failed in PUBLISH[PUBLISH.index(Step.RENAME_CHECKSUMS) :] else ()


def leftovers(names: Iterable[str]) -> list[str]:
    """Return the files that a crash has left and a start removes: temporary ones, and checksums without data."""
    there = dict.fromkeys(names)
    return [name for name in there if _OURS.fullmatch(name) and _is_leftover(name, there)]


def _is_leftover(name: str, there: dict[str, None]) -> bool:
    if name.endswith(CHECKSUMS):
        return name.removesuffix(CHECKSUMS) + DATA not in there
    return name.endswith(TEMPORARY)


def replicas(names: Iterable[str]) -> list[str]:
    """Return the versions that have a replica there, sorted: a replica is there once its data is."""
    return sorted(name.removesuffix(DATA) for name in names if _OURS.fullmatch(name) and name.endswith(DATA))


def strays(names: Iterable[str]) -> list[str]:
    """Return the files that are none of a keeper's: it leaves them alone."""
    return [name for name in names if not _OURS.fullmatch(name)]


def stored_digest(version: str, size: int, noted_version: str, noted_size: int, digest: int) -> int:
    """Return what to report of a replica whose checksums file is sound: its digest, unless it is another replica's."""
    return digest if (noted_version, noted_size) == (version, size) else UNKNOWN_DIGEST
