"""What emulated links make of a parallel download, beside what the formulas say: 1, 2 and 3 holders.

Run with `python -m benchmarks.links`. Every keeper has 20 MB/s; the client first has no limit, so that
rates add up, then 30 MB/s, where they flatten. Each figure is the median of alternating runs.
"""

from __future__ import annotations

import secrets
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import dfslab
from dfslab.cluster import Cluster
from dfslab.core.predict import Prediction, download_rate_mb_s

SIZE_BYTES = 64_000_000
RUNS = 5
KEEPER = dfslab.Link(rate_mb_s=20)
CLIENTS = (dfslab.Link(), dfslab.Link(rate_mb_s=30))
HOLDERS = (1, 2, 3)
TOLERANCE = 0.05


@dataclass
class Row:
    """Downloads from so many holders by a client with this link."""

    client: dfslab.Link
    holders: int
    rates_mb_s: list[float] = field(default_factory=list)

    @property
    def ideal_mb_s(self) -> float:
        """The narrower cut: all holders' rates together, or the client's."""
        together = self.holders * (KEEPER.rate_mb_s or 0.0)
        return min(together, self.client.rate_mb_s or together)

    @property
    def predicted(self) -> Prediction:
        """What the formula says, with its round trips and last chunks."""
        return download_rate_mb_s(SIZE_BYTES, [KEEPER] * self.holders, self.client)

    def line(self) -> str:
        """Return a line of the table."""
        median, predicted = statistics.median(self.rates_mb_s), self.predicted
        client = "no limit" if self.client.rate_mb_s is None else f"{self.client.rate_mb_s:g}"
        spread = f"{min(self.rates_mb_s):.1f}-{max(self.rates_mb_s):.1f}"
        formula = f"{predicted.low:.1f}-{predicted.high:.1f}"
        ratio = median / self.ideal_mb_s
        verdict = "ok" if abs(ratio - 1) <= TOLERANCE else "MISSED"
        return (
            f"{client:>9}{self.holders:>9}{median:>10.1f}{spread:>13}{self.ideal_mb_s:>9.0f}{formula:>13}"
            f"{ratio:>8.3f}  {verdict}"
        )


def measure(cluster: Cluster, rows: Sequence[Row]) -> None:
    """Download once for each row, in turn, so often."""
    for _ in range(RUNS):
        for row in rows:
            cluster.set_link("client", link=row.client)
            row.rates_mb_s.append(cluster.download("payload.mp4", holders=row.holders).throughput_mb_s)


def main() -> None:
    """Measure and print."""
    rows = [Row(client, holders) for client in CLIENTS for holders in HOLDERS]
    with dfslab.cluster.start(6, name="benchmark", link=KEEPER) as cluster:
        cluster.upload(secrets.token_bytes(SIZE_BYTES), name="payload.mp4", ack_replicas=3)
        measure(cluster, rows)
    print(f"parallel download of {SIZE_BYTES / 1e6:.0f} MB, keepers at {KEEPER.rate_mb_s:g} MB/s, {RUNS} runs each")
    print(f"{'client':>9}{'holders':>9}{'median':>10}{'spread':>13}{'ideal':>9}{'formula':>13}{'ratio':>8}   (MB/s)")
    for row in rows:
        print(row.line())


if __name__ == "__main__":
    main()
