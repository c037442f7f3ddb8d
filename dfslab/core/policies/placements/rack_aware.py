"""Placement that survives the loss of a rack.

Konstantin Shvachko, Hairong Kuang, Sanjay Radia and Robert Chansler, "The Hadoop Distributed File System", MSST 2010,
§III.B "Block Placement": no node holds two replicas of a block, and no rack more than two, provided there are racks
enough; so a file is never in one rack alone. Taken: that rule. Left out: that the third replica lies in the rack of
the second, which spares the links between racks a copy. Why racks fail as one: GFS (SOSP 2003), §4.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dfslab.core.policies.placements.balanced import Balanced

if TYPE_CHECKING:
    import random

    from dfslab.core.policies.placement import KeeperLoad

MOST_IN_A_RACK = 2


class RackAware:
    """Never all copies in one rack, and at most two in any, as long as there is a choice; then the fewest bytes.

    Keepers whose rack nobody has told count as one rack.
    """

    def choose(
        self,
        candidates: Sequence[KeeperLoad],
        size: int,
        rng: random.Random,
        holders: Sequence[str],
        racks: Mapping[str, str],
    ) -> str:
        """Return a candidate in a rack that may take a copy."""
        held = Counter(racks.get(holder, "") for holder in holders)
        elsewhere = [load for load in candidates if load.rack not in held]
        allowed = [load for load in candidates if held[load.rack] < MOST_IN_A_RACK]
        fitting = (elsewhere if len(held) == 1 else allowed) or candidates
        return Balanced().choose(fitting, size, rng)
