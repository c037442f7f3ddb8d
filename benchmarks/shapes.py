"""The shapes of transfers that rows measure: the same steps for dfslab, the limit and the peer.

Everything but the transfers themselves is outside of the timed part: sources are made before, downloads
are compared with them byte by byte afterwards, and nothing is measured while an earlier upload is still
being copied in the background.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import seaweed
from benchmarks.context import Context
from benchmarks.raw import in_parallel
from benchmarks.systems import (
    Client,
    Limit,
    Source,
    System,
    check_same,
    dfslab_started,
    limit_started,
    peer_started,
    settle,
    timed,
)
from benchmarks.table import Measure, Side

_numbers = itertools.count()


def size_of(source: Source) -> int:
    """Return a source's size in bytes."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size


class Trip:
    """Files on their way through a system: `up`, then `down` as often as one likes, and `remove`.

    Parameters
    ----------
    system : callable
        Gives the system; called when it is first needed.
    folder : Path
        Where downloads go.
    source : callable
        Gives what each file is; called when it is first needed.
    copies : int
        Durable copies that acknowledge an upload.
    files : int
        Files that each client transfers, one after the other.
    clients : int
        Clients that do so at the same time.

    Attributes
    ----------
    seconds : list of float
        What each client took in the last run.
    files_s : float
        Files a second of the last run, of all clients together.
    """

    def __init__(
        self,
        system: Callable[[], System],
        folder: Path,
        source: Callable[[], Source],
        *,
        copies: int,
        files: int = 1,
        clients: int = 1,
    ) -> None:
        self._system, self._folder, self._source, self._copies = system, folder, source, copies
        self._files, self._count = files, clients
        self._names: list[list[str]] = []
        self.seconds: list[float] = []
        self.files_s = 0.0

    def up(self) -> float:
        """Upload; return MB/s, of all clients together. It is over when the last one is, and all background copies."""
        source = self._source()
        prefix = f"bench/{next(_numbers)}"
        self._names = [
            [f"{prefix}/{client}-{number}" for number in range(self._files)] for client in range(self._count)
        ]
        rate = self._run(lambda client, name: client.upload(source, name, self._copies), self._copies)
        self._system().rest()
        return rate

    def down(self, holders: int = 3) -> float:
        """Download what was uploaded; return MB/s, of all clients together."""
        target = {name: self._folder / f"got-{name.replace('/', '-')}" for names in self._names for name in names}
        rate = self._run(lambda client, name: client.download(name, target[name], holders))
        for path in target.values():
            check_same(self._source(), path)
        return rate

    def remove(self) -> None:
        """Take the files away."""
        self._system().remove([name for names in self._names for name in names])

    def last(self, measure: Callable[[], float]) -> float:
        """Measure, and take the files away."""
        figure = measure()
        self.remove()
        return figure

    @property
    def fairness(self) -> float:
        """The rate of the slowest client of the last run over that of the fastest: they carried the same."""
        return min(self.seconds) / max(self.seconds)

    def _run(self, transfer: Callable[[Client, str], None], copies: int = 1) -> float:
        clients = self._system().clients(self._count)
        self.seconds = [0.0] * self._count

        def work(number: int) -> None:
            started = time.perf_counter()
            for name in self._names[number]:
                transfer(clients[number], name)
            self.seconds[number] = time.perf_counter() - started

        size = self._count * self._files * size_of(self._source())
        settle(self._folder, copies * size)
        took = timed(lambda: in_parallel([partial(work, number) for number in range(self._count)]))
        self.files_s = self._count * self._files / took
        return size / 1e6 / took


def by(trips: Mapping[Side, Trip], measure: Callable[[Trip], float]) -> dict[Side, Measure]:
    """Return the measures of a row: the same of each side's trip."""
    return {side: partial(measure, trip) for side, trip in trips.items()}


def up_and_gone(trip: Trip) -> float:
    """Upload, and take the files away."""
    return trip.last(trip.up)


def down_and_gone(trip: Trip) -> float:
    """Download, and take the files away."""
    return trip.last(trip.down)


@dataclass
class Systems:
    """What is measured, each started when it is first needed; without a peer where it is not installed."""

    context: Context
    dfslab: Callable[[], System] = field(init=False)
    processes: Callable[[], System] = field(init=False)
    limit: Callable[[], Limit] = field(init=False)
    peer: Callable[[], System] | None = field(init=False)

    def __post_init__(self) -> None:
        context = self.context
        self.dfslab = context.lazily(partial(dfslab_started, context.folder))
        self.processes = context.lazily(partial(dfslab_started, context.folder, "process"))
        self.limit = context.lazily(partial(limit_started, context.folder))
        has_peer = seaweed.program() is not None and not context.quick
        self.peer = context.lazily(peer_started) if has_peer else None

    def trips(self, source: Callable[[], Source], **keys: int) -> dict[Side, Trip]:
        """Return the same trip through each of them."""
        systems: dict[Side, Callable[[], System] | None] = {
            "dfslab": self.dfslab,
            "limit": self.limit,
            "peer": self.peer,
        }
        return {side: Trip(system, self.context.folder, source, **keys) for side, system in systems.items() if system}
