"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from dfslab.core.checks import check_path
from dfslab.core.errors import TargetUnwritable


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the path of a new file beside `path`, which takes its name when the block has ended well.

    Raises
    ------
    InvalidOption
        It is no path.
    TargetMissing, TargetForbidden, TargetUnwritable
        The folder does not exist, may not be written, or the disk refuses; nothing is left there.
    """
    target = absolute(path)
    if target.is_dir():
        raise TargetUnwritable(path=str(target), reason="it is a folder")
    temporary = target.with_name(f".dfslab-{secrets.token_hex(8)}.part")
    try:
        try:
            yield temporary
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
    except OSError as error:
        raise TargetUnwritable.because(target, error) from None


def write_whole(path: str | os.PathLike[str], parts: Iterable[str]) -> Path:
    """Write text to a file that appears under its name only when it is whole, and return its absolute path."""
    with whole_file(path) as temporary, temporary.open("x", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(parts)
    return absolute(path)


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return a path as an absolute one, with `~` in its place; raise InvalidOption for what is none."""
    return Path(os.path.expanduser(check_path("path", path))).absolute()
