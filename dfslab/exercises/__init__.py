"""Exercises that grade themselves: `dfslab.exercises.check("timeout-detector", MyDetector)`.

A submission runs in a process of its own, which is asked one question at a time; the checks, their simulated
worlds and what they know run in another one. So a submission that is wrong, slow, endless, or that reaches for what
is not its own gets a verdict within half a minute, and leaves nothing behind.
"""

from dfslab.exercises.checking import check
from dfslab.exercises.listing import exercise, names, spec, starter
from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.ranking import leaderboard
from dfslab.exercises.verdict import Finding, Verdict

__all__ = [
    "Check",
    "Exercise",
    "Finding",
    "Verdict",
    "Wrong",
    "check",
    "exercise",
    "leaderboard",
    "names",
    "spec",
    "starter",
]
