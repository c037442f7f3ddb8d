"""Closing clusters when the interpreter ends, before its thread pools are shut down."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable


def register(close: Callable[[], None]) -> None:
    """Call `close` when the interpreter ends.

    `atexit` runs after `concurrent.futures` has shut its pools down, when gRPC's servers can no
    longer hand requests to theirs and say so on stderr. The hook that `concurrent.futures` itself
    uses runs in reverse order of registration, so this one is called before it. The hook has no
    public name; where it is missing, atexit alone has to do.
    """
    atexit.register(close)
    early = getattr(threading, "_register_atexit", None)
    if early is not None:
        early(close)
