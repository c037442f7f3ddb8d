"""Placement by the better of two.

Michael Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE Transactions on Parallel and
Distributed Systems 12(10), 2001, §1; first shown by Yossi Azar, Andrei Broder, Anna Karlin and Eli Upfal, "Balanced
Allocations", SIAM Journal on Computing 29(1), 1999, §1: with n balls in n bins, the fullest bin holds about
ln ln n / ln 2 balls instead of ln n / ln ln n. HDFS has it as AvailableSpaceBlockPlacementPolicy (HDFS-8131), which
takes the emptier of two with a probability of 0.6. Taken: two by chance, and always the emptier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from dfslab.core.policies.placement import KeeperLoad


class TwoChoices:
    """Two keepers by chance, and of these the one with fewer bytes: nearly balanced, after a look at only two."""

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: random.Random) -> str:
        """Return the emptier one of two candidates."""
        drawn = rng.sample(candidates, min(2, len(candidates)))
        return min(drawn, key=lambda load: (load.stored_bytes, load.replicas)).keeper
