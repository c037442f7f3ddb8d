"""Repair order: which file is copied first when several are short of replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dfslab.core.policies.repair_orders.fewest_copies_first import FewestCopiesFirst


@dataclass(frozen=True, slots=True)
class Shortage:
    """A version with fewer live copies than it should have.

    Attributes
    ----------
    version, name : str
    size : int
        Bytes.
    live, wanted : int
        Copies on live keepers, and copies it should have.
    since_s : float
        When it became short, seconds since the cluster started.
    """

    version: str
    name: str
    size: int
    live: int
    wanted: int
    since_s: float


class RepairOrder(Protocol):
    """Gives each shortage a sort key; the smallest is repaired first."""

    def key(self, shortage: Shortage) -> tuple[float, ...]:
        """Return the sort key.

        It is asked once for each change of a shortage (a copy gained or lost, under way or failed; a rename), not at
        every repair, so it must hang on the shortage alone.
        """
        ...


__all__ = ["FewestCopiesFirst", "RepairOrder", "Shortage"]
