"""A keeper dies: how fast its replicas are copied again, what downloads keep meanwhile, and how long files are short.

The time of a repair begins when the trace says that the keeper is dead, and ends when it says that the last
replica is stored. A round has two deaths in one cluster: one while nothing else goes on, and one beside a
client that downloads a file all the time, from three keepers that live. The limit copies as many bytes, in
as many files, between the five keepers that are left, several at a time, and beside such a client too.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks import raw
from benchmarks.context import Context
from benchmarks.systems import WAIT_S, Client, Limit, Source, check_same, dfslab_started, settled, timed
from benchmarks.table import Row
from dfslab.cluster import Cluster
from dfslab.core.trace import Kind

FILE_BYTES = 64_000_000
FILES = 32
"""Of 3 copies on 6 keepers: about 1 GB on each."""
STREAMS = 4
ALONE_S = 2.0
HELD_S = 2.5
NOTICED_S = 3.25
"""How long a death is not noticed: as long passes before the limit begins, and for most of it the memory is held."""
FOREGROUND = "foreground"
SMALL_FILES = 50
SMALL_BYTES = 64 * 1024


def rows(context: Context) -> list[Row]:
    """Return the rows of repair."""
    ours, bare = _OurRepairs(context), _BareRepairs(context)
    row = Row(name="", unit="MB/s", together="repair")
    alone = replace(row, name="repair of 1 GB", dfslab=ours.run, limit=bare.run, target_of_limit=0.8)
    beside = replace(row, name="repair of 1 GB beside downloads")
    kept = replace(row, name="downloads beside a repair, of their rate before", unit="ratio", target=0.6)
    return [
        alone,
        replace(beside, dfslab=lambda: ours.beside_mb_s, limit=lambda: bare.beside_mb_s),
        replace(kept, dfslab=lambda: ours.kept, limit=lambda: bare.kept),
        Row(
            name=f"from a kill to full replication, {SMALL_FILES} files of 64 KiB",
            unit="s",
            better="lower",
            dfslab=partial(_kill_to_replicated, context.folder),
            target=4.5,  # 3 to 3.5 s until a silent keeper counts as dead, and 1 s
        ),
    ]


@dataclass(frozen=True)
class Span:
    """A transfer: when it began and ended, seconds of the monotonic clock, and its bytes."""

    start_s: float
    end_s: float
    size: int

    @property
    def rate_mb_s(self) -> float:
        """Its rate, MB/s."""
        return self.size / 1e6 / (self.end_s - self.start_s)


def rate_mb_s(spans: Sequence[Span], start_s: float, end_s: float) -> float:
    """Return the MB/s of downloads within a window; one that reaches out of it counts by its part within."""
    inside = 0.0
    for span in spans:
        overlap = min(span.end_s, end_s) - max(span.start_s, start_s)
        if overlap > 0:
            inside += span.size * overlap / (span.end_s - span.start_s)
    return inside / 1e6 / (end_s - start_s)


@contextlib.contextmanager
def downloading(client: Client, name: str, source: Source, folder: Path) -> Iterator[list[Span]]:
    """Download a file over and over in a thread of its own; give the list that every download is added to."""
    spans: list[Span] = []
    ended, got = threading.Event(), folder / "beside"
    size = len(source) if isinstance(source, bytes) else source.stat().st_size

    def work() -> None:
        while not ended.is_set():
            started = time.monotonic()
            client.download(name, got, 3)
            spans.append(Span(started, time.monotonic(), size))

    with ThreadPoolExecutor(1) as pool:
        downloads = pool.submit(work)
        try:
            yield spans
        finally:
            ended.set()
        downloads.result()
    check_same(source, got)


@dataclass
class _Repairs:
    """What a round gives: `run` measures all of it, and returns the first figure."""

    context: Context
    beside_mb_s: float = 0.0
    kept: float = 0.0

    @property
    def source(self) -> Path:
        """What every file is."""
        return self.context.file(FILE_BYTES)

    def note(self, spans: Sequence[Span], began_s: float, repair: Span) -> None:
        """Keep the figures of a repair beside downloads, which had begun so much earlier."""
        self.beside_mb_s = repair.rate_mb_s
        before = rate_mb_s(spans, began_s, began_s + ALONE_S)
        self.kept = rate_mb_s(spans, repair.start_s, repair.end_s) / before


class _OurRepairs(_Repairs):
    """A cluster of its own for each round: after a repair the bytes are no longer spread evenly."""

    def run(self) -> float:
        """Fill a cluster, kill a keeper, and another one beside downloads; return the MB/s of the first repair."""
        with dfslab_started(self.context.folder) as system:
            (client,), cluster = system.clients(1), system.cluster
            for name in (FOREGROUND, *(f"repair/{number}" for number in range(FILES))):
                client.upload(self.source, name, 3)
            serving = cluster.stat(FOREGROUND).holders
            first, second, *_ = [keeper for keeper in cluster.keepers().keeper if keeper not in serving]
            alone = _kill_and_repair(cluster, first)
            began = time.monotonic()
            with downloading(client, FOREGROUND, self.source, self.context.folder) as spans:
                _let_pass(ALONE_S)
                repair = _kill_and_repair(cluster, second)
            self.note(spans, began, repair)
            return alone.rate_mb_s


class _BareRepairs(_Repairs):
    """Five keepers that are left, with two copies of each file that has lost its third."""

    def run(self) -> float:
        """Copy what a keeper has had, and once more beside downloads; return the MB/s of the first time."""
        folder = self.context.folder
        with tempfile.TemporaryDirectory(dir=folder) as name, raw.started(Path(name) / "raw", 5) as cluster:
            limit = Limit(cluster)
            (client,) = limit.clients(1)
            for number in range(FILES // 2):
                client.upload(self.source, f"repair/{number}", 2)
            copies = [
                (stored, stored.holders[0], cluster.keepers[(stored.number + 2) % len(cluster.keepers)])
                for stored in limit.stored.values()
            ]
            size = FILE_BYTES * len(copies)
            _wait_as_for_a_death(folder, size)
            seconds = timed(partial(cluster.copy, copies, STREAMS))
            for stored, _, target in copies:
                target.delete(stored.number)
            client.upload(self.source, FOREGROUND, 3)
            began = time.monotonic()
            with downloading(client, FOREGROUND, self.source, folder) as spans:
                _let_pass(ALONE_S)
                _wait_as_for_a_death(folder, size)
                started = time.monotonic()
                cluster.copy(copies, STREAMS)
                repair = Span(started, time.monotonic(), size)
            self.note(spans, began, repair)
            return size / 1e6 / seconds


def _wait_as_for_a_death(folder: Path, size: int) -> None:
    """Do what `_kill_and_repair` does until the repair begins."""
    with settled(folder, size):
        _let_pass(HELD_S)
    _let_pass(NOTICED_S - HELD_S)


def _let_pass(seconds: float) -> None:
    threading.Event().wait(seconds)


def _kill_and_repair(cluster: Cluster, victim: str) -> Span:
    """Kill a keeper, wait until every file has its copies again, and return when what was copied, by the trace."""
    with settled(cluster.root, FILE_BYTES * FILES // 2):
        cluster.kill(victim)
        _let_pass(HELD_S)
    cluster.wait_for_replicas(timeout_s=WAIT_S)
    events = list(cluster.trace)
    dead_s = max(event.time_s for event in events if event.kind is Kind.KEEPER_DEAD and event.peer == victim)
    copied = [event for event in events if event.kind is Kind.REPLICA_STORED and event.time_s > dead_s]
    to_monotonic = time.monotonic() - cluster.now_s
    last_s = max(event.time_s for event in copied)
    return Span(dead_s + to_monotonic, last_s + to_monotonic, sum(event.bytes or 0 for event in copied))


def _kill_to_replicated(folder: Path) -> float:
    """Return the seconds from a kill until small files have all their copies again: mostly, until it is noticed."""
    with dfslab_started(folder) as system:
        cluster = system.cluster
        for number in range(SMALL_FILES):
            cluster.upload(bytes(SMALL_BYTES), name=f"small/{number}", ack_replicas=3)
        started = time.perf_counter()
        cluster.kill(1)
        cluster.wait_for_replicas(timeout_s=WAIT_S)
        return time.perf_counter() - started
