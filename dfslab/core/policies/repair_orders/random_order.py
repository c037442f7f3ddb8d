"""Repair in any order.

John Kingman, "On Queues in Which Customers Are Served in Random Order", Mathematical Proceedings of the Cambridge
Philosophical Society 58(1), 1962, pp. 79-91: the mean wait is that of first come, first served, the longest waits
are longer. Taken: the order, as something to compare the others with.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfslab.core.policies.repair_order import Shortage


class RandomOrder:
    """An order by a digest of the version: as good as chance, and yet the same whenever it is asked again.

    Parameters
    ----------
    seed : int
        Another one gives another order.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def key(self, shortage: Shortage) -> tuple[float, ...]:
        """Sort by a number that says nothing of the file."""
        return (int.from_bytes(sha256(f"{self.seed}/{shortage.version}".encode()).digest()[:6]),)
