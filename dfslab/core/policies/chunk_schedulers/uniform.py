"""Equal shares, dealt out before the first byte.

Pablo Rodriguez and Ernst Biersack, "Dynamic Parallel Access to Replicated Content in the Internet", IEEE/ACM
Transactions on Networking 10(4), 2002, compare shares that are fixed beforehand with blocks on demand. Taken: the fixed
shares, in their simplest form, all equal. The slowest keeper decides when the download is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dfslab.core.blocks import share_of

if TYPE_CHECKING:
    from dfslab.core.blocks import Chunk
    from dfslab.core.policies.chunk_scheduler import InFlight


class Uniform:
    """Each holder serves one piece of the file, all as long; who is done rests.

    When a holder fails, the whole file is dealt out anew to those that still serve.
    """

    def next_chunk(
        self,
        keeper: str,
        waiting: Sequence[Chunk],
        in_flight: Mapping[int, InFlight],
        chunk_s: float | None,
        now: float,
        holders: Sequence[str],
        size: int,
    ) -> Chunk | None:
        """Return the next chunk of the keeper's own share."""
        for chunk in waiting:
            if holders[share_of(chunk, size, len(holders))] == keeper:
                return chunk
        return None
