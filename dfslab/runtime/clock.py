"""The one clock of a node."""

from __future__ import annotations

import time


class Clock:
    """Seconds since the cluster started, by the monotonic clock: a change of the wall clock kills nobody."""

    def __init__(self, origin: float | None = None) -> None:
        self.origin = time.monotonic() if origin is None else origin

    def now(self) -> float:
        """Return the seconds since the origin."""
        return time.monotonic() - self.origin
