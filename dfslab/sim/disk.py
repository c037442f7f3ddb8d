"""A disk that forgets what was not synced, tears what was half written, rots, fills up and fails.

Modelled on what POSIX promises, and no more (Pillai et al., "All File Systems Are Not Created Equal",
OSDI 2014): a file's bytes are durable once it was synced, a name once its directory was; before that, a
loss of power may keep any of the unsynced names, in their order, and any part of the unsynced bytes.
After a failed sync the kernel may have dropped the pages, so that the next one succeeds without them
(Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterable


class File:
    """A file's bytes: as they are read now, and as they would be after a loss of power."""

    __slots__ = ("content", "durable", "is_dropped")

    def __init__(self) -> None:
        self.content = bytearray()
        self.durable = b""
        self.is_dropped = False
        """True once a sync has failed: what had been written by then never gets to the disk."""

    @property
    def is_durable(self) -> bool:
        """True when a loss of power takes nothing."""
        return bytes(self.content) == self.durable


Names = dict[str, File]


class Disk:
    """One directory of files."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.names: Names = {}
        self.durable_names: Names = {}
        self._unsynced_names: list[tuple[str, File | None]] = []
        self.is_full = False
        self.failing_syncs = 0
        self.sound_syncs = 0
        """How many syncs still succeed before the failing ones."""

    # -- what a keeper does -------------------------------------------------------------------

    def create(self, name: str) -> File:
        """Make a file."""
        self._check_room()
        file = File()
        self._set(name, file)
        return file

    def write(self, file: File, data: bytes) -> None:
        """Append bytes."""
        self._check_room()
        file.content += data

    def sync(self, file: File) -> None:
        """Make a file's bytes durable, or fail with EIO; after that, a sync that succeeds makes nothing durable."""
        try:
            self._check_syncs()
        except OSError:
            file.is_dropped = True
            raise
        if not file.is_dropped:
            file.durable = bytes(file.content)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        file = self.names[old]
        self._set(old, None)
        self._set(new, file)

    def unlink(self, name: str) -> None:
        """Take a name away, if it is there."""
        if name in self.names:
            self._set(name, None)

    def sync_directory(self) -> None:
        """Make the names durable, or fail with EIO."""
        self._check_syncs()
        self._unsynced_names.clear()
        self.durable_names = dict(self.names)

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, or None when there is no such file."""
        file = self.names.get(name)
        return None if file is None else bytes(file.content)

    def _check_syncs(self) -> None:
        if self.sound_syncs:
            self.sound_syncs -= 1
        elif self.failing_syncs:
            self.failing_syncs -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _check_room(self) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _set(self, name: str, file: File | None) -> None:
        self._unsynced_names.append((name, file))
        if file is None:
            del self.names[name]
        else:
            self.names[name] = file

    # -- what happens to it -------------------------------------------------------------------

    def lose_power(self) -> None:
        """Keep what is durable, and of the rest what chance wants."""
        kept = self._rng.randint(0, len(self._unsynced_names))
        self._apply(self.durable_names, self._unsynced_names[:kept])
        for file in dict.fromkeys(self.durable_names.values()):
            if not file.is_durable:
                file.durable = self._torn(bytes(file.content), file.durable)
                file.content = bytearray(file.durable)
        self._unsynced_names.clear()
        self.names = dict(self.durable_names)

    @staticmethod
    def _apply(names: Names, changes: Iterable[tuple[str, File | None]]) -> None:
        for name, file in changes:
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file

    def _torn(self, content: bytes, durable: bytes) -> bytes:
        """Return a file of which some pages had been written: the rest is as it was, or zeros."""
        end = self._rng.randint(len(durable), max(len(durable), len(content)))
        written = self._rng.randint(0, end)
        return content[:written] + durable[written:end] + bytes(end - max(written, min(end, len(durable))))

    def rot(self, name: str, how: str) -> None:
        """Change a file behind everybody's back: "bitflip" or "truncate"."""
        file = self.names[name]
        if how == "truncate" or not file.content:
            del file.content[self._rng.randint(0, max(0, len(file.content) - 1)) :]
        else:
            file.content[self._rng.randrange(len(file.content))] ^= 1 << self._rng.randrange(8)
        file.durable = bytes(file.content)

    def snapshot(self) -> dict[str, bytes]:
        """Return what a backup of the disk would hold."""
        return {name: bytes(file.content) for name, file in self.names.items()}

    def restore(self, snapshot: dict[str, bytes]) -> None:
        """Put an older copy in the place of what is there; an empty one wipes the disk."""
        self.names = {}
        for name, content in snapshot.items():
            file = self.names[name] = File()
            file.content[:] = content
            file.durable = content
        self._unsynced_names.clear()
        self.durable_names = dict(self.names)
