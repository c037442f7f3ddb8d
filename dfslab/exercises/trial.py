"""What a check works with: the submission, asked from afar, and the seeds of its worlds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from dfslab.exercises.asking import Asked
from dfslab.exercises.limits import ANSWER_S
from dfslab.exercises.policies import REMOTE


class Trial:
    """One check of one submission.

    Attributes
    ----------
    seed : int or None
        Of the world that is tried now.
    """

    def __init__(self, asked: Asked, only_seed: int | None = None) -> None:
        self._asked, self._only = asked, only_seed
        self.seed: int | None = None

    def seeds(self, count: int) -> Iterator[int]:
        """Yield 1 to `count`; or only the seed that is replayed."""
        for seed in range(1, count + 1) if self._only is None else (self._only,):
            self.seed = seed
            yield seed
        self.seed = None

    def rng(self) -> random.Random:
        """Return the chance of the world that is tried now."""
        return random.Random(self.seed)

    def call(self, *arguments: object, part: str = "", within_s: float = ANSWER_S) -> Any:
        """Return what the submitted function returns, a plain value; raise SubmissionFailed for what is none."""
        return self._asked.call(part, arguments, within_s)

    def policy(self, kind: str, *arguments: object, part: str = "") -> Any:
        """Return an object of the submitted class, as `start` and `sim.Settings` take it.

        Parameters
        ----------
        kind : {"placement", "failure_detector", "repair_order", "chunk_scheduler"}
        *arguments
            Of the class.
        part : str
            Which class, where a submission is a dict of them.
        """
        return REMOTE[kind](self._asked, part, arguments)

    def check_alive(self) -> None:
        """Raise the submission's failure, when a core has taken it for a policy that fails now and then."""
        if self._asked.failure is not None:
            raise self._asked.failure
