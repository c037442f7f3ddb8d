"""What a student costs the server: k kernels at once, each with a cluster, pictures and a check.

Run with `python -m benchmarks.course` (a minute for each number of students). Memory is the proportional set size
(PSS) of a kernel and of every process under it: what it has of its own, and its share of what several have. It is
taken when everybody's cluster runs and nobody computes, and at its highest while everybody checks an exercise at once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_client.manager import KernelManager

from benchmarks.machine import describe
from dfslab.exercises.family import descendants

STUDENTS = (1, 5, 10)
CELL_S = 300.0
LOOK_S = 0.05
LESSON = """
import dfslab
cluster = dfslab.cluster.start(n={n}{isolation}, speed=4)
for video in dfslab.samples.videos():
    cluster.upload(video)
cluster.wait_for_replicas(timeout_s=120)
files = cluster.files()
picture = cluster.plot.topology()
"""
DETECTOR = """
class MyDetector:
    def __init__(self, timeout_s=3.0):
        self.timeout_s, self.last_s = timeout_s, {}
    def heard(self, keeper, now):
        self.last_s[keeper] = now
    def forget(self, keeper):
        self.last_s.pop(keeper, None)
    def is_overdue(self, keeper, now):
        return keeper in self.last_s and now - self.last_s[keeper] >= self.timeout_s
"""
CHECK = "verdict = dfslab.exercises.check('timeout-detector', MyDetector).require()"


@dataclass(frozen=True)
class Cost:
    """What some students cost together, MiB and seconds."""

    students: int
    rest_mib: float
    peak_mib: float
    check_s: float


class Student:
    """A kernel, and what is run in it."""

    def __init__(self) -> None:
        self._manager = KernelManager(kernel_name="python3", transport="ipc")
        self._manager.start_kernel()
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=CELL_S)

    @property
    def pid(self) -> int:
        """The kernel's process."""
        pid = self._manager.provisioner.pid  # type: ignore[union-attr]
        assert isinstance(pid, int)
        return pid

    def begin(self, code: str) -> None:
        """Have a cell run."""
        self._asked = self._client.execute(code)

    def end(self) -> None:
        """Wait until it has run; raise RuntimeError if it failed."""
        while True:
            reply = self._client.get_shell_msg(timeout=CELL_S)
            if reply["parent_header"].get("msg_id") == self._asked:
                break
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"{reply['content'].get('ename')}: {reply['content'].get('evalue')}")

    def close(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=False)


def pss_mib(pid: int) -> float:
    """Return the PSS of a process and of all under it."""
    total = 0
    for one in (pid, *descendants(pid)):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            for line in Path(f"/proc/{one}/smaps_rollup").read_text("ascii").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def all_at_once(students: list[Student], code: str) -> None:
    """Have every student run a cell, and wait for all."""
    for student in students:
        student.begin(code)
    for student in students:
        student.end()


@contextlib.contextmanager
def highest(students: list[Student]) -> Iterator[list[float]]:
    """Look at the memory of all again and again; the list's last item is the highest."""
    found, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            found.append(max(found[-1], sum(pss_mib(student.pid) for student in students)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def measure(count: int, lesson: str) -> Cost:
    """Return what `count` students cost."""
    students = [Student() for _ in range(count)]
    try:
        for student in students:
            all_at_once([student], lesson)
        all_at_once(students, DETECTOR)
        rest_mib = sum(pss_mib(student.pid) for student in students)
        began_s = time.monotonic()
        with highest(students) as found:
            all_at_once(students, CHECK)
        check_s = time.monotonic() - began_s
        return Cost(count, rest_mib, found[-1], check_s)
    finally:
        for student in students:
            student.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("students", nargs="*", type=int, default=STUDENTS)
    parser.add_argument("--keepers", type=int, default=5)
    parser.add_argument("--isolation", choices=("thread", "process"), default="thread")
    asked = parser.parse_args()
    isolation = "" if asked.isolation == "thread" else f", isolation={asked.isolation!r}"
    lesson = LESSON.format(n=asked.keepers, isolation=isolation)
    print(", ".join(f"{what}: {value}" for what, value in describe(Path(os.curdir)).items()))
    print(f"clusters of {asked.keepers} keepers, isolation {asked.isolation}")
    print("students  MiB each at rest  MiB each, all checking  until all have their verdict, s")
    for count in asked.students:
        cost = measure(count, lesson)
        rest, peak = cost.rest_mib / count, cost.peak_mib / count
        print(f"{count:8}  {rest:16.0f}  {peak:22.0f}  {cost.check_s:33.1f}", flush=True)


if __name__ == "__main__":
    main()
