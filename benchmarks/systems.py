"""dfslab, the limit and the peer with one face, so that a row's shape is written once and is the same for all.

Nothing of a timed part is in here but the calls themselves: `upload` and `download` of a client.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Protocol

import dfslab
from benchmarks import raw, seaweed
from benchmarks.raw import in_parallel
from dfslab.cluster import Cluster

Source = Path | bytes
WAIT_S = 300.0
DELETERS = 8
BLOCK_BYTES = 1 << 20
MOST_WARMED_BYTES = 2 << 30


class Client(Protocol):
    """One user. One transfer at a time."""

    def upload(self, source: Source, name: str, copies: int) -> None:
        """Store a file; return when so many copies are acknowledged."""

    def download(self, name: str, to: Path, holders: int) -> None:
        """Fetch a file that is there from so many of its holders, checked, into a new file."""


class System(Protocol):
    """A running file system."""

    def clients(self, count: int) -> list[Client]:
        """Return so many users, the same ones each time."""

    def rest(self) -> None:
        """Return when nothing that earlier transfers left to do goes on in the background."""

    def remove(self, names: list[str]) -> None:
        """Take files away, and return when they are off the disks."""


class Dfslab:
    """A cluster of 6 keepers, its master, and clients of this process, over the public interface."""

    def __init__(self, cluster: Cluster, stack: ExitStack) -> None:
        self.cluster = cluster
        self._stack = stack
        self._clients: list[DfslabClient] = []

    def clients(self, count: int) -> list[Client]:
        """Return so many users, the same ones each time."""
        while len(self._clients) < count:
            client = dfslab.Client(self.cluster.address, token=self.cluster.token)
            self._clients.append(DfslabClient(self._stack.enter_context(client)))
        return [*self._clients[:count]]

    def rest(self) -> None:
        """Wait until every file has all its copies."""
        self.cluster.wait_for_replicas(timeout_s=WAIT_S)

    def remove(self, names: list[str]) -> None:
        """Delete files, and wait until the last replica is unlinked, so that this is not in the next one's time."""
        table = self.cluster.lookup_table()
        paths = [Path(path) for path in table[table.file_name.isin(names)].file_path]
        in_parallel([partial(self._delete, names[first::DELETERS]) for first in range(DELETERS)])
        _wait(lambda: not any(path.exists() for path in paths), "deleted replicas are off the disks")

    def _delete(self, names: Sequence[str]) -> None:
        for name in names:
            self.cluster.delete(name)


class DfslabClient:
    """A `dfslab.Client`."""

    def __init__(self, client: dfslab.Client) -> None:
        self._client = client

    def upload(self, source: Source, name: str, copies: int) -> None:
        """Store a file."""
        self._client.upload(source, name=name, ack_replicas=copies)

    def download(self, name: str, to: Path, holders: int) -> None:
        """Fetch a file."""
        self._client.download(name, to, holders=holders)


class Limit:
    """The bare baseline; `chained` says how its copies travel."""

    def __init__(self, cluster: raw.RawCluster, *, chained: bool = False) -> None:
        self._cluster = cluster
        self.chained = chained
        self._clients: list[LimitClient] = []
        self.numbers = itertools.count()
        self.stored: dict[str, raw.Stored] = {}

    def clients(self, count: int) -> list[Client]:
        """Return so many users, the same ones each time."""
        while len(self._clients) < count:
            self._clients.append(LimitClient(self, self._cluster.client()))
        return [*self._clients[:count]]

    def rest(self) -> None:
        """Nothing goes on in the background."""

    def remove(self, names: list[str]) -> None:
        """Unlink files."""
        for name in names:
            stored = self.stored.pop(name)
            for holder in stored.holders:
                holder.delete(stored.number)


class LimitClient:
    """A `raw.RawClient`."""

    def __init__(self, limit: Limit, client: raw.RawClient) -> None:
        self._limit, self._client = limit, client

    def upload(self, source: Source, name: str, copies: int) -> None:
        """Store a file."""
        number, chained = next(self._limit.numbers), self._limit.chained
        self._limit.stored[name] = self._client.upload(source, number, copies=copies, chained=chained)

    def download(self, name: str, to: Path, holders: int) -> None:
        """Fetch a file."""
        self._client.download(self._limit.stored[name], to, holders=holders)


class Peer:
    """SeaweedFS."""

    def __init__(self, running: seaweed.Seaweed) -> None:
        self._running = running
        self._clients: list[PeerClient] = []

    def clients(self, count: int) -> list[Client]:
        """Return so many users, the same ones each time."""
        while len(self._clients) < count:
            self._clients.append(PeerClient(self._running.client()))
        return [*self._clients[:count]]

    def rest(self) -> None:
        """Its copies are made before an upload is answered."""

    def remove(self, names: list[str]) -> None:
        """Delete files, and give their space back."""
        self.clients(1)
        for name in names:
            self._clients[0].filer.delete(name)
        self._running.reclaim()


class PeerClient:
    """A connection to the filer."""

    def __init__(self, filer: seaweed.SeaweedFiler) -> None:
        self.filer = filer

    def upload(self, source: Source, name: str, copies: int) -> None:
        """Store a file with one copy or three: replication 000 or 002."""
        self.filer.upload(source, name, replication=f"00{copies - 1}")

    def download(self, name: str, to: Path, holders: int) -> None:
        """Fetch a file; where from is the filer's business."""
        self.filer.download(name, to)


@contextlib.contextmanager
def dfslab_started(folder: Path, isolation: str = "thread") -> Iterator[Dfslab]:
    """Start a cluster of 6 keepers, its files in a new folder in this one."""
    with ExitStack() as stack:
        root = stack.enter_context(tempfile.TemporaryDirectory(dir=folder))
        cluster = dfslab.cluster.start(6, name=f"benchmark-{isolation}", root=root, isolation=isolation)
        yield Dfslab(stack.enter_context(cluster), stack)


@contextlib.contextmanager
def limit_started(folder: Path) -> Iterator[Limit]:
    """Start the baseline with 6 keepers, its files in a new folder in this one."""
    with tempfile.TemporaryDirectory(dir=folder) as name, raw.started(Path(name) / "raw") as cluster:
        yield Limit(cluster)


@contextlib.contextmanager
def peer_started() -> Iterator[Peer]:
    """Start SeaweedFS."""
    with seaweed.started() as running:
        yield Peer(running)


def settle(folder: Path, needed_bytes: int = 0) -> None:
    """Have the machine in the same state before each timed part, whoever came before."""
    with settled(folder, needed_bytes):
        pass


@contextlib.contextmanager
def settled(folder: Path, needed_bytes: int = 0) -> Iterator[None]:
    """Have the machine in the same state, and keep it so until the block ends: a timed part begins soon after.

    Nothing is left to write to the disk: otherwise an fsync would wait for bytes of whoever did not sync them, as
    SeaweedFS does not. And the page cache gets the memory that is needed at its usual price: a virtual machine
    hands memory that lies free for two seconds back to its host, and to get a page again costs ten times a
    write to it. A transfer of 256 MiB was three times slower for it, when another's files kept what was at hand.
    Anonymous memory would not do: it is of smaller pieces than those that a file's writes are given.
    """
    os.sync()
    warmed = min(needed_bytes, MOST_WARMED_BYTES, _available_bytes() // 10)  # less than what the kernel begins to write
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        block = bytes(BLOCK_BYTES)
        for _ in range(0, warmed, BLOCK_BYTES):
            file.write(block)
        yield


def _available_bytes() -> int:
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text("ascii").splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


def timed(transfer: Callable[[], object]) -> float:
    """Return the seconds of a transfer; `settle` comes before."""
    started = time.perf_counter()
    transfer()
    return time.perf_counter() - started


def check_same(source: Source, got: Path) -> None:
    """Raise when a download is not what was uploaded, byte by byte; and take the download away."""
    with got.open("rb") as ours, _opened(source) as theirs:
        while True:
            block = theirs.read(BLOCK_BYTES)
            if block != ours.read(BLOCK_BYTES):
                raise AssertionError(f"{got.name}: the download is not what was uploaded")
            if not block:
                break
    got.unlink()


def _opened(source: Source) -> contextlib.AbstractContextManager[io.BufferedIOBase]:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _wait(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {WAIT_S:.0f} s it is not so that {what}")
        time.sleep(0.02)
