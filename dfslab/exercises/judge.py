"""The judge's process: it holds the checks and their worlds, and asks the submission's process."""

from __future__ import annotations

import json
import sys
import time

from dfslab.exercises.asking import Asked, SubmissionFailed
from dfslab.exercises.family import adopt_orphans, kill_children
from dfslab.exercises.limits import ALL_S
from dfslab.exercises.listing import exercise
from dfslab.exercises.model import Check, Wrong
from dfslab.exercises.taking import Taken
from dfslab.exercises.trial import Trial
from dfslab.exercises.verdict import Finding, Verdict


def judge(name: str, taken: Taken, seed: int | None = None) -> Verdict:
    """Return the verdict on a submission.

    Parameters
    ----------
    name : str
        Of the exercise.
    taken : Taken
    seed : int, optional
        Try this world only.
    """
    asked_for, began_s = exercise(name), time.monotonic()
    with Asked(taken, began_s + ALL_S) as asked:
        findings = tuple(_judged(check, asked, began_s + ALL_S, seed) for check in asked_for.checks)
        printed = asked.printed
    return Verdict(name, asked_for.title, findings, round(time.monotonic() - began_s, 2), printed)


def _judged(check: Check, asked: Asked, until: float, seed: int | None) -> Finding:
    if time.monotonic() >= until:
        return Finding(check.name, 0, check.points, f"not tried: the {ALL_S:.0f} s of all checks were over")
    trial, what, at_s, picture = Trial(asked, seed), "", None, ""
    try:
        asked.begin()
        check.run(trial)
        trial.check_alive()
    except SubmissionFailed as failure:
        what = str(failure)
    except Wrong as wrong:
        if asked.failure is not None:  # the world went wrong because the submission did
            what = str(asked.failure)
        else:
            what, at_s, picture = wrong.what, wrong.at_s, wrong.picture() if wrong.picture else ""
    return Finding(check.name, 0 if what else check.points, check.points, what, at_s, trial.seed, picture)


def main() -> None:
    """Read what is to be judged, and write the verdict."""
    adopt_orphans()
    request = json.loads(sys.stdin.buffer.readline())
    taken = Taken.loads(sys.stdin.buffer.readline())
    try:
        verdict = judge(request["exercise"], taken, request["seed"])
    finally:
        kill_children()
    sys.stdout.buffer.write(verdict.dumps())


if __name__ == "__main__":
    main()
