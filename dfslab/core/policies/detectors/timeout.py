"""A failure detector with a fixed timeout.

Tushar Chandra and Sam Toueg, "Unreliable Failure Detectors for Reliable Distributed Systems", Journal of the ACM 43(2),
1996, §9.1: where delays have a bound, timeouts make a detector that is right about everybody; where nobody knows it,
one whose timeout grows with each false alarm is right in the end. Taken: the timeout, which here stays as it is.
HDFS waits ten minutes: Shvachko et al., "The Hadoop Distributed File System", MSST 2010, §II.B.
"""

from __future__ import annotations


class TimeoutDetector:
    """Dead after a fixed silence: right about everybody whose heartbeats are never late by more than the rest.

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
