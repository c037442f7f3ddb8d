"""`check`: from a class in a notebook to a verdict."""

from __future__ import annotations

import json
import subprocess
import sys

from dfslab.exercises.family import kill_all
from dfslab.exercises.limits import DEADLINE_S
from dfslab.exercises.listing import exercise
from dfslab.exercises.model import Exercise
from dfslab.exercises.taking import NotTaken, Submission, Taken, take
from dfslab.exercises.turns import turn
from dfslab.exercises.verdict import Finding, Verdict


class JudgeFailed(RuntimeError):
    """The checks failed themselves: a mistake of the exercise, not of the submission."""


def check(name: str, submission: Submission, *, seed: int | None = None) -> Verdict:
    """Judge a submission.

    Parameters
    ----------
    name : str
        Of the exercise, as `dfslab.exercises.names()` lists them.
    submission : class or function, or dict of such
        What the exercise asks for.
    seed : int, optional
        Try only the world that this seed makes, as a failed check says.

    Returns
    -------
    Verdict
        Within 30 seconds, whatever the submission does; where more check at once than the machine has cores for,
        within 30 seconds of its turn. Both are longer with `DFSLAB_PATIENCE` (see `dfslab.exercises.limits`).

    Raises
    ------
    InvalidOption
        There is no such exercise.
    JudgeFailed
        The checks themselves failed.
    """
    asked_for = exercise(name)
    try:
        taken = take(submission)
    except NotTaken as error:
        return all_failed(asked_for, str(error))
    return judged(asked_for, taken, seed)


def judged(asked_for: Exercise, taken: Taken, seed: int | None = None) -> Verdict:
    """Judge a submission that was taken before, when it has its turn."""
    with turn():
        return _judged(asked_for, taken, seed)


def _judged(asked_for: Exercise, taken: Taken, seed: int | None) -> Verdict:
    name = asked_for.name
    request = json.dumps({"exercise": name, "seed": seed}).encode() + b"\n" + taken.dumps()
    judge = subprocess.Popen(
        [sys.executable, "-P", "-m", "dfslab.exercises.judge"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with judge:
        try:
            out, err = judge.communicate(request, DEADLINE_S)
        except subprocess.TimeoutExpired:
            return all_failed(asked_for, f"no verdict within {DEADLINE_S:.0f} s: it keeps the checks from ending")
        finally:
            if judge.returncode is None:
                kill_all(judge.pid)
    if judge.returncode < 0:
        what = f"the checks were ended by signal {-judge.returncode}, as by a submission that kills other processes"
        return all_failed(asked_for, what)
    if judge.returncode:
        raise JudgeFailed(f"the checks of {name!r} failed themselves:\n{err.decode(errors='replace')}")
    return Verdict.loads(out)


def all_failed(asked_for: Exercise, what: str) -> Verdict:
    """Return the verdict on a submission that could not be tried."""
    reasons = [what, *[""] * (len(asked_for.checks) - 1)]
    findings = [Finding(one.name, 0, one.points, why) for one, why in zip(asked_for.checks, reasons, strict=True)]
    return Verdict(asked_for.name, asked_for.title, findings)
