"""The process in which a submission runs: it is asked over a pipe, and answers with plain values.

It loads the submission once, and forks for each check, so that no check finds what another one has left in memory.
It knows the submission and what it is asked, nothing of the checks. What the submission prints goes into a file of
which the verdict shows the beginning.
"""

from __future__ import annotations

import contextlib
import inspect
import linecache
import os
import pickle
import resource
import sys
import tempfile
import traceback
from collections.abc import Mapping
from typing import Any, BinaryIO, NoReturn

from dfslab.exercises import plain
from dfslab.exercises.family import die_with_parent
from dfslab.exercises.taking import Taken

NOBODY_ASKS = 75
MAX_MEMORY_BYTES = 4 << 30
SUBMITTED = "<dynamic-code>"
"""The name of the file in the frames of functions that cloudpickle has brought."""


class _Submission:
    """What is asked: the submission, and the objects that were made of it."""

    def __init__(self, taken: Taken) -> None:
        lines = taken.source.splitlines(keepends=True)
        linecache.cache[SUBMITTED] = (len(taken.source), None, lines, SUBMITTED)
        self._whole = pickle.loads(taken.pickled)  # in the process that is there for it
        self._made: dict[int, Any] = {}

    def do(self, step: list[Any]) -> object:
        """Do one step of what is asked, and return what came of it."""
        what, number, name, arguments, named = step
        if what == "make":
            self._made[number] = self._part(name)(*arguments, **named)
            return None
        function = self._part(name) if what == "call" else getattr(self._made[number], name)
        return function(*arguments, **_taken_by(function, named))

    def _part(self, name: str) -> Any:
        return self._whole[name] if name else self._whole


def _taken_by(function: Any, named: Mapping[str, object]) -> Mapping[str, object]:
    """Leave out what a function has no parameter for: policies may know less than they are told."""
    if not named:
        return named
    parameters = inspect.signature(function).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return named
    return {name: value for name, value in named.items() if name in parameters}


def _told(error: BaseException) -> str:
    """Return an error in a line or two: what it says, and the student's line that raised it."""
    said = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == SUBMITTED]
    if not frames:
        return said
    last = frames[-1]
    return f"{said} (line {last.lineno}: {last.line})" if last.line else f"{said} (line {last.lineno})"


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Load the submission, then answer in a fork for each check, until nobody asks any more."""
    taken = Taken.loads(questions.readline())
    try:
        submission = _Submission(taken)
    except BaseException as error:  # noqa: BLE001  # what the submission raises is what the verdict tells
        _answer(answers, {"error": _told(error), "step": "load"})
        raise SystemExit(0) from None
    code = 0
    while not code:
        _answer(answers, {"value": None})
        check = os.fork()
        if not check:
            die_with_parent()
            os.chdir(tempfile.mkdtemp(dir=os.getcwd()))
            _serve_check(submission, questions, answers)
        _, status = os.waitpid(check, 0)
        code = os.waitstatus_to_exitcode(status)
    os._exit(0 if code == NOBODY_ASKS else code)


def _serve_check(submission: _Submission, questions: BinaryIO, answers: BinaryIO) -> NoReturn:
    """Answer until the check is over, and end with exit code 0; `NOBODY_ASKS` when there is no other check."""
    for line in questions:
        steps = plain.loads(line)
        if steps is None:
            os._exit(0)
        _answer(answers, _done(submission, steps))
    os._exit(NOBODY_ASKS)


def _done(submission: _Submission, steps: list[list[Any]]) -> dict[str, object]:
    """Take the steps, and return the answer: the value of the last, or the place of an "until" that was true."""
    value: object = None
    for place, step in enumerate(steps):
        try:
            value = submission.do(step)
        except BaseException as error:  # noqa: BLE001  # even SystemExit
            return {"error": _told(error), "step": step[2] or step[0]}
        if step[0] == "until":
            if value:
                return {"value": place}
            value = None
    return {"value": value}


def _answer(answers: BinaryIO, answer: dict[str, object]) -> None:
    try:
        form = plain.dumps(answer)
    except (plain.NotPlain, RecursionError) as error:
        form = plain.dumps({"error": f"it returned something else: {error}", "step": "answer"})
    answers.write(form + b"\n")
    answers.flush()


def main() -> None:
    """Take the pipes, limit what the process may use, and serve."""
    questions, answers = (int(argument) for argument in sys.argv[1:])
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(questions, "rb") as asked, contextlib.suppress(BrokenPipeError):  # the judge has heard enough
        serve(asked, os.fdopen(answers, "wb"))


if __name__ == "__main__":
    main()
