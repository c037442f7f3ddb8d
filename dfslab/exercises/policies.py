"""A submission's policies as the cores and the simulator take them: each question goes to the submission's process."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dfslab.core.blocks import Chunk
from dfslab.core.policies.chunk_scheduler import InFlight
from dfslab.core.policies.placement import KeeperLoad
from dfslab.core.policies.repair_order import Shortage
from dfslab.exercises.asking import Asked


class _Remote:
    """An object in the submission's process. A deep copy of it is a new one, made alike, that remembers nothing."""

    def __init__(self, asked: Asked, part: str, arguments: Sequence[object]) -> None:
        self._asked, self._part, self._arguments = asked, part, arguments
        self._number = asked.make(part, *arguments)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Remote:
        return type(self)(self._asked, self._part, self._arguments)

    def ask(self, method: str, *arguments: object, **named: object) -> Any:
        """Return what a method returns; raise SubmissionFailed for what is no answer."""
        return self._asked.ask(self._number, method, *arguments, **named)

    def ask_until(self, questions: Sequence[tuple[str, str, Sequence[object]]]) -> int | None:
        """Return the place of the first question marked "until" whose answer is true."""
        return self._asked.ask_until(self._number, questions)

    def tell(self, method: str, *arguments: object) -> None:
        """Have a method called before the next question."""
        self._asked.tell(self._number, method, *arguments)


class RemotePlacement(_Remote):
    """A submission's `placement`."""

    def choose(
        self,
        candidates: Sequence[KeeperLoad],
        size: int,
        rng: random.Random,
        holders: Sequence[str] = (),
        racks: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Return what the submission chooses."""
        chosen: str = self.ask("choose", list(candidates), size, rng, holders=list(holders), racks=dict(racks))
        return chosen


class RemoteDetector(_Remote):
    """A submission's `failure_detector`."""

    def heard(self, keeper: str, now: float) -> None:
        """Tell it of a sign of life."""
        self.tell("heard", keeper, now)

    def forget(self, keeper: str) -> None:
        """Have it drop a keeper."""
        self.tell("forget", keeper)

    def is_overdue(self, keeper: str, now: float) -> bool:
        """Return whether it holds the keeper for dead."""
        return bool(self.ask("is_overdue", keeper, now))

    def first_overdue(self, steps: Sequence[tuple[str, str, float]]) -> int | None:
        """Take some steps at once, and return the place of the first keeper that is overdue; None if none is.

        Parameters
        ----------
        steps : sequence of (method, keeper, now)
            `method` is "heard" or "is_overdue".
        """
        kinds = {"heard": "ask", "is_overdue": "until"}
        return self.ask_until([(kinds[method], method, (keeper, now)) for method, keeper, now in steps])


class RemoteOrder(_Remote):
    """A submission's `repair_order`."""

    def key(self, shortage: Shortage) -> tuple[float, ...]:
        """Return the submission's sort key."""
        key: tuple[float, ...] = self.ask("key", shortage)
        return key


class RemoteScheduler(_Remote):
    """A submission's `chunk_scheduler`."""

    def next_chunk(
        self,
        keeper: str,
        waiting: Sequence[Chunk],
        in_flight: Mapping[int, InFlight],
        chunk_s: float | None,
        now: float,
        holders: Sequence[str] = (),
        size: int = 0,
    ) -> Chunk | None:
        """Return the chunk that the submission chooses."""
        asked = (keeper, list(waiting), dict(in_flight), chunk_s, now)
        chunk: Chunk | None = self.ask("next_chunk", *asked, holders=list(holders), size=size)
        return chunk


REMOTE: dict[str, type[_Remote]] = {
    "placement": RemotePlacement,
    "failure_detector": RemoteDetector,
    "repair_order": RemoteOrder,
    "chunk_scheduler": RemoteScheduler,
}
