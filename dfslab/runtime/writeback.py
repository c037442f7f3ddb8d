"""Asks the kernel to begin writing a file to the disk while more of it comes, so that fsync finds little left to do.

Without it, dirty pages wait for the fsync at the end, and the disk idles while the bytes arrive. This is a
hint and makes nothing durable: the fsync stays. Linux only (`sync_file_range(2)` with SYNC_FILE_RANGE_WRITE, which
neither waits nor takes an error away from a later fsync); elsewhere nothing happens.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Callable

WRITEBACK_BYTES = 8 * 1024 * 1024
"""Begun at a time: enough for the disk to write in long runs."""
_SYNC_FILE_RANGE_WRITE = 2
_NOT_HERE = frozenset({errno.ENOSYS, errno.EINVAL, errno.ESPIPE, errno.EOPNOTSUPP, errno.EPERM})


@functools.cache
def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    function = getattr(ctypes.CDLL(None, use_errno=True), "sync_file_range", None)
    if function is None:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]


def begin_writeback(fd: int, offset: int, count: int) -> None:
    """Begin to write `count` bytes from `offset` on to the disk; raise the OSError that the disk gives."""
    function = _sync_file_range()
    if function is not None and function(fd, offset, count, _SYNC_FILE_RANGE_WRITE) != 0:
        code = ctypes.get_errno()
        if code not in _NOT_HERE:
            raise OSError(code, os.strerror(code))
