"""How long it takes to import, start, close, notice a death and repair; what an idle cluster costs.

Run with `python -m benchmarks.startup`. The machine may be busy with other things, so two bare
things are measured beside: the import of grpc alone, and as many bare gRPC servers as nodes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent import futures
from pathlib import Path

import dfslab
from benchmarks.report import Figure, repeat, show
from dfslab.cluster import Cluster

RUNS = 7


def time_import(module: str) -> float:
    """Return the seconds that importing a module takes in a fresh interpreter."""
    code = f"import time; started = time.perf_counter(); import {module}; print(time.perf_counter() - started)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def time_first_start() -> float:
    """Return the seconds that the first `start(n=6)` takes in a fresh interpreter that has imported dfslab."""
    code = (
        "import time, dfslab; started = time.perf_counter(); cluster = dfslab.cluster.start(n=6)\n"
        "print(time.perf_counter() - started); cluster.close()"
    )
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def time_bare_servers(count: int) -> float:
    """Return the seconds that it takes to start so many gRPC servers that do nothing."""
    import grpc  # after dfslab, which sets how much it writes to stderr

    started = time.perf_counter()
    servers = []
    for _ in range(count):
        server = grpc.server(futures.ThreadPoolExecutor(1))
        server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
    seconds = time.perf_counter() - started
    for server in servers:
        server.stop(0).wait()
    return seconds


def time_start_and_close(n: int) -> tuple[float, float]:
    """Return the seconds of `start(n)` and of `close()` with a file in it."""
    started = time.perf_counter()
    cluster = dfslab.cluster.start(n, name="benchmark")
    ready = time.perf_counter()
    cluster.upload(bytes(1_000_000), name="x", ack_replicas=3)
    closing = time.perf_counter()
    cluster.close()
    return ready - started, time.perf_counter() - closing


def idle_cpu_percent(seconds: float = 10.0) -> float:
    """Return the share of one core that an idle cluster of 6 uses."""
    with dfslab.cluster.start(6, name="benchmark"):
        before = sum(os.times()[:2])
        time.sleep(seconds)
        return 100 * (sum(os.times()[:2]) - before) / seconds


def time_death_and_repair(video: Path) -> tuple[float, float]:
    """Return the seconds from a kill until the table says dead, and from there until the third copy is back."""
    with dfslab.cluster.start(6, name="benchmark") as cluster:
        info = cluster.upload(video, ack_replicas=3)
        victim = info.holders[0]
        killed = cluster.now_s
        cluster.kill(victim)
        cluster.wait_for_dead(victim)
        cluster.wait_for_replicas(info.name)
        died = event_time(cluster, "keeper_dead")
        return died - killed, event_time(cluster, "copy_done") - died


def event_time(cluster: Cluster, kind: str) -> float:
    """Return when the newest event of a kind happened, seconds since the start."""
    events = cluster.events()
    return float(events[events.kind == kind].time_s.iloc[-1])


def main() -> None:
    """Measure and print."""
    imports, bare_imports = [], []
    for _ in range(RUNS):
        imports.append(time_import("dfslab"))
        bare_imports.append(time_import("grpc"))
    sixes = [time_start_and_close(6) for _ in range(RUNS)]
    fifties = [time_start_and_close(50) for _ in range(5)]
    video = dfslab.samples.make_video(Path(os.environ.get("TMPDIR", "/tmp")) / f"dfslab-bench-{os.getpid()}.mp4", 64)
    try:
        deaths = [time_death_and_repair(video) for _ in range(3)]
    finally:
        video.unlink()
    show(
        "start and stop",
        [
            Figure("import dfslab", imports, "s", 0.3),
            Figure("  beside it: import grpc", bare_imports, "s"),
            Figure("start(n=6), the first in a new interpreter", repeat(RUNS, time_first_start), "s", 0.15),
            Figure("start(n=6)", [six[0] for six in sixes], "s", 0.15),
            Figure("  beside it: 7 bare gRPC servers", repeat(RUNS, lambda: time_bare_servers(7)), "s"),
            Figure("start(n=50)", [fifty[0] for fifty in fifties], "s", 1.0),
            Figure("  beside it: 51 bare gRPC servers", repeat(RUNS, lambda: time_bare_servers(51)), "s"),
            Figure("close() of 6", [six[1] for six in sixes], "s", 0.5),
            Figure("close() of 50", [fifty[1] for fifty in fifties], "s", 0.5),
            Figure("idle cluster of 6, share of one core", repeat(3, idle_cpu_percent), "%", 5.0),
            Figure("from kill to dead in the table", [death[0] for death in deaths], "s", 3.5),
            Figure("from dead to the third copy of 64 MB", [death[1] for death in deaths], "s", 1.0),
        ],
    )


if __name__ == "__main__":
    main()
