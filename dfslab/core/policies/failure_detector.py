"""Failure detection: when silence means dead."""

from __future__ import annotations

from typing import Protocol

from dfslab.core.policies.detectors.timeout import TimeoutDetector


class FailureDetector(Protocol):
    """Judges keepers by when they were heard from. Times are seconds."""

    def heard(self, keeper: str, now: float) -> None:
        """Note a heartbeat or a registration."""
        ...

    def forget(self, keeper: str) -> None:
        """Watch a keeper no more, because it died or left; it may come back, and may be watched again from then on."""
        ...

    def is_overdue(self, keeper: str, now: float) -> bool:
        """Return True when `keeper` is to be declared dead."""
        ...


__all__ = ["FailureDetector", "TimeoutDetector"]
