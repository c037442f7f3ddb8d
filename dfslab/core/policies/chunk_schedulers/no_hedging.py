"""One queue of chunks for all keepers, and no chunk twice.

Pablo Rodriguez and Ernst Biersack, "Dynamic Parallel Access to Replicated Content in the Internet", IEEE/ACM
Transactions on Networking 10(4), 2002. Taken: a server is asked for the next block when it has served one. Left out:
that at the end those who are idle are asked for blocks that others are still serving.
"""

from __future__ import annotations

import math

from dfslab.core.policies.chunk_schedulers.work_stealing import WorkStealing


class NoHedging(WorkStealing):
    """One shared queue, and nothing is asked for twice: what a slow keeper has begun is waited for."""

    def __init__(self) -> None:
        super().__init__(hedge_factor=math.inf, first_hedge_s=math.inf)
