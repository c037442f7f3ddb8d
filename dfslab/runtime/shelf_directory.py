"""A keeper's `replicas` directory: held open, so that nothing put in its place is ever followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from dfslab.core.errors import UnsafeDirectory
from dfslab.core.keeper.shelf import Step
from dfslab.runtime import failpoints
from dfslab.runtime.gate import Gate

_NEVER_FOLLOW = os.O_CLOEXEC | os.O_NOFOLLOW


def open_regular(path: str, directory_fd: int | None = None) -> int | None:
    """Open a regular file for reading, and never through a link.

    Returns its descriptor, or None when there is none of that name; raises OSError when it can't be opened.
    """
    try:
        # Without O_NONBLOCK, a pipe of that name would hold whoever opens it.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _NEVER_FOLLOW, dir_fd=directory_fd)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            return None
        raise
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


class ShelfDirectory:
    """Files in one directory, by name. No method follows a symbolic link; all but `open` raise OSError.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    gate : Gate
        Checked before each step, so that a killed keeper does not touch its disk any more.

    Raises
    ------
    UnsafeDirectory
        The path is a symbolic link, or no directory; it was not touched.
    """

    def __init__(self, path: Path, gate: Gate) -> None:
        self._path, self._gate = path, gate
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _NEVER_FOLLOW)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EEXIST):
                raise UnsafeDirectory(path=str(path)) from None
            raise

    def path(self, name: str) -> str:
        """Return the absolute path of a name, for people and for the lookup table."""
        return str(self._path / name)

    def names(self) -> list[str]:
        """Return the names of what is there, but for directories."""
        with os.scandir(self._fd) as entries:
            return sorted(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))

    def take(self, step: Step, action: Callable[[], None]) -> None:
        """Take one step of PUBLISH or DELETE, between the failpoints that are named after it."""
        failpoints.hit(f"keeper.before.{step}")
        self._gate.check()
        action()
        failpoints.hit(f"keeper.{step}")
        self._gate.check()

    def create(self, name: str) -> int:
        """Make a new file, readable by its owner only, and return its descriptor."""
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NEVER_FOLLOW, 0o600, dir_fd=self._fd)

    def open(self, name: str) -> int | None:
        """Open a regular file for reading; return its descriptor, or None when there is none of that name."""
        return open_regular(name, self._fd)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        os.rename(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def unlink(self, name: str) -> None:
        """Remove a file; one that is not there is no error. A killed keeper removes nothing."""
        if self._gate.is_cut:
            return
        try:
            os.unlink(name, dir_fd=self._fd)
        except FileNotFoundError:
            return

    def sync(self) -> None:
        """Make the names durable."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Let it go."""
        os.close(self._fd)
