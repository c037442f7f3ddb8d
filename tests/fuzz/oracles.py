"""What the fuzzed code must agree with, written a second time and another way."""

from __future__ import annotations

import re

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]|\xc2[\x80-\x9f]")  # C0, DEL and C1, as UTF-8 has them


def is_a_name(name: str) -> bool:
    """Return whether DESIGN §5 takes a text for a name; decided on its bytes, where the code looks at letters."""
    try:
        raw = name.encode()
    except UnicodeEncodeError:
        return False
    parts = raw.split(b"/")
    return (
        len(raw) <= 4096
        and _CONTROL.search(raw) is None
        and all(0 < len(part) <= 255 and part not in (b".", b"..") for part in parts)
    )
