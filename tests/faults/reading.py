"""Readers that can be sure whom they read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dfslab.core.blocks import Chunk
from dfslab.core.policies.chunk_scheduler import InFlight


class FirstFrom:
    """A chunk scheduler that asks one keeper alone for a while, so that what it serves is sure to be read.

    Parameters
    ----------
    keepers : str
        Whom; when each of them has failed, or after `patience_s`, the others serve.
    """

    def __init__(self, *keepers: str, patience_s: float = 2.0) -> None:
        self._keepers, self._patience_s = keepers, patience_s
        self._until: float | None = None

    def next_chunk(
        self,
        keeper: str,
        waiting: Sequence[Chunk],
        in_flight: Mapping[int, InFlight],
        chunk_s: float | None,
        now: float,
    ) -> Chunk | None:
        """Give the first chunk to whose turn it is."""
        self._until = now + self._patience_s if self._until is None else self._until
        if waiting and (keeper in self._keepers or now > self._until):
            return waiting[0]
        return None
