"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from dfslab.core.checks import check_path
from dfslab.core.errors import TargetUnwritable


def write_whole(path: str | os.PathLike[str], parts: Iterable[str]) -> Path:
    """Write text to a file that appears under its name only when it is whole, and return its absolute path."""
    target = Path(os.path.expanduser(check_path("path", path))).absolute()
    if target.is_dir():
        raise TargetUnwritable(path=str(target), reason="it is a folder")
    temporary = target.with_name(f".dfslab-{secrets.token_hex(8)}.part")
    try:
        try:
            with temporary.open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.writelines(parts)
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
    except OSError as error:
        raise TargetUnwritable.because(target, error) from None
    return target
