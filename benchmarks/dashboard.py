"""What a dashboard costs: the share of a core that its refresher takes, and the bytes that it sends to the browser.

The cost of looking is the CPU time of the refresher's own thread; bytes are those of the comm messages
that a kernel would publish, as JSON.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import comm
from comm.base_comm import BaseComm

import dfslab
from benchmarks.report import Figure, show
from dfslab.cluster import Cluster
from dfslab.views.dashboard.dashboard import Dashboard

SECONDS = 10.0
sent_bytes = 0


class CountingComm(BaseComm):
    """A comm that counts what it is given to send."""

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        """Count the message."""
        global sent_bytes
        sent_bytes += len(json.dumps({"data": data, "metadata": metadata, **keys}, default=str).encode())


comm.create_comm = CountingComm


class MeasuredDashboard(Dashboard):
    """A dashboard that adds up the CPU time of its looks."""

    cpu_s = 0.0
    longest_s = 0.0

    def _look(self, *, at_once: bool) -> None:
        """Look, and note what it took this thread."""
        before = time.thread_time()
        super()._look(at_once=at_once)
        took = time.thread_time() - before
        self.cpu_s += took
        self.longest_s = max(self.longest_s, took)


@contextmanager
def cluster_with(n: int, files: int) -> Iterator[Cluster]:
    """Start a cluster whose files are all fully replicated."""
    with dfslab.cluster.start(n, name="benchmark") as cluster:
        for number in range(files):
            cluster.upload(bytes(20_000), name=f"lecture/week-{number:03d}.mp4")
        cluster.wait_for_replicas()
        yield cluster


def nothing(cluster: Cluster, until: float) -> None:
    """Let the cluster be: heartbeats only."""
    threading.Event().wait(until - time.monotonic())


def work(cluster: Cluster, until: float) -> None:
    """Kill and restart a keeper, and transfer files all the time, as in a lively lesson."""
    number = 0
    while time.monotonic() < until:
        if number % 40 == 0:
            cluster.kill(1) if number % 80 == 0 else cluster.restart(1)
        cluster.upload(bytes(2_000_000), name=f"busy-{number % 10}.mp4")
        cluster.download(f"busy-{number % 10}.mp4")
        number += 1
        threading.Event().wait(0.1)


def measure(n: int, files: int, meanwhile: Callable[[Cluster, float], None]) -> tuple[float, float, float]:
    """Return the refresher's share of a core in percent, kB/s to the browser, and the longest look in ms."""
    with cluster_with(n, files) as cluster:
        from dfslab.lab.controls import ClusterControls

        dashboard = MeasuredDashboard(cluster._looking().source, ClusterControls(cluster))
        threading.Event().wait(1.0)
        cpu_s, bytes_before, dashboard.longest_s = dashboard.cpu_s, sent_bytes, 0.0
        began = time.monotonic()
        meanwhile(cluster, began + SECONDS)
        seconds = time.monotonic() - began
        share, rate = (dashboard.cpu_s - cpu_s) / seconds, (sent_bytes - bytes_before) / seconds
        dashboard.end("measured")
        return 100 * share, rate / 1e3, 1e3 * dashboard.longest_s


def main() -> None:
    """Measure and print."""
    cases = (
        ("6 keepers, 100 files, at rest", 6, 100, nothing),
        ("6 keepers, 100 files, busy", 6, 100, work),
        ("50 keepers, 100 files, at rest", 50, 100, nothing),
        ("50 keepers, 100 files, busy", 50, 100, work),
    )
    figures = []
    for name, n, files, meanwhile in cases:
        share, rate, longest = measure(n, files, meanwhile)
        limited = n == 6
        figures += [
            Figure(f"{name}: refresher", [share], "%", 10.0 if limited else None),
            Figure("  to the browser", [rate], "kB/s", 50.0 if limited else None),
            Figure("  longest look", [longest], "ms"),
        ]
    show("dashboard", figures)


if __name__ == "__main__":
    main()
