"""Placement where the fewest bytes are.

Sanjay Ghemawat, Howard Gobioff and Shun-Tak Leung, "The Google File System", SOSP 2003, §4.3 "Creation, Re-replication,
Rebalancing": new replicas go to servers with below-average use of their disks. Taken: that the load decides. Left out:
the limit on recent creations (the master has a limit on copies under way), and racks.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from dfslab.core.policies.placement import KeeperLoad

_stored_bytes, _replicas = attrgetter("stored_bytes"), attrgetter("replicas")


class Balanced:
    """The keeper with the fewest bytes; among equals the one with the fewest replicas; then by chance."""

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: random.Random) -> str:
        """Return a candidate with the least bytes stored or promised."""
        least = min(map(_stored_bytes, candidates))
        lightest = [load for load in candidates if load.stored_bytes == least]
        fewest = min(map(_replicas, lightest))
        return rng.choice([load.keeper for load in lightest if load.replicas == fewest])
