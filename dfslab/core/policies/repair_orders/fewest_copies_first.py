"""Repair what is nearest to being lost.

Sanjay Ghemawat, Howard Gobioff and Shun-Tak Leung, "The Google File System", SOSP 2003, §4.3 "Creation, Re-replication,
Rebalancing": a chunk that has lost two replicas goes before one that has lost one. HDFS does the same: Shvachko et al.,
MSST 2010, §III.C. Taken: the first of GFS's priorities; live files before deleted ones does not arise here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfslab.core.policies.repair_order import Shortage


class FewestCopiesFirst:
    """What is nearest to being lost goes first; then what has waited longest."""

    def key(self, shortage: Shortage) -> tuple[float, ...]:
        """Sort by live copies, then by how long it has been short."""
        return (shortage.live, shortage.since_s)
