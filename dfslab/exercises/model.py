"""What an exercise is: what it asks for, what the student starts from, and the checks that judge it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfslab.exercises.trial import Trial

Draw = Callable[[], str]
"""Draws a picture, and returns it as SVG."""


class Wrong(Exception):
    """A check's judgement: what the submission got wrong.

    Parameters
    ----------
    what : str
        What went wrong, in one sentence or two, with what was expected.
    at_s : float, optional
        At which second of the check's (virtual) time.
    picture : callable, optional
        Draws the moment; it is asked only once, and only for a verdict.
    """

    def __init__(self, what: str, *, at_s: float | None = None, picture: Draw | None = None) -> None:
        super().__init__(what)
        self.what, self.at_s, self.picture = what, at_s, picture


@dataclass(frozen=True)
class Check:
    """One thing that a submission must get right, with points of its own.

    Attributes
    ----------
    name : str
        What holds when it passes, as a sentence.
    points : float
    run : callable
        Takes the `Trial`; raises `Wrong`, or returns when all is well.
    """

    name: str
    points: float
    run: Callable[[Trial], None]


@dataclass(frozen=True)
class Exercise:
    """An exercise of the course.

    Attributes
    ----------
    name : str
        What `check` takes: lower case, with hyphens.
    title : str
    notebook : str
        The notebook that asks for it, without ".ipynb".
    spec : str
        What is asked for, in Markdown.
    starter : str
        The source that the student completes.
    checks : sequence of Check
        In the order of difficulty: the first to fail is the first to mend.
    """

    name: str
    title: str
    notebook: str
    spec: str
    starter: str
    checks: Sequence[Check]

    @property
    def points(self) -> float:
        """The most points that it gives."""
        return sum(check.points for check in self.checks)
