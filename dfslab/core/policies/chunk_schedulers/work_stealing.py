"""One queue of chunks for all keepers, with a hedged tail.

Pablo Rodriguez and Ernst Biersack, "Dynamic Parallel Access to Replicated Content in the Internet", IEEE/ACM
Transactions on Networking 10(4), 2002: servers that are asked for a block whenever they have served one share the load
by their speed. Jeffrey Dean and Luiz André Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013, "Hedged
requests": what is late is asked for once more elsewhere, and the first answer is used. Taken: both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfslab.core.blocks import Chunk
    from dfslab.core.policies.chunk_scheduler import InFlight


class WorkStealing:
    """One shared queue, so that fast keepers serve more; the tail is hedged.

    When the queue is empty, an idle keeper takes a second copy of the chunk that has been under
    way longest, once that has taken `hedge_factor` times the mean, or `first_hedge_s` seconds while
    there is no mean yet. Whichever copy is whole first is used.
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
