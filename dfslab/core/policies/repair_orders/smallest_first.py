"""Repair the small files first.

Wayne Smith, "Various Optimizers for Single-Stage Production", Naval Research Logistics Quarterly 3(1-2), 1956,
pp. 59-66: the shortest job first gives the least mean time to completion. Taken: the order, by bytes. So most files are
whole again soonest, and the large ones wait longest, were they down to their last copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfslab.core.policies.repair_order import Shortage


class SmallestFirst:
    """The smallest file goes first; then what has waited longest."""

    def key(self, shortage: Shortage) -> tuple[float, ...]:
        """Sort by bytes, then by how long it has been short."""
        return (shortage.size, shortage.since_s)
