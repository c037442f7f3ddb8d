"""The judge's end: it asks the submission's process, and waits for an answer no longer than it has to."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any

from dfslab.exercises import plain
from dfslab.exercises.family import kill_all
from dfslab.exercises.limits import ANSWER_S, START_S
from dfslab.exercises.taking import Taken

END_OF_CHECK = b"null\n"
MAX_ANSWER_BYTES = 16 << 20
SHOWN_BYTES = 2_000
"""How much of what a submission prints is shown."""


_OPTIONS = ("-P", "-u", "-W", "ignore:This process:DeprecationWarning")
"""No folder of the student's on the path; nothing printed is kept back; a fork beside numpy's threads is no news."""


class SubmissionFailed(Exception):
    """The submission raised, ended its process, answered nothing, or answered what is no value."""


class Asked:
    """A submission in its processes: one that has loaded it, and a fork of that for each check.

    A context manager; threads may share it.

    Parameters
    ----------
    taken : Taken
    until : float
        When all its time is over, seconds of the monotonic clock.
    """

    def __init__(self, taken: Taken, until: float) -> None:
        self.failure: SubmissionFailed | None = None
        self._taken, self._until = taken, until
        self._steps: list[list[Any]] = []
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._rest = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # closed in close()
        self._room = tempfile.TemporaryDirectory(prefix="dfslab-submission-", ignore_cleanup_errors=True)

    def begin(self) -> None:
        """Begin a check, in a process that knows nothing of the one before; raise SubmissionFailed if it can't load."""
        if self._process is not None and self.failure is None:
            self._exchange(END_OF_CHECK, ANSWER_S, "to begin again")
        else:
            self._end()
            self._start()
        self._steps.clear()

    def _start(self) -> None:
        self.failure, self._rest = None, b""
        questions, self._asks = os.pipe()
        self._hears, answers = os.pipe()
        os.set_blocking(self._asks, False)
        try:
            self._process = subprocess.Popen(
                [sys.executable, *_OPTIONS, "-m", "dfslab.exercises.worker", str(questions), str(answers)],
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=subprocess.STDOUT,
                pass_fds=(questions, answers),
                cwd=self._room.name,
                start_new_session=True,
            )
        finally:
            os.close(questions)
            os.close(answers)
        self._exchange(self._taken.dumps(), START_S, "to load")

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End its processes, and take away their room."""
        self._end()
        self._printed.close()
        self._room.cleanup()

    @property
    def printed(self) -> str:
        """The beginning of what it has printed, in all checks."""
        return os.pread(self._printed.fileno(), SHOWN_BYTES, 0).decode(errors="replace")

    def make(self, part: str, *arguments: object, **named: object) -> int:
        """Have an object made of a class, with the next question; return its number."""
        with self._lock:
            number = next(self._numbers)
            self._steps.append(["make", number, part, list(arguments), named])
            return number

    def tell(self, number: int, method: str, *arguments: object) -> None:
        """Have a method called, with the next question, whose value nobody wants."""
        with self._lock:
            self._steps.append(["ask", number, method, list(arguments), {}])

    def ask(self, number: int, method: str, *arguments: object, **named: object) -> Any:
        """Return what a method of an object returns."""
        return self._asked(["ask", number, method, list(arguments), named], method)

    def ask_until(self, number: int, questions: Sequence[tuple[str, str, Sequence[object]]]) -> int | None:
        """Go through some questions to an object, and return the place of the first that ends it; None if none does.

        Parameters
        ----------
        number : int
            Of the object.
        questions : sequence of (what, method, arguments)
            `what` is "until" for one that ends it when its answer is true, "ask" for one whose answer nobody wants.
        """
        steps = [[what, number, method, list(arguments), {}] for what, method, arguments in questions]
        with self._lock:
            before = len(self._steps)
            self._steps += steps[:-1]
            place = self._asked(steps[-1], questions[-1][1])
        return None if place is None else int(place) - before

    def call(self, part: str, arguments: Sequence[object], within_s: float = ANSWER_S) -> Any:
        """Return what a function returns."""
        return self._asked(["call", 0, part, list(arguments), {}], "the call", within_s)

    def _asked(self, step: list[Any], what: str, within_s: float = ANSWER_S) -> Any:
        with self._lock:
            if self.failure is not None:
                raise self.failure
            steps, self._steps = [*self._steps, step], []
            return self._exchange(plain.dumps(steps) + b"\n", within_s, what)

    def _exchange(self, question: bytes, patience_s: float, what: str) -> Any:
        try:
            answer = self._answer(question, patience_s, what)
        except SubmissionFailed as failure:
            self.failure = failure
            raise
        if "error" in answer:
            self.failure = SubmissionFailed(f"{answer['step']}: {answer['error']}")
            raise self.failure
        return answer["value"]

    def _answer(self, question: bytes, patience_s: float, what: str) -> dict[str, Any]:
        patience_s = min(patience_s, max(0.0, self._until - time.monotonic()))
        until = time.monotonic() + patience_s
        try:
            self._send(memoryview(question), until)
            line = self._line(until)
        except TimeoutError:
            late = f"no answer within {patience_s:.1f} s ({what}): an endless loop, or far too slow"
            raise SubmissionFailed(late) from None
        except (BrokenPipeError, EOFError):
            raise SubmissionFailed(f"its process ended ({what}): {self._how_it_ended()}") from None
        try:
            answer = plain.loads(line)
        except plain.NotPlain as error:
            raise SubmissionFailed(f"it wrote into the pipe of the answers ({error})") from error
        if not isinstance(answer, dict) or not answer.keys() & {"value", "error"}:
            raise SubmissionFailed("it wrote into the pipe of the answers")
        return answer

    def _send(self, left: memoryview, until: float) -> None:
        while left:
            try:
                left = left[os.write(self._asks, left) :]
            except BlockingIOError:
                _wait([], [self._asks], until)

    def _line(self, until: float) -> bytes:
        while b"\n" not in self._rest:
            _wait([self._hears], [], until)
            got = os.read(self._hears, 1 << 20)
            if not got:
                raise EOFError
            self._rest += got
            if len(self._rest) > MAX_ANSWER_BYTES:
                raise SubmissionFailed(f"an answer is longer than {MAX_ANSWER_BYTES >> 20} MiB")
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _how_it_ended(self) -> str:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1.0)
            return f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return "it closed its pipe"

    def _end(self) -> None:
        """Kill its processes and whatever they have started."""
        if self._process is None:
            return
        if self._process.returncode is None:
            kill_all(self._process.pid)
            self._process.wait()
        self._process = None
        os.close(self._asks)
        os.close(self._hears)


def _wait(readable: list[int], writable: list[int], until: float) -> None:
    """Return when one of these is ready; raise TimeoutError when none is in time."""
    if not any(select.select(readable, writable, [], max(0.0, until - time.monotonic()))):
        raise TimeoutError
