"""Submissions that do what no submission should: loop, exit, fork, look around, forge."""

import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path

from dfslab.exercises.solutions.timeout_detector import MyDetector


class Endless(MyDetector):
    def is_overdue(self, keeper, now):
        while True:
            pass


class Sleepy(MyDetector):
    def is_overdue(self, keeper, now):
        time.sleep(0.03)
        return super().is_overdue(keeper, now)


class Raising(MyDetector):
    def is_overdue(self, keeper, now):
        raise KeyError(keeper)


class Exiting(MyDetector):
    def is_overdue(self, keeper, now):
        sys.exit(0)


class Ending(MyDetector):
    def is_overdue(self, keeper, now):
        os._exit(7)


class Recursive(MyDetector):
    def is_overdue(self, keeper, now):
        return self.is_overdue(keeper, now)


class Greedy(MyDetector):
    def is_overdue(self, keeper, now):
        return bool(bytearray(1 << 40))


class Forking(MyDetector):
    """Leaves a process that has left its session, as a daemon does."""

    forked = False

    def is_overdue(self, keeper, now):
        first, self.forked = not self.forked, True
        if first and not os.fork():
            os.setsid()
            if os.fork():
                os._exit(0)
            time.sleep(600)
        return False


class ReadsTheJudge(MyDetector):
    """Looks for the checks in everything that its process knows."""

    looked = False

    def is_overdue(self, keeper, now):
        if self.looked:
            return False
        self.looked = True
        frame = sys._getframe(0)
        while frame:
            for value in frame.f_locals.values():
                if type(value).__name__ in ("Trial", "Check", "Exercise", "Watched"):
                    raise RuntimeError("found the checks in a frame")
            frame = frame.f_back  # type: ignore[assignment]
        if any(type(one).__name__ in ("Trial", "Check", "Watched") for one in gc.get_objects()):
            raise RuntimeError("found the checks in memory")
        return False


class PatchesTheChecks(MyDetector):
    """Makes every verdict pass, in its own process."""

    def is_overdue(self, keeper, now):
        from dfslab.exercises import verdict

        verdict.Verdict.points = verdict.Verdict.max_points  # type: ignore[method-assign]
        verdict.Finding.passed = property(lambda self: True)  # type: ignore[method-assign,assignment]
        return False


class ForgesAnswers(MyDetector):
    """Writes into every pipe that it has."""

    def is_overdue(self, keeper, now):
        for fd in range(3, 64):
            try:
                os.write(fd, b'{"passed": true}\n')
            except OSError:
                continue
        return False


class KillsTheJudge(MyDetector):
    def is_overdue(self, keeper, now):
        status = Path(f"/proc/{os.getppid()}/status").read_text("ascii")
        judge = next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1]
        os.kill(int(judge), signal.SIGKILL)
        return False


class AnswersAnObject(MyDetector):
    def __init__(self, timeout_s=3.0):
        super().__init__(timeout_s)

    def is_overdue(self, keeper, now):
        return object()


class HoldsALock(MyDetector):
    lock = threading.Lock()


class Chatty(MyDetector):
    def heard(self, keeper, now):
        print("heard of", keeper)
        super().heard(keeper, now)


def since(last_s, keeper, now):
    return now - last_s[keeper]


class Helped(MyDetector):
    def is_overdue(self, keeper, now):
        return keeper in self.last_s and since(self.last_s, keeper, now) >= self.timeout_s


class Litters(MyDetector):
    def heard(self, keeper, now):
        Path("litter").write_text("here", "utf-8")
        super().heard(keeper, now)


class Looks(MyDetector):
    def heard(self, keeper, now):
        if list(Path.cwd().iterdir()):
            raise RuntimeError("this folder is not empty")
        super().heard(keeper, now)


class Late(MyDetector):
    def is_overdue(self, keeper, now):
        return keeper in self.last_s and now - self.last_s[keeper] >= 2 * self.timeout_s
