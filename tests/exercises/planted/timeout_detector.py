"""Detectors that have not understood their timeout."""

from dfslab.exercises.solutions.timeout_detector import SOLUTION


class NeverDead(SOLUTION):
    def is_overdue(self, keeper, now):
        return False


class TwoSecondsAlways(SOLUTION):
    def __init__(self, timeout_s=3.0):
        super().__init__(2.0)


class AfterTheFirstBeat(SOLUTION):
    def heard(self, keeper, now):
        self.last_s.setdefault(keeper, now)


class TwiceTheTimeout(SOLUTION):
    def is_overdue(self, keeper, now):
        return keeper in self.last_s and now - self.last_s[keeper] >= 2 * self.timeout_s


class OneClockForAll(SOLUTION):
    def is_overdue(self, keeper, now):
        return bool(self.last_s) and now - max(self.last_s.values()) >= self.timeout_s


class UnknownIsDead(SOLUTION):
    def is_overdue(self, keeper, now):
        return now - self.last_s.get(keeper, 0.0) >= self.timeout_s


class NeverForgets(SOLUTION):
    def forget(self, keeper):
        pass


PLANTED = {
    "never declares anybody dead": (NeverDead, "was never declared dead"),
    "has a timeout of its own": (TwoSecondsAlways, "too early"),
    "counts from the first heartbeat": (AfterTheFirstBeat, "beats every second, and was declared dead"),
    "waits twice as long": (TwiceTheTimeout, "too late"),
    "keeps one clock for all keepers": (OneClockForAll, "was never declared dead"),
    "takes the unknown for dead": (UnknownIsDead, "never heard of"),
    "does not forget": (NeverForgets, "was forgotten"),
}
