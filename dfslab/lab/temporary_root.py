"""A cluster's temporary folder: gone with its cluster, or swept by a later one when its owner was killed.

A lock on the file `owner` in it is held as long as its owner lives; the kernel lets it go with the
process, however that ends. Whoever gets the lock knows that nobody works there any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

PREFIX = "dfslab-"
OWNER = "owner"
ATTEMPTS = 5


class TemporaryRoot:
    """A new folder under the system's temporary one, locked by this process until it is removed.

    Parameters
    ----------
    name : str
        The cluster's, for the folder's.
    """

    def __init__(self, name: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{name}-")).resolve()
        self._fd = -1
        try:
            being_made = self.path / f"{OWNER}.tmp"  # nobody sees it by its name before it is locked
            self._fd = os.open(being_made, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            being_made.rename(self.path / OWNER)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Remove the folder, and let the lock go. May be called again."""
        _remove(self.path)
        self.abandon()

    def abandon(self) -> None:
        """Let the lock go, or in a forked child the copy of it, without touching the folder."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @staticmethod
    def sweep() -> list[Path]:
        """Remove the folders of this user's processes that have ended without doing so; return them."""
        swept = []
        for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):  # another process sweeps at this moment, or it is somebody else's
                if _is_left_behind(path):
                    swept.append(path)
        return swept


def _is_left_behind(path: Path) -> bool:
    """Remove a folder if nobody owns it any more; return whether it was so."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return False
    fd = os.open(path / OWNER, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    finally:
        os.close(fd)
    return True


def _remove(path: Path) -> None:
    """Remove a folder, also when a download that is just ending still writes into it.

    Its owner's file is the last to go: when this is cut short, somebody else can finish it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _empty(path)
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except OSError:
            if attempt == ATTEMPTS:
                raise
        else:
            return


def _empty(path: Path) -> None:
    for entry in list(path.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != OWNER:
            entry.unlink(missing_ok=True)
