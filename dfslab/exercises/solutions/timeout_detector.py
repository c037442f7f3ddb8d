"""A detector with a fixed timeout."""


class MyDetector:
    def __init__(self, timeout_s=3.0):
        self.timeout_s = timeout_s
        self.last_s = {}

    def heard(self, keeper, now):
        self.last_s[keeper] = now

    def forget(self, keeper):
        self.last_s.pop(keeper, None)

    def is_overdue(self, keeper, now):
        return keeper in self.last_s and now - self.last_s[keeper] >= self.timeout_s


SOLUTION = MyDetector
