"""How many bytes moved when: the trace as throughput over time, in buckets of half a second."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from dfslab.core.trace import Kind, TraceEvent

BUCKET_S = 0.5
KEPT = 7_200
"""Buckets kept for each kind of transfer: an hour."""
KINDS = ("upload", "download", "copy")
MAX_OPEN = 1_000


class Rates:
    """Bytes moved in each bucket, by kind of transfer.

    Chunks of a download carry their own start and end. An upload and a copy tell of their progress,
    or, when they are over sooner, only of their beginning and end: what lies between two words is
    spread evenly over the time between them.
    """

    def __init__(self) -> None:
        self.buckets: dict[str, dict[int, float]] = {kind: {} for kind in KINDS}
        self._last: dict[tuple[str, str], tuple[float, int]] = {}  # kind, id -> when and how far at the last word

    def apply(self, event: TraceEvent) -> None:
        """Take in an event; kinds that tell of no bytes pass by."""
        step = _STEPS.get(event.kind)
        if step is not None:
            step(self, event)

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

    def _begin(self, kind: str, transfer: str, time_s: float) -> None:
        self._last[kind, transfer] = time_s, 0
        while len(self._last) > MAX_OPEN:  # transfers whose end never came into the trace
            del self._last[next(iter(self._last))]

    def _moved(self, kind: str, transfer: str, time_s: float, done: int, *, over: bool = False) -> None:
        last = self._last.pop((kind, transfer), None)
        if last is None:
            return
        self._spread(kind, last[0], max(time_s, last[0]), max(0, done - last[1]))
        if not over:
            self._last[kind, transfer] = time_s, done

    # -- what the kinds of events tell -------------------------------------------------------------

    def _chunk_fetched(self, event: TraceEvent) -> None:
        self._spread("download", event.detail["start_s"], event.detail["end_s"], event.bytes)

    def _upload_started(self, event: TraceEvent) -> None:
        self._begin("upload", event.version, event.time_s)

    def _copy_ordered(self, event: TraceEvent) -> None:
        self._begin("copy", event.detail["copy"], event.time_s)

    def _copy_started(self, event: TraceEvent) -> None:
        self._begin("copy", event.detail["copy"], event.time_s)

    def _progress(self, event: TraceEvent) -> None:
        kind, transfer = _copy_or_upload(event)
        self._moved(kind, transfer, event.time_s, event.bytes)

    def _replica_stored(self, event: TraceEvent) -> None:
        kind, transfer = _copy_or_upload(event)
        self._moved(kind, transfer, event.time_s, event.bytes, over=True)

    def _copy_done(self, event: TraceEvent) -> None:
        """The master's word, for keepers whose own lines are not in this trace."""
        self._moved("copy", event.detail["copy"], event.time_s, event.bytes, over=True)

    def _failed(self, event: TraceEvent) -> None:
        kind, transfer = _copy_or_upload(event)
        self._last.pop((kind, transfer), None)


def _copy_or_upload(event: TraceEvent) -> tuple[str, str]:
    copy = event.detail.get("copy", "")
    return ("copy", copy) if copy else ("upload", event.version)


_STEPS: Mapping[Kind, Callable[[Rates, TraceEvent], None]] = {
    Kind.CHUNK_FETCHED: Rates._chunk_fetched,
    Kind.UPLOAD_STARTED: Rates._upload_started,
    Kind.COPY_ORDERED: Rates._copy_ordered,
    Kind.COPY_STARTED: Rates._copy_started,
    Kind.PROGRESS: Rates._progress,
    Kind.REPLICA_STORED: Rates._replica_stored,
    Kind.COPY_DONE: Rates._copy_done,
    Kind.COPY_FAILED: Rates._failed,
    Kind.UPLOAD_RETRIED: Rates._failed,
    Kind.UPLOAD_FAILED: Rates._failed,
}
