"""How many bytes moved when: what transfers told of their progress, as rates over time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dfslab.core.trace import Kind, TraceEvent

KINDS = ("upload", "download", "copy")


@dataclass
class Flow:
    """Pieces of one kind of transfer: `bytes[i]` moved evenly between `start_s[i]` and `end_s[i]`."""

    start_s: list[float] = field(default_factory=list)
    end_s: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)

    def add(self, start_s: float, end_s: float, count: int) -> None:
        """Add a piece; one that took no measurable time gets a microsecond."""
        self.start_s.append(min(start_s, end_s - 1e-6))
        self.end_s.append(end_s)
        self.bytes.append(count)

    def rates_mb_s(self, edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the mean rate between each two of the `edges` (seconds), in MB/s (10^6 bytes)."""
        if not self.bytes:
            return np.zeros(len(edges) - 1)
        starts, ends = np.array(self.start_s), np.array(self.end_s)
        rates = np.array(self.bytes) / 1e6 / (ends - starts)
        times = np.concatenate([starts, ends])
        order = np.argsort(times, kind="stable")
        times, rate = times[order], np.cumsum(np.concatenate([rates, -rates])[order])
        moved = np.concatenate([[0.0], np.cumsum(rate[:-1] * np.diff(times))])
        means: npt.NDArray[np.float64] = np.diff(np.interp(edges, times, moved)) / np.diff(edges)
        return means


def fold_flows(events: Iterable[TraceEvent]) -> dict[str, Flow]:
    """Return what moved, by the kind of transfer; what failed counts as far as its progress was told."""
    fold = _Fold()
    for event in events:
        if event.kind is Kind.CHUNK_FETCHED:
            fold.flows["download"].add(event.detail["start_s"], event.detail["end_s"], event.bytes)
        elif event.kind is Kind.UPLOAD_STARTED:
            fold.begin("upload", event.detail["transfer"], event)
        elif event.kind is Kind.COPY_STARTED:
            fold.begin("copy", event.detail["copy"], event)
        elif event.kind is Kind.PROGRESS:
            kind = "copy" if "copy" in event.detail else "upload"
            fold.go_on(kind, event.detail["copy" if kind == "copy" else "transfer"], event.time_s, event.bytes)
        elif event.kind is Kind.REPLICA_STORED:
            fold.stored(event)
    return fold.flows


class _Fold:
    def __init__(self) -> None:
        self.flows = {kind: Flow() for kind in KINDS}
        self._reached: dict[tuple[str, str], tuple[float, int]] = {}  # transfer -> when, and how many bytes by then
        self._upload_of: dict[str, str] = {}  # version -> transfer

    def begin(self, kind: str, transfer: str, event: TraceEvent) -> None:
        self._reached[kind, transfer] = event.time_s, 0
        if kind == "upload":
            self._upload_of[event.version] = transfer

    def go_on(self, kind: str, transfer: str, time_s: float, done: int) -> None:
        since, before = self._reached.get((kind, transfer), (math.nan, 0))
        if done > before and not math.isnan(since):
            self.flows[kind].add(since, time_s, done - before)
            self._reached[kind, transfer] = time_s, done

    def stored(self, event: TraceEvent) -> None:
        """Count the rest of a transfer whose replica is there."""
        copy = event.detail.get("copy", "")
        if copy:
            self.go_on("copy", copy, event.time_s, event.bytes)
        elif event.version in self._upload_of:
            self.go_on("upload", self._upload_of[event.version], event.time_s, event.bytes)
