"""Placement: which keeper gets a new replica."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol


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
    """

    keeper: str
    stored_bytes: int
    free_bytes: int
    replicas: int


_stored_bytes, _replicas = attrgetter("stored_bytes"), attrgetter("replicas")


class Placement(Protocol):
    """Chooses among live keepers that do not hold the file and have room for it."""

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


class Balanced:
    """The keeper with the fewest bytes; ties by chance (GFS §4.2: place on servers with below-average disk use)."""

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: random.Random) -> str:
        """Return a candidate with the least bytes stored or promised."""
        least = min(map(_stored_bytes, candidates))
        lightest = [load for load in candidates if load.stored_bytes == least]
        fewest = min(map(_replicas, lightest))
        return rng.choice([load.keeper for load in lightest if load.replicas == fewest])
