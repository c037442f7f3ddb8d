"""Work that a click has asked for: the callback only puts it into a queue, one thread does it, in order."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from dfslab.core.errors import DfsError

KEPT = 50


@dataclass
class Job:
    """Something to do, the Python that does the same, and what became of it.

    Attributes
    ----------
    python : str
    run : callable
        Does it, and returns what there is to say of it.
    state : str
        "waits", "runs", "done" or "failed".
    said : str
    """

    python: str
    run: Callable[[], str]
    state: str = "waits"
    said: str = ""


class Work:
    """What the buttons have asked for, the newest `KEPT` of it, and the threads that do it.

    Faults and transfers have a lane each: one wants to kill a keeper in the middle of an upload.
    A lane's thread begins with its first job.

    Parameters
    ----------
    changed : callable
        Called from any thread whenever there is something new to show.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque(maxlen=KEPT)
        self._lanes: dict[str, _Lane] = {}
        self._error = ""
        self._stopped = False

    def ask(self, lane: str, job: Job) -> None:
        """Have a job done, after those that its lane has already."""
        with self._lock:
            if self._stopped:
                return
            self._jobs.append(job)
            if lane not in self._lanes:
                self._lanes[lane] = _Lane(f"dashboard-{lane}", self._do)
            self._lanes[lane].jobs.put(job)
        self._changed()

    def refuse(self, error: str) -> None:
        """Show why something was not even tried."""
        with self._lock:
            self._error = error
        self._changed()

    def _do(self, job: Job) -> None:
        self._show(job, "runs")
        try:
            said, state = job.run(), "done"
        except DfsError as error:
            said, state = str(error), "failed"
        except Exception as error:  # noqa: BLE001 - whatever it is, the student sees it on the page, not nowhere
            said, state = f"{type(error).__name__}: {error}", "failed"
        self._show(job, state, said)

    def _show(self, job: Job, state: str, said: str = "") -> None:
        with self._lock:
            job.state, job.said = state, said
            if state == "failed":
                self._error = f"{job.python}: {said}"
            elif state == "done":
                self._error = ""
        self._changed()

    @property
    def error(self) -> str:
        """Why the last thing that was asked for failed; empty when it did not."""
        with self._lock:
            return self._error

    @property
    def entries(self) -> list[tuple[str, str, str]]:
        """Return the Python, the state and the outcome of each job, the oldest first."""
        with self._lock:
            return [(job.python, job.state, job.said) for job in self._jobs]

    def stop(self, timeout_s: float) -> None:
        """Take no more jobs, drop those that wait, and join the threads."""
        with self._lock:
            self._stopped = True
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.stop()
        for lane in lanes:
            lane.thread.join(timeout_s)


class _Lane:
    def __init__(self, name: str, do: Callable[[Job], None]) -> None:
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._do = do
        self.thread = threading.Thread(target=self._work, name=name, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        while (job := self.jobs.get()) is not None:
            self._do(job)

    def stop(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self.jobs.get_nowait()
        self.jobs.put(None)
