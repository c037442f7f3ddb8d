"""Repair in the order of arrival.

John Kingman, "The Effect of Queue Discipline on Waiting Time Variance", Mathematical Proceedings of the Cambridge
Philosophical Society 58(1), 1962, pp. 163-164: of all orders that do not look at sizes, first come, first served has
the least variance of the wait. Taken: the order. It does not see that a file with one copy is in more danger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfslab.core.policies.repair_order import Shortage


class OldestFirst:
    """What has been short for longest goes first, whatever it has left."""

    def key(self, shortage: Shortage) -> tuple[float, ...]:
        """Sort by when it became short."""
        return (shortage.since_s,)
