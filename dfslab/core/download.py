"""A client's parallel download as a state machine: who fetches which chunk, and what when one fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dfslab.core.blocks import MAX_CHUNK_BYTES, Chunk, split_into_chunks
from dfslab.core.policies.chunk_scheduler import FACTS, ChunkScheduler, InFlight
from dfslab.core.policies.facts import asked_for

MAX_FAILURES_PER_KEEPER = 3
WORTH_ASKING_S = 0.008
"""A request costs about half a millisecond beside its bytes: who serves a chunk sooner than this is asked for more."""
FREE_OF_COST_S = 0.03
"""Beside so long a chunk, asking is not noticed."""
MAX_JOINED_BYTES = 4 * MAX_CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one request for a chunk.

    `outcome` is "ok" (the first whole copy), "duplicate" (a hedge that came second), "failed" or
    "cancelled" (the chunk was whole before this copy was).
    """

    keeper: str
    chunk: Chunk
    start_s: float
    end_s: float
    outcome: str
    reason: str = ""


class Download:
    """The chunks of one version, shared out among its holders.

    Parameters
    ----------
    size, block_size : int
        Bytes.
    holders : sequence of str
        Keepers that serve the version.
    scheduler : ChunkScheduler
        Which chunk an idle keeper serves next.
    """

    def __init__(self, size: int, block_size: int, holders: Sequence[str], scheduler: ChunkScheduler) -> None:
        self._size = size
        self.chunks = split_into_chunks(size, block_size, len(holders))
        self.requests: list[Fetched] = []
        self._scheduler, self._facts = scheduler, asked_for(scheduler.next_chunk, FACTS)
        self._waiting: dict[int, Chunk] = {chunk.index: chunk for chunk in self.chunks}
        self._in_flight: dict[int, InFlight] = {}
        self._started: dict[tuple[str, int], float] = {}
        self._done: dict[int, None] = {}
        self._failures: dict[str, int] = dict.fromkeys(holders, 0)
        self._lost: dict[str, str] = {}
        self._spent_s = 0.0
        self.done_bytes = 0

    @property
    def finished(self) -> bool:
        """True when every chunk is whole."""
        return self.done_bytes == self._size

    @property
    def stuck(self) -> bool:
        """True when chunks are missing and no keeper is left to serve them."""
        return not self.finished and not self.holders

    @property
    def holders(self) -> list[str]:
        """Keepers that still serve."""
        return [keeper for keeper in self._failures if keeper not in self._lost]

    @property
    def lost(self) -> dict[str, str]:
        """Keepers that were given up, and why."""
        return dict(self._lost)

    def next_chunk(self, keeper: str, now: float) -> Chunk | None:
        """Give an idle keeper a chunk to serve, or None when there is nothing for it at the moment."""
        if self.finished or keeper in self._lost:
            return None
        self._join_small_chunks()
        mean_s = self._spent_s / len(self._done) if self._done else None
        waiting = list(self._waiting.values())
        known: dict[str, Any] = {"holders": self.holders, "size": self._size}
        facts = {fact: known[fact] for fact in self._facts}
        chunk = self._scheduler.next_chunk(keeper, waiting, self._in_flight, mean_s, now, **facts)
        if chunk is None:
            return None
        flight = self._in_flight.get(chunk.index)
        if chunk.index not in self._waiting and flight is None:
            return None  # it is there, or part of another one by now
        chunk = self._waiting.pop(chunk.index, chunk)
        keepers = (*flight.keepers, keeper) if flight else (keeper,)
        self._in_flight[chunk.index] = InFlight(chunk, keepers, flight.since_s if flight else now)
        self._started[keeper, chunk.index] = now
        return chunk

    def _join_small_chunks(self) -> None:
        """Where the next chunks pass faster than it is worth to ask for them, make one of them.

        Up to `FREE_OF_COST_S` as long as every holder has three more of that length to serve, so that all still
        finish together.
        """
        if not self._spent_s or not self._waiting:
            return
        rate = self.done_bytes / self._spent_s
        share = sum(chunk.length for chunk in self._waiting.values()) / (3 * max(1, len(self.holders)))
        most = min(MAX_JOINED_BYTES, max(WORTH_ASKING_S * rate, min(share, FREE_OF_COST_S * rate)))
        first = next(iter(self._waiting.values()))
        index, length = first.index + 1, first.length
        while (one := self._waiting.get(index)) is not None and length + one.length <= most:
            del self._waiting[index]
            index, length = index + 1, length + one.length
        self._waiting[first.index] = replace(first, length=length)

    def is_done(self, chunk: Chunk) -> bool:
        """Return True when the chunk is whole, so that a second copy of it is of no use any more."""
        return chunk.index in self._done

    def began(self, keeper: str, chunk: Chunk, now: float) -> None:
        """Note that the request for a chunk leaves only now: what it has waited for says nothing of the keeper."""
        self._started[keeper, chunk.index] = now
        flight = self._in_flight.get(chunk.index)
        if flight is not None and flight.keepers == (keeper,):
            self._in_flight[chunk.index] = replace(flight, since_s=now)

    def arrived(self, keeper: str, chunk: Chunk, now: float) -> Fetched:
        """Note that `keeper` served a whole, checked chunk."""
        first = chunk.index not in self._done
        started = self._land(keeper, chunk)
        if first:
            self._done[chunk.index] = None
            self._spent_s += now - started
            self.done_bytes += chunk.length
            self._in_flight.pop(chunk.index, None)
            self._waiting.pop(chunk.index, None)
        self._failures[keeper] = 0
        return self._log(Fetched(keeper, chunk, started, now, "ok" if first else "duplicate"))

    def failed(self, keeper: str, chunk: Chunk, reason: str, now: float, *, fatal: bool) -> Fetched:
        """Note that `keeper` did not serve a chunk, and put it back at the head of the queue.

        The keeper is given up at once when `fatal` (it does not hold the version, or its replica is
        bad), otherwise after three failures in a row.
        """
        started = self._land(keeper, chunk)
        if chunk.index in self._done:
            return self._log(Fetched(keeper, chunk, started, now, "cancelled", reason))
        if chunk.index not in self._in_flight:
            self._waiting = {chunk.index: chunk, **self._waiting}
        self._failures[keeper] += 1
        if fatal or self._failures[keeper] >= MAX_FAILURES_PER_KEEPER:
            self._lost[keeper] = reason
        return self._log(Fetched(keeper, chunk, started, now, "failed", reason))

    def _land(self, keeper: str, chunk: Chunk) -> float:
        flight = self._in_flight.get(chunk.index)
        if flight is not None:
            others = tuple(other for other in flight.keepers if other != keeper)
            if others:
                self._in_flight[chunk.index] = InFlight(chunk, others, flight.since_s)
            else:
                del self._in_flight[chunk.index]
        return self._started.pop((keeper, chunk.index))

    def _log(self, fetched: Fetched) -> Fetched:
        self.requests.append(fetched)
        return fetched
