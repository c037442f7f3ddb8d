"""How many bytes moved when: what transfers told of their progress, as rates over time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dfslab.core.trace import TraceEvent
from dfslab.views.pieces import KINDS, PieceFold


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
    """Return what moved, by the kind of transfer."""
    fold, flows = PieceFold(), {kind: Flow() for kind in KINDS}
    for event in events:
        piece = fold.apply(event)
        if piece is not None:
            flows[piece.kind].add(piece.start_s, piece.end_s, piece.bytes)
    return flows
