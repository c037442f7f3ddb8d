"""What the master answers in a second: stat, lookup (where a file is, as a download asks), list, beside bare gRPC.

The limit answers requests and replies of the same length from a server that looks at nothing (`benchmarks/echo.py`), in
the same process, from as many threads, each with a client of its own. dfslab's time includes what a user's call
does: the name checked, the reply made into the object that the caller gets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import dfslab
from benchmarks import echo
from benchmarks.context import Context
from benchmarks.raw import in_parallel
from benchmarks.systems import Dfslab, dfslab_started
from benchmarks.table import Row
from dfslab.core.model import Address
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.dfs_pb2_grpc import MasterTrackerStub
from dfslab.runtime.gate import Gate
from dfslab.runtime.network import Network
from dfslab.runtime.rpc import RpcClient

FILES = 100
FILE_BYTES = 1000
WINDOW_S = 1.0
WARM_UP_CALLS = 50
THREADS = (1, 8)
REQUESTS: dict[str, tuple[str, Any]] = {
    "stat": ("Stat", pb.StatRequest(name="file-000")),
    "lookup": ("Locate", pb.LocateRequest(name="file-000")),
    "list": ("List", pb.ListRequest()),
}


def rows(context: Context) -> list[Row]:
    """Return the rows of metadata."""
    ours = context.lazily(lambda: _filled(context))
    bare = context.lazily(echo.started)
    made = []
    for name, target in (("stat", 0.7), ("lookup", 0.7), (f"list of {FILES} files", None)):
        for threads in THREADS:
            shape = _Shape(ours, bare, name.split()[0], threads)
            made.append(
                Row(
                    name=f"{name}, {threads} client{'s' if threads > 1 else ''}",
                    unit="calls/s",
                    dfslab=shape.ours,
                    limit=shape.limit,
                    target_of_limit=target,
                    quick=name == "stat" and threads == 1,
                )
            )
    return made


@contextmanager
def _filled(context: Context) -> Iterator[Dfslab]:
    """Start a cluster with files in it, all of which have their copies."""
    with dfslab_started(context.folder) as system:
        for number in range(FILES):
            system.cluster.upload(bytes(FILE_BYTES), name=_name(number))
        system.rest()
        yield system


def _name(number: int) -> str:
    return f"file-{number:03}"


@dataclass(frozen=True)
class _Shape:
    """One kind of call from so many threads."""

    system: Callable[[], Dfslab]
    bare: Callable[[], echo.Echo]
    method: str
    threads: int

    def ours(self) -> float:
        """Return dfslab's calls a second."""
        cluster = self.system().cluster
        with ExitStack() as stack:
            clients = [
                stack.enter_context(dfslab.Client(cluster.address, token=cluster.token)) for _ in range(self.threads)
            ]
            return calls_per_s([self._call(client) for client in clients])

    def _call(self, client: dfslab.Client) -> Callable[[], object]:
        if self.method == "list":
            return client.list
        ask: Callable[[str], object] = client.stat if self.method == "stat" else client.locate
        numbers = iter(range(10**9))
        return lambda: ask(_name(next(numbers) % FILES))

    def limit(self) -> float:
        """Return the bare server's calls a second, of as many bytes."""
        request, reply = self._bytes()
        return calls_per_s([self.bare().client(request, reply) for _ in range(self.threads)])

    def _bytes(self) -> tuple[int, int]:
        """Return the length of dfslab's request and reply, as they are on the wire."""
        cluster = self.system().cluster
        method, request = REQUESTS[self.method]
        nic = Network().nic("benchmark", Gate())
        master = RpcClient(MasterTrackerStub, Address.parse(cluster.address), cluster.token, nic)
        try:
            return request.ByteSize(), master.call(method, request, echo.DEADLINE_S).ByteSize()
        finally:
            master.close()


def calls_per_s(calls: list[Callable[[], object]]) -> float:
    """Return how many calls a second come back, each made again and again by a thread of its own."""
    made = [0] * len(calls)
    begun = threading.Barrier(len(calls))

    def work(place: int) -> None:
        call = calls[place]
        for _ in range(WARM_UP_CALLS):
            call()
        begun.wait()
        until = time.perf_counter() + WINDOW_S
        while time.perf_counter() < until:
            call()
            made[place] += 1

    in_parallel([partial(work, place) for place in range(len(calls))])
    return sum(made) / WINDOW_S
