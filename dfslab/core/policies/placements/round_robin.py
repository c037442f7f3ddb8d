"""Placement in turn.

Philip Carns, Walter Ligon, Robert Ross and Rajeev Thakur, "PVFS: A Parallel File System for Linux Clusters", 4th Annual
Linux Showcase and Conference, 2000: the stripes of a file lie on the I/O nodes in turn. Taken: the turns,
here of whole replicas; they know nothing of sizes, so that a few large files make a keeper full.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from dfslab.core.policies.placement import KeeperLoad


class RoundRobin:
    """The keeper whose last turn was longest ago; who has had none comes first, in the order of registration.

    With the same candidates at each question this is going round; a keeper that is no candidate for a while
    (it holds the file already, or is busy) has its turn as soon as it is one again.
    """

    def __init__(self) -> None:
        self._turns = 0
        self._last_turn: dict[str, int] = {}

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: random.Random) -> str:
        """Return the candidate that has waited longest."""
        chosen = min(candidates, key=lambda load: self._last_turn.get(load.keeper, 0)).keeper
        self._turns += 1
        self._last_turn[chosen] = self._turns
        return chosen
