"""Where a download goes: a temporary file beside the target, renamed when it is whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from dfslab.core.blocks import SMALL_BYTES
from dfslab.core.checks import check_path
from dfslab.core.errors import TargetUnwritable


def expand(path: str | os.PathLike[str], option: str = "path") -> Path:
    """Return a path with `~` and `~user` in their place; a `~` that stands for nobody is a character like any other.

    Raises InvalidOption naming `option` for what is no path.
    """
    return Path(os.path.expanduser(check_path(option, path)))  # the method of Path refuses what it does not know


def _mode(path: Path) -> int | None:
    """Return what is there already, as `stat` has it, or None when nothing is."""
    try:
        return path.stat().st_mode
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise TargetUnwritable.because(path, error) from None


def target_of(name: str, to: str | os.PathLike[str] | None) -> Target:
    """Return where a file of that name goes: to `to`, into it if it is a folder, by default the working folder.

    Raises TargetUnwritable, or InvalidOption for what is no path.
    """
    path = expand(to if to is not None else ".", "to")
    mode = _mode(path)
    if mode is not None and stat.S_ISDIR(mode):
        path = path / name.rsplit("/", 1)[-1]
        mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        reason = "it is a folder" if stat.S_ISDIR(mode) else "it is a device, a pipe or the like"
        raise TargetUnwritable(path=str(path.absolute()), reason=reason)
    return Target(path.absolute())


class Target:
    """A file that appears under its name only when it is whole.

    Parameters
    ----------
    path : Path
        The final path; its folder must exist. What is there already is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = path.with_name(f".dfslab-{secrets.token_hex(8)}.part")
        self._fd, self._is_there = -1, False
        self._reserved = 0

    def reserve(self, size: int) -> None:
        """Make the file, with room for what is not written at once; from here on, `discard` has something to remove."""
        try:
            if self._fd < 0:
                self._make()
            if self._reserved:
                os.ftruncate(self._fd, 0)
            if size > SMALL_BYTES:
                os.posix_fallocate(self._fd, 0, size)
            self._reserved = size
        except OSError as error:
            raise TargetUnwritable.because(self.path, error) from None

    def _make(self) -> None:
        self._is_there = True  # before it is: an interrupt may come as soon as it is made
        try:
            self._fd = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except OSError:
            self._is_there = False
            raise

    def write(self, view: memoryview, offset: int) -> None:
        """Write bytes at an offset; several threads may."""
        try:
            while view:
                count = os.pwrite(self._fd, view, offset)
                view, offset = view[count:], offset + count
        except OSError as error:
            raise TargetUnwritable.because(self.path, error) from None

    def publish(self) -> None:
        """Let the file appear under its name."""
        self._close()
        try:
            os.replace(self._temporary, self.path)
            self._is_there = False
        except OSError as error:
            raise TargetUnwritable.because(self.path, error) from None

    def discard(self) -> None:
        """Remove what was not published."""
        self._close()
        if self._is_there:
            self._is_there = False
            with contextlib.suppress(FileNotFoundError):
                self._temporary.unlink()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
