"""Placement: which keeper gets a new replica."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dfslab.core.policies.placements.balanced import Balanced

FACTS = ("holders", "racks")
"""What `choose` is told beside what every policy is, if it has a parameter of that name."""


@dataclass(frozen=True, slots=True)
class KeeperLoad:
    """What a placement policy knows of a candidate.

    Attributes
    ----------
    keeper : str
    stored_bytes : int
        Bytes on it and on their way to it.
    free_bytes : int
        Room left on its disk, as of its last heartbeat.
    replicas : int
        Replicas on it and on their way to it.
    rack : str
        Where it stands, as `start(racks=...)` says; "" when nobody has said.
    """

    keeper: str
    stored_bytes: int
    free_bytes: int
    replicas: int
    rack: str = ""


class Placement(Protocol):
    """Chooses among live keepers that do not hold the file and have room for it.

    A `choose` may have two more parameters, and is given what it has: `holders`, the names (a sequence of str)
    of the live keepers that hold this version or are getting it, none at an upload; and `racks`, the rack of every
    keeper for which one is known (a mapping of str to str), as holders are not among the candidates.
    """

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: random.Random) -> str:
        """Return one candidate's name.

        Parameters
        ----------
        candidates : sequence of KeeperLoad
            At least one, in order of their names' first registration.
        size : int
            Bytes of the replica to place.
        rng : random.Random
            The only source of chance to use, so that a seed replays.
        """
        ...


__all__ = ["FACTS", "Balanced", "KeeperLoad", "Placement"]
