"""The process in which a submission runs: it is asked over a pipe, and answers with plain values.

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
import traceback
from collections.abc import Mapping
from typing import Any, BinaryIO

from dfslab.exercises import plain
from dfslab.exercises.family import die_with_parent
from dfslab.exercises.taking import Taken

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
    """Answer until nobody asks any more."""
    taken = Taken.loads(questions.readline())
    try:
        submission = _Submission(taken)
    except BaseException as error:  # noqa: BLE001  # what the submission raises is what the verdict tells
        _answer(answers, {"error": _told(error), "step": "load"})
        raise SystemExit(0) from None
    _answer(answers, {"value": None})
    for line in questions:
        value: object = None
        answer: dict[str, object] = {}
        for step in plain.loads(line):
            try:
                value = submission.do(step)
            except BaseException as error:  # noqa: BLE001  # even SystemExit
                answer = {"error": _told(error), "step": step[2] or step[0]}
                break
        _answer(answers, answer or {"value": value})


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
