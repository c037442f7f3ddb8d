"""A second witness of the newest commit, beside the catalog: without it, a log that lost its end looks whole.

SQLite stops reading its log at the first bad frame and takes what came before for everything there is. So
the number of the newest commit is noted in a small file of its own, after the commit is durable. It is not
synced: a power cut may leave an older number there, never a newer one, so that a whole catalog is never
refused; after the crash of a process it is exact.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from dfslab.runtime.checksum import crc
from dfslab.runtime.storage import sync_directory

_MAGIC = b"DFSM"


class BadMark(ValueError):
    """The file is no mark; its text says why."""


def mark_path(catalog: Path) -> Path:
    """Return where the mark of a catalog is."""
    return catalog.with_name(catalog.name + "-mark")


class Mark:
    """The number of the newest commit, in a file that is rewritten in place."""

    def __init__(self, catalog: Path, commits: int) -> None:
        path = mark_path(catalog)
        is_new = not path.exists()
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self.write(commits)
            if is_new:
                os.fsync(self._fd)
                sync_directory(path.parent)
        except BaseException:
            self.close()
            raise

    def write(self, commits: int) -> None:
        """Note a commit that is durable."""
        body = _MAGIC + struct.pack(">Q", commits)
        os.pwrite(self._fd, body + crc(body), 0)  # less than a sector, so it is there whole or not at all

    def close(self) -> None:
        """Close the file; a node that was killed by half is closed again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_mark(catalog: Path) -> int | None:
    """Return the number that is noted for a catalog, None when there is no such file; raise BadMark for nonsense."""
    path = mark_path(catalog)
    if not path.exists():
        return None
    content = path.read_bytes()
    body, check = content[:12], content[12:]
    if len(content) != 16 or crc(body) != check or not body.startswith(_MAGIC):
        raise BadMark(f"{path.name} beside it, which notes its newest commit, is damaged")
    return int(struct.unpack(">Q", body[4:])[0])
