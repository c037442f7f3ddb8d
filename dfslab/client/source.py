"""What is uploaded: a file or bytes, readable from the start as often as a retry needs it."""

from __future__ import annotations

import os
import stat
from types import TracebackType

from dfslab.client.target import expand
from dfslab.core.errors import InvalidOption, SourceForbidden, SourceMissing, SourceUnreadable

Uploadable = str | os.PathLike[str] | bytes | bytearray | memoryview


class Source:
    """The bytes of an upload.

    Parameters
    ----------
    what : path or bytes

    Raises
    ------
    SourceMissing, SourceForbidden, SourceUnreadable
        For a path that can't be read as a file.
    """

    def __init__(self, what: Uploadable) -> None:
        self._fd = -1
        self._bytes: memoryview | None = None
        self._offset = 0
        if isinstance(what, bytes | bytearray | memoryview):
            self._bytes = memoryview(what if isinstance(what, bytes | bytearray) else what.tobytes())
            self.size, self.default_name = len(self._bytes), ""
        elif isinstance(what, str | os.PathLike):
            self._path = expand(what)
            self.default_name = self._path.name
            self.size = self._open()
        else:
            raise InvalidOption(option="source", value=type(what).__name__, reason="it must be a path or bytes")

    def _open(self) -> int:
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            status = os.fstat(self._fd)
        except FileNotFoundError:
            raise SourceMissing(path=str(self._path), reason="there is no such file") from None
        except PermissionError:
            raise SourceForbidden(path=str(self._path), reason="reading it is not allowed") from None
        except (OSError, ValueError) as error:
            raise SourceUnreadable(path=str(self._path), reason=str(error)) from None
        if not stat.S_ISREG(status.st_mode):
            self.close()
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise SourceUnreadable(path=str(self._path), reason=f"it is {kind}")
        return status.st_size

    def rewind(self) -> None:
        """Start again from the first byte."""
        self._offset = 0

    def read_into(self, view: memoryview) -> int:
        """Fill a buffer with the next bytes; return how many, 0 at the end."""
        if self._bytes is not None:
            part = self._bytes[self._offset : self._offset + len(view)]
            view[: len(part)] = part
            count = len(part)
        else:
            try:
                count = os.preadv(self._fd, [view], self._offset)
            except OSError as error:
                raise SourceUnreadable(path=str(self._path), reason=error.strerror or str(error)) from None
        if count == 0 and view:
            raise SourceUnreadable(
                path=str(getattr(self, "_path", "bytes")), reason="it became shorter while it was read"
            )
        self._offset += count
        return count

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
