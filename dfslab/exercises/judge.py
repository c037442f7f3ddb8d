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
    """Return the verdict on a submission; each check has a process of its own to ask.

    Parameters
    ----------
    name : str
        Of the exercise.
    taken : Taken
    seed : int, optional
        Try this world only.
    """
    asked_for, began_s = exercise(name), time.monotonic()
    until, findings, printed = began_s + ALL_S, list[Finding](), ""
    for check in asked_for.checks:
        finding, said = _judged(check, taken, until, seed)
        findings.append(finding)
        printed = printed or said
    return Verdict(name, asked_for.title, tuple(findings), round(time.monotonic() - began_s, 2), printed)


def _judged(check: Check, taken: Taken, until: float, seed: int | None) -> tuple[Finding, str]:
    if time.monotonic() >= until:
        return Finding(check.name, 0, check.points, f"not tried: the {ALL_S:.0f} s of all checks were over"), ""
    try:
        asked = Asked(taken, until)
    except SubmissionFailed as failure:
        return Finding(check.name, 0, check.points, str(failure)), ""
    with asked:
        trial, at_s, picture = Trial(asked, seed), None, ""
        try:
            check.run(trial)
            trial.check_alive()
            what = ""
        except SubmissionFailed as failure:
            what = str(failure)
        except Wrong as wrong:
            failure_first = asked.failure  # the world went wrong because the submission did
            what = str(failure_first) if failure_first else wrong.what
            if not failure_first:
                at_s, picture = wrong.at_s, wrong.picture() if wrong.picture else ""
        points = 0 if what else check.points
        return Finding(check.name, points, check.points, what, at_s, trial.seed, picture), asked.printed


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
