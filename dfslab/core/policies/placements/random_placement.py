"""Placement by chance.

Asaf Cidon, Stephen Rumble, Ryan Stutsman, Sachin Katti, John Ousterhout and Mendel Rosenblum, "Copysets: Reducing the
Frequency of Data Loss in Cloud Storage", USENIX ATC 2013, §1: random replication is what HDFS, GFS, RAMCloud and Azure
do. Taken: a replica goes to any keeper, each as likely as the others. How full the fullest gets is the question of
balls in bins: Martin Raab and Angelika Steger, "Balls into Bins: A Simple and Tight Analysis", RANDOM 1998, theorem 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from dfslab.core.policies.placement import KeeperLoad


class RandomPlacement:
    """Any keeper, each as likely as the others, however full it is."""

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: random.Random) -> str:
        """Return a candidate by chance."""
        return rng.choice(candidates).keeper
