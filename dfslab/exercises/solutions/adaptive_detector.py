"""A detector that learns the mean and the deviation of each keeper's gaps."""

from collections import deque
from statistics import fmean, pstdev


class MyDetector:
    def __init__(self, patience_s=20.0):
        self.patience_s = patience_s
        self.last_s = {}
        self.gaps = {}
        self.due_s = {}

    def heard(self, keeper, now):
        gaps = self.gaps.setdefault(keeper, deque(maxlen=100))
        if keeper in self.due_s:
            gaps.append(now - self.last_s[keeper])
        self.last_s[keeper] = now
        self.due_s[keeper] = now + self.silence_s(gaps)

    def forget(self, keeper):
        self.due_s.pop(keeper, None)  # the gaps are kept: it may come back

    def is_overdue(self, keeper, now):
        return keeper in self.due_s and now >= self.due_s[keeper]

    def silence_s(self, gaps):
        """Return how long a silence means death: the mean gap, and six deviations more."""
        if len(gaps) < 10:
            return self.patience_s
        mean_s = fmean(gaps)
        return mean_s + 6 * max(pstdev(gaps), 0.25 * mean_s)


SOLUTION = MyDetector
