"""A failure detector that learns how late heartbeats may be.

Naohiro Hayashibara, Xavier Défago, Rami Yared and Takuya Katayama, "The φ Accrual Failure Detector", SRDS 2004, §4: φ
is -log10 of the probability that a heartbeat comes still later, by a normal distribution with the mean and deviation of
the last intervals. Taken: φ, and a threshold on it. Added, as in Akka and Cassandra: a least deviation, a plain timeout
until enough intervals are known, and a longest gap that counts as an interval.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import NormalDist, fmean


class PhiAccrual:
    """Dead once φ reaches `threshold`: at 8, one heartbeat in 10^8 would come later, were it as those before."""

    def __init__(
        self, timeout_s: float = 3.0, threshold: float = 8.0, window: int = 100, enough: int = 10, least: float = 0.25
    ) -> None:
        self.timeout_s, self.threshold, self.window = timeout_s, threshold, window
        self.enough, self.least = enough, least  # intervals; deviation, as a part of the mean
        self._longest_s = 4 * timeout_s  # who was away for longer was dead, not late
        self._patience = -NormalDist().inv_cdf(10**-threshold)  # deviations at which φ is the threshold
        self._intervals: dict[str, deque[float]] = {}  # as what was learnt, they outlive `forget`
        self._last: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def heard(self, keeper: str, now: float) -> None:
        """Learn from the time since the last sign of life."""
        intervals = self._intervals.setdefault(keeper, deque(maxlen=self.window))
        if keeper in self._last and now - self._last[keeper] <= self._longest_s:
            intervals.append(now - self._last[keeper])
        self._last[keeper] = now
        mean_s, deviation_s = self._normal(keeper)
        self._due[keeper] = now + (mean_s + self._patience * deviation_s if mean_s else self.timeout_s)

    def forget(self, keeper: str) -> None:
        """Watch a keeper no more; its heartbeats are still known when it comes back."""
        self._due.pop(keeper, None)

    def is_overdue(self, keeper: str, now: float) -> bool:
        """Return True once φ has reached the threshold."""
        return keeper in self._due and now >= self._due[keeper]

    def phi(self, keeper: str, now: float) -> float:
        """Return the suspicion; 0 while too little is known."""
        mean_s, deviation_s = self._normal(keeper)
        later = 0.5 * math.erfc((now - self._last[keeper] - mean_s) / deviation_s / math.sqrt(2)) if mean_s else 1.0
        return -math.log10(later) if later else math.inf

    def _normal(self, keeper: str) -> tuple[float, float]:
        intervals = self._intervals.get(keeper, ())
        mean_s = fmean(intervals) if len(intervals) >= self.enough else 0.0
        variance = fmean((one - mean_s) ** 2 for one in intervals) if mean_s else 0.0
        return mean_s, max(math.sqrt(variance), self.least * mean_s)
