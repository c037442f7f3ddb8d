"""Exercises that grade themselves: `dfslab.exercises.check("timeout-detector", MyDetector)`.

A submission runs in a process of its own, which is asked one question at a time; the checks, their simulated
worlds and what they know run in another one. So a submission that is wrong, slow, endless, or that reaches for what
is not its own gets a verdict within half a minute, and leaves nothing behind.
"""

from typing import TYPE_CHECKING, Any

from dfslab.exercises.checking import check
from dfslab.exercises.listing import exercise, names, spec, starter
from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.verdict import Finding, Verdict

if TYPE_CHECKING:
    from dfslab.exercises.ranking import leaderboard

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


def __getattr__(name: str) -> Any:
    """Import the leaderboard, which brings the simulator with it, when it is asked for."""
    if name == "leaderboard":
        from dfslab.exercises.ranking import leaderboard

        return leaderboard
    raise AttributeError(f"module 'dfslab.exercises' has no attribute {name!r}")
