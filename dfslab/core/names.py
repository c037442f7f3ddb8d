"""Which file names are keys of the file system."""

from __future__ import annotations

import unicodedata

from dfslab.core.errors import InvalidName

MAX_PART_BYTES = 255
MAX_NAME_BYTES = 4096


def check_name(name: str) -> str:
    """Return `name` if it is a key of the file system.

    A name is UTF-8 text whose parts are joined by `/`; a part has at most 255 bytes, the whole at
    most 4,096. It never becomes a path on a keeper, so these rules guard people and tools that
    download to a folder, not the keepers.

    Raises
    ------
    InvalidName
        For an empty name, a leading `/`, an empty part, `.` or `..`, control characters (NUL
        among them), text that is not UTF-8, or too many bytes.
    """
    if not isinstance(name, str):
        raise InvalidName(name=repr(name), reason=f"it is {type(name).__name__}, not text")
    reason = _why_refused(name)
    if reason:
        raise InvalidName(name=name.encode("utf-8", "backslashreplace").decode()[:300], reason=reason)
    return name


def _why_refused(name: str) -> str:
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if not name:
        return "it is empty"
    if name.startswith("/"):
        return "it starts with '/'"
    if len(encoded) > MAX_NAME_BYTES:
        return f"it has {len(encoded)} bytes, {MAX_NAME_BYTES} are allowed"
    if not name.isprintable() and any(unicodedata.category(char) == "Cc" for char in name):
        return "it contains a control character"
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return f"the part {part!r} is not allowed"
        if len(part.encode()) > MAX_PART_BYTES:
            return f"a part has more than {MAX_PART_BYTES} bytes"
    return ""
