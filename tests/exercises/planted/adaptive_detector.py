"""Detectors that learn the wrong thing, or nothing."""

from collections import deque
from statistics import fmean, pstdev

from dfslab.exercises.solutions.adaptive_detector import SOLUTION


class FixedTimeout(SOLUTION):
    def silence_s(self, gaps):
        return 3.0


class PatienceOnly(SOLUTION):
    def silence_s(self, gaps):
        return self.patience_s


class HalfAGapMore(SOLUTION):
    def silence_s(self, gaps):
        return 1.5 * fmean(gaps) if len(gaps) >= 10 else self.patience_s


class NoLeastDeviation(SOLUTION):
    def silence_s(self, gaps):
        return fmean(gaps) + 3 * pstdev(gaps) if len(gaps) >= 10 else self.patience_s


class NeverForgetsARoughTime(SOLUTION):
    def heard(self, keeper, now):
        self.gaps.setdefault(keeper, deque())  # without a maxlen, all gaps stay
        super().heard(keeper, now)

    def silence_s(self, gaps):
        return 2 * max(gaps) if len(gaps) >= 10 else self.patience_s


class DeathIsAGap(SOLUTION):
    def __init__(self, patience_s=20.0):
        super().__init__(patience_s)
        self.watched = set()

    def heard(self, keeper, now):
        super().heard(keeper, now)
        self.watched.add(keeper)

    def forget(self, keeper):
        self.watched.discard(keeper)

    def is_overdue(self, keeper, now):
        return keeper in self.watched and super().is_overdue(keeper, now)


class OneNormForAll(SOLUTION):
    def heard(self, keeper, now):
        everybodys = self.gaps.setdefault("all", deque(maxlen=100))
        self.gaps[keeper] = everybodys
        super().heard(keeper, now)


class JudgesAtOnce(SOLUTION):
    def silence_s(self, gaps):
        return 2.5 * fmean(gaps) if gaps else self.patience_s


class Forgetful(SOLUTION):
    def forget(self, keeper):
        pass


PLANTED = {
    "has a fixed timeout": (FixedTimeout, "5 intervals of silence are the most"),
    "waits for its patience always": (PatienceOnly, "5 intervals of silence are the most"),
    "has no room for late heartbeats": (HalfAGapMore, "keeper-1 was alive, and was declared dead"),
    "trusts a calm network too much": (NoLeastDeviation, "keeper-1 was alive, and was declared dead"),
    "never forgets the worst gap": (NeverForgetsARoughTime, "3 intervals of silence are the most"),
    "takes a death for a gap": (DeathIsAGap, "it came back at 300 s"),
    "has one norm for all keepers": (OneNormForAll, "5 intervals of silence are the most"),
    "judges after two gaps": (JudgesAtOnce, "patience_s is not over"),
    "does not forget": (Forgetful, "it was forgotten"),
}
