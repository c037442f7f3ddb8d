"""Chunk scheduling: which chunk an idle keeper serves next in a parallel download."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dfslab.core.blocks import Chunk


@dataclass(frozen=True, slots=True)
class InFlight:
    """A chunk that keepers are serving right now.

    Attributes
    ----------
    chunk : Chunk
    keepers : tuple of str
        Who is serving it; more than one when it is hedged.
    since_s : float
        When it was first asked for.
    """

    chunk: Chunk
    keepers: tuple[str, ...]
    since_s: float


class ChunkScheduler(Protocol):
    """Answers an idle keeper's "what next?"."""

    def next_chunk(
        self,
        keeper: str,
        waiting: Sequence[Chunk],
        in_flight: Mapping[int, InFlight],
        chunk_s: float | None,
        now: float,
    ) -> Chunk | None:
        """Return a chunk for `keeper` to serve, or None to let it rest until something changes.

        Parameters
        ----------
        keeper : str
            The idle keeper.
        waiting : sequence of Chunk
            Chunks that nobody serves, in file order, those of failed keepers first.
        in_flight : mapping of int to InFlight
            Chunks being served, by index, oldest first.
        chunk_s : float or None
            Mean time a chunk has taken so far in this download, seconds; None before the first.
        now : float
            Seconds.
        """
        ...


class WorkStealing:
    """One shared queue, so that fast keepers serve more; the tail is hedged.

    When the queue is empty, an idle keeper takes a second copy of the chunk that has been under
    way longest, once that has taken `hedge_factor` times the mean, or `first_hedge_s` seconds while
    there is no mean yet (Dean & Barroso, "The Tail at
    Scale", CACM 2013, §"Hedged requests"). Whichever copy is whole first is used.
    """

    def __init__(self, hedge_factor: float = 2.0, hedge_floor_s: float = 0.02, first_hedge_s: float = 0.5) -> None:
        self.hedge_factor = hedge_factor
        self.hedge_floor_s = hedge_floor_s
        self.first_hedge_s = first_hedge_s

    def next_chunk(
        self,
        keeper: str,
        waiting: Sequence[Chunk],
        in_flight: Mapping[int, InFlight],
        chunk_s: float | None,
        now: float,
    ) -> Chunk | None:
        """Return the head of the queue, or a late chunk of somebody else's."""
        if waiting:
            return waiting[0]
        patience_s = self.first_hedge_s if chunk_s is None else max(self.hedge_floor_s, self.hedge_factor * chunk_s)
        for flight in in_flight.values():
            if len(flight.keepers) == 1 and keeper not in flight.keepers and now - flight.since_s >= patience_s:
                return flight.chunk
        return None


class NoHedging(WorkStealing):
    """One shared queue, and nothing is asked for twice: what a slow keeper has begun is waited for."""

    def __init__(self) -> None:
        super().__init__(hedge_factor=math.inf, first_hedge_s=math.inf)
