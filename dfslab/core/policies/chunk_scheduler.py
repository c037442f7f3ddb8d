"""Chunk scheduling: which chunk an idle keeper serves next in a parallel download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dfslab.core.blocks import Chunk
from dfslab.core.policies.chunk_schedulers.no_hedging import NoHedging
from dfslab.core.policies.chunk_schedulers.work_stealing import WorkStealing

FACTS = ("holders", "size")
"""What `next_chunk` is told beside what every policy is, if it has a parameter of that name."""


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
    """Answers an idle keeper's "what next?".

    A `next_chunk` may have two more parameters, and is given what it has: `holders`, the names (a sequence of str)
    of the keepers that still serve this download; and `size`, the bytes of the whole file. All downloads of a
    client ask the same object.
    """

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


__all__ = ["FACTS", "ChunkScheduler", "InFlight", "NoHedging", "WorkStealing"]
