"""Failure detection: when silence means dead."""

from __future__ import annotations

from typing import Protocol


class FailureDetector(Protocol):
    """Judges keepers by when they were heard from. Times are seconds."""

    def heard(self, keeper: str, now: float) -> None:
        """Note a heartbeat or a registration."""
        ...

    def forget(self, keeper: str) -> None:
        """Drop what is known of a keeper, because it died or left."""
        ...

    def is_overdue(self, keeper: str, now: float) -> bool:
        """Return True when `keeper` is to be declared dead."""
        ...


class TimeoutDetector:
    """Dead after a fixed silence: the eventually perfect detector of the textbooks under a known bound on delay.

    Parameters
    ----------
    timeout_s : float
        Silence, in seconds, after which a keeper is dead.
    """

    def __init__(self, timeout_s: float = 3.0) -> None:
        self.timeout_s = timeout_s
        self._last: dict[str, float] = {}

    def heard(self, keeper: str, now: float) -> None:
        """Note a sign of life."""
        self._last[keeper] = now

    def forget(self, keeper: str) -> None:
        """Drop a keeper."""
        self._last.pop(keeper, None)

    def is_overdue(self, keeper: str, now: float) -> bool:
        """Return True after `timeout_s` of silence; a keeper never heard of is not overdue."""
        return keeper in self._last and now - self._last[keeper] >= self.timeout_s
