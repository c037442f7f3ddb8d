"""Placement in few sets of keepers.

Asaf Cidon, Stephen Rumble, Ryan Stutsman, Sachin Katti, John Ousterhout and Mendel Rosenblum, "Copysets: Reducing the
Frequency of Data Loss in Cloud Storage", USENIX ATC 2013, §4: shuffle the nodes, and cut the row into sets of R; do it
P = S/(R-1) times, for a scatter width of S. A primary is drawn by chance, and the others are those of one of its sets.
Only the loss of a whole set loses files. Taken: both phases. Other than there, an order comes from a digest of the
names, so that a restarted master makes the same sets; and a set of which nobody else can take a copy (its keeper is
dead, full or busy) is replaced once for all its files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from dfslab.core.policies.placement import KeeperLoad


class Copysets:
    """The first copy anywhere, the others within a set that has it: few sets of keepers share any file."""

    def __init__(self, replicas: int = 3, scatter_width: int = 4) -> None:
        self.replicas = replicas
        self.permutations = max(1, math.ceil(scatter_width / max(1, replicas - 1)))
        self.copysets: list[frozenset[str]] = []
        self._members: list[str] = []

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: random.Random, holders: Sequence[str]) -> str:
        """Return a keeper of a set that all holders are in."""
        names = [load.keeper for load in candidates]
        self._take_in([name for name in [*names, *holders] if name not in self._members])
        if not holders:
            return rng.choice(names)
        fitting = [one for one in self.copysets if one.issuperset(holders) and not one.isdisjoint(names)]
        if not fitting:
            others = rng.sample(names, min(len(names), max(1, self.replicas - len(holders))))
            fitting = [frozenset([*holders, *others])]
            self.copysets += fitting
        copyset = rng.choice(fitting)
        return rng.choice([name for name in names if name in copyset])

    def _take_in(self, new: list[str]) -> None:
        """Give keepers that are new their sets; those at a row's end, too few for a set, are joined by others."""
        self._members += new
        for number in range(self.permutations if new else 0):
            row, everybody = _shuffled(new, number), _shuffled(self._members, number)
            for at in range(0, len(row), self.replicas):
                few = row[at : at + self.replicas]
                others = [name for name in everybody if name not in few]
                self.copysets.append(frozenset([*few, *others[: self.replicas - len(few)]]))


def _shuffled(names: list[str], number: int) -> list[str]:
    return sorted(names, key=lambda name: sha256(f"{number}/{name}".encode()).digest())
