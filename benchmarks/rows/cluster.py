"""What a cluster costs that does nothing: import, start and close, idle CPU; and by how much a transfer raises memory.

Each is measured in a new interpreter, so that no row pays for or gains by another. Beside the import stands that of
grpc alone, beside a start as many bare gRPC servers as there are nodes: what nobody can do without who speaks gRPC.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.context import Context
from benchmarks.table import Measure, Row

COUNTS = (6, 50, 200)
START_TARGET_S = {6: None, 50: None, 200: 2.0}
IDLE_S = 10.0
IDLE_TARGET = {6: None, 200: 25.0}
GIB = 1 << 30
MEMORY_TARGET_MIB = 32.0
LARGEST_S = 600


def rows(context: Context) -> list[Row]:
    """Return the rows of a cluster that does nothing, and of memory."""
    made = [Row(name="import dfslab", unit="s", better="lower", dfslab=_import("dfslab"), limit=_import("grpc"))]
    for count in COUNTS:
        both = _StartAndClose(count)
        row = Row(name="", unit="s", better="lower", together=f"start-{count}")
        bare = partial(_number, _BARE_SERVERS, count + 1)
        made += [
            replace(row, name=f"start(n={count})", dfslab=both.start, limit=bare, target=START_TARGET_S[count]),
            replace(row, name=f"close() of {count}", dfslab=both.close),
        ]
    for count, target in IDLE_TARGET.items():
        idle: Measure = partial(idle_percent, count, IDLE_S)
        made.append(
            Row(name=f"idle CPU of {count} keepers, of one core", unit="%", better="lower", dfslab=idle, target=target)
        )
    for way in ("upload", "download"):
        grown = _Grown(context, way)
        made += [
            Row(
                name=f"memory of {whose} above idle, {way} of 1 GiB",
                unit="MiB",
                better="lower",
                together=f"memory-{way}",
                dfslab=measure,
                target=MEMORY_TARGET_MIB,
            )
            for whose, measure in (("a client", grown.client), ("a keeper", grown.keeper))
        ]
    return made


def _import(module: str) -> Measure:
    code = f"import time; began = time.perf_counter(); import {module}; print(time.perf_counter() - began)"
    return lambda: _numbers(code)[0]


def _numbers(code: str, *arguments: object) -> list[float]:
    """Run a piece of Python in a new interpreter and return the numbers that it prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=LARGEST_S)
    return [float(word) for word in done.stdout.split()]


def _number(code: str, *arguments: object) -> float:
    return _numbers(code, *arguments)[0]


_START_AND_CLOSE = """
import sys, time, dfslab
began = time.perf_counter()
cluster = dfslab.cluster.start(int(sys.argv[1]))
ready = time.perf_counter()
cluster.upload(bytes(1_000_000), name="x", ack_replicas=3)
closing = time.perf_counter()
cluster.close()
print(ready - began, time.perf_counter() - closing)
"""

_BARE_SERVERS = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
import grpc
began = time.perf_counter()
servers = []
for _ in range(int(sys.argv[1])):
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_insecure_port("127.0.0.1:0")
    server.start()
    servers.append(server)
print(time.perf_counter() - began)
for server in servers:
    server.stop(0)
"""

_IDLE = """
import os, sys, time, dfslab
with dfslab.cluster.start(int(sys.argv[1])):
    time.sleep(3.0)
    before, began = os.times(), time.perf_counter()
    time.sleep(float(sys.argv[2]))
    after, seconds = os.times(), time.perf_counter() - began
    print(100 * (after.user + after.system - before.user - before.system) / seconds)
"""


def start_s(count: int) -> float:
    """Return the seconds of `start(count)` in a new interpreter."""
    return _number(_START_AND_CLOSE, count)


def idle_percent(count: int, seconds: float) -> float:
    """Return the share of one core, in percent, that a cluster of so many keepers uses while nobody does anything."""
    return _number(_IDLE, count, seconds)


class _StartAndClose:
    """A start whose close is a row of its own."""

    def __init__(self, count: int) -> None:
        self._count, self._close_s = count, 0.0

    def start(self) -> float:
        """Return the seconds of `start`."""
        start_s, self._close_s = _numbers(_START_AND_CLOSE, self._count)
        return start_s

    def close(self) -> float:
        """Return the seconds that its `close()` took, a file being there."""
        return self._close_s


_TRANSFER = """
import os, sys
from pathlib import Path
import dfslab

def memory_mib(pid, field):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024

def reset(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return memory_mib(pid, "VmRSS")

way, source, folder = sys.argv[1:4]
with dfslab.cluster.start(4, isolation="process", root=Path(folder) / "root") as cluster:
    cluster.upload(bytes(4 << 20), name="warm-up", ack_replicas=3)
    cluster.download("warm-up", Path(folder) / "warm-up")
    if way == "download":
        cluster.upload(source, name="large", ack_replicas=3)
    pids = [os.getpid(), *(cluster.pid(f"keeper-{number}") for number in range(1, 5))]
    before = [reset(pid) for pid in pids]
    if way == "upload":
        cluster.upload(source, name="large", ack_replicas=3)
    else:
        cluster.download("large", Path(folder) / "got")
    grown = [memory_mib(pid, "VmHWM") - idle for pid, idle in zip(pids, before)]
    print(grown[0], max(grown[1:]))
"""


class _Grown:
    """The peak memory of a transfer beyond what was used before it, of the client and of the keeper that grew most.

    They are processes of their own here, to be told apart. Both have moved a file before, as those have that
    are idle between transfers.
    """

    def __init__(self, context: Context, way: str) -> None:
        self._context, self._way, self._keeper_mib = context, way, 0.0

    def client(self) -> float:
        """Return the MiB of the client."""
        source: Callable[[], Path] = partial(self._context.file, GIB)
        with tempfile.TemporaryDirectory(dir=self._context.folder) as folder:
            client_mib, self._keeper_mib = _numbers(_TRANSFER, self._way, source(), folder)
        os.sync()
        return client_mib

    def keeper(self) -> float:
        """Return the MiB of the keeper, in the same transfer."""
        return self._keeper_mib
