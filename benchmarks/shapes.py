"""The shapes of transfers that rows measure: the same steps for dfslab, the limit and the peer.

Everything but the transfers themselves is outside of the timed part: sources are made before, downloads
are compared with them byte by byte afterwards, and nothing is measured while an earlier upload is still
being copied in the background.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.raw import in_parallel
from benchmarks.systems import Client, Source, System, check_same, timed

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

    def up(self) -> float:
        """Upload; return MB/s, of all clients together. It is over when the last one is, and all background copies."""
        source = self._source()
        prefix = f"bench/{next(_numbers)}"
        self._names = [
            [f"{prefix}/{client}-{number}" for number in range(self._files)] for client in range(self._count)
        ]
        rate = self._run(lambda client, name: client.upload(source, name, self._copies))
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

    def _run(self, transfer: Callable[[Client, str], None]) -> float:
        clients = self._system().clients(self._count)
        self.seconds = [0.0] * self._count

        def work(number: int) -> None:
            started = time.perf_counter()
            for name in self._names[number]:
                transfer(clients[number], name)
            self.seconds[number] = time.perf_counter() - started

        took = timed(lambda: in_parallel([partial(work, number) for number in range(self._count)]))
        return self._count * self._files * size_of(self._source()) / 1e6 / took
