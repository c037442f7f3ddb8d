"""How many bytes moved when: the trace as throughput over time, in buckets of half a second."""

from __future__ import annotations

import math

from dfslab.core.trace import TraceEvent
from dfslab.views.pieces import KINDS, PieceFold

BUCKET_S = 0.5
KEPT = 7_200
"""Buckets kept for each kind of transfer: an hour."""


class Rates:
    """Bytes moved in each bucket, by kind of transfer; `PieceFold` says what moved from when to when."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[int, float]] = {kind: {} for kind in KINDS}
        self._pieces = PieceFold()

    def apply(self, event: TraceEvent) -> None:
        """Take in an event; kinds that tell of no bytes pass by."""
        piece = self._pieces.apply(event)
        if piece is not None:
            self._spread(*piece)

    def between(self, start_s: float, end_s: float, columns: int) -> tuple[list[float], dict[str, list[float]]]:
        """Return times and, for each kind, the mean rate in MB/s of each of at most `columns` stretches of time.

        The stretches are whole buckets, so that the same moment always falls into the same one.
        """
        step = max(1, math.ceil((end_s - start_s) / BUCKET_S / columns))
        first, last = math.floor(start_s / BUCKET_S / step), math.floor(end_s / BUCKET_S / step)
        times = [column * step * BUCKET_S for column in range(first, last + 1)]
        rates = {kind: [0.0] * len(times) for kind in KINDS}
        for kind, buckets in self.buckets.items():
            for bucket, count in buckets.items():
                if first <= bucket // step <= last:
                    rates[kind][bucket // step - first] += count / 1e6 / (step * BUCKET_S)
        return times, rates

    def _spread(self, kind: str, start_s: float, end_s: float, count: int) -> None:
        """Put `count` bytes into the buckets from `start_s` to `end_s`, each its share."""
        first, last = math.floor(start_s / BUCKET_S), math.floor(end_s / BUCKET_S)
        buckets = self.buckets[kind]
        for bucket in range(max(first, last - KEPT), last + 1):
            begins, ends = max(start_s, bucket * BUCKET_S), min(end_s, (bucket + 1) * BUCKET_S)
            share = (ends - begins) / (end_s - start_s) if end_s > start_s else 1.0
            buckets[bucket] = buckets.get(bucket, 0.0) + count * share
        for old in sorted(buckets)[: max(0, len(buckets) - KEPT)]:
            del buckets[old]
