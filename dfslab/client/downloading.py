"""Carries out a parallel download: one worker thread a holder, all pulling from the core's machine.

A file of a single chunk is fetched by the thread that asks; the others come in when it is late, or has failed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dfslab.client.later import Later
from dfslab.client.progress import Progress
from dfslab.client.target import Target
from dfslab.core.blocks import Chunk, checksums_of
from dfslab.core.download import Download, Fetched
from dfslab.core.errors import BAD_REPLICA_ERRORS, DfsError, KeeperUnreachable, TargetUnwritable, TicketRefused
from dfslab.core.model import Holder, Location
from dfslab.core.patience import Patience
from dfslab.core.policies.chunk_scheduler import ChunkScheduler
from dfslab.core.retrieval import ends_a_holder
from dfslab.runtime.clock import Clock
from dfslab.runtime.data_client import Connection, DataClient, Range

TICKET_PATIENCE_S = 2.0
"""How long a keeper's refusal of the master's tickets may last: it may not have heard yet of a master that has just
started, which has heard of it."""
REST_S = 0.01
"""How often a worker with nothing to do looks whether a late chunk is worth hedging."""


@dataclass(frozen=True)
class Outcome:
    """How one try went: whole, or the reasons why each holder was given up."""

    whole: bool
    requests: tuple[Fetched, ...]
    lost: dict[str, str]


class Downloading:
    """One try to fetch one version from its holders.

    Parameters
    ----------
    later : Later
        Calls the other workers in when a single chunk is late.
    turn : int
        Which of the holders is asked for a single chunk: counting, so that all are.
    locate : callable
        Asks the master again, for new tickets: a download may outlast its first ones.
    on_fetched : callable
        Told of every request for a chunk when it has ended, on the worker's thread.
    on_bad : callable
        Told of a holder whose bytes fail their checksums, and how.
    """

    def __init__(
        self,
        location: Location,
        scheduler: ChunkScheduler,
        data: DataClient,
        clock: Clock,
        target: Target,
        later: Later,
        *,
        turn: int,
        locate: Callable[[], Location],
        on_fetched: Callable[[Fetched], None],
        on_bad: Callable[[str, str], None],
    ) -> None:
        self._version, self._holders = location.version, location.holders
        self._data, self._clock, self._target, self._later, self._turn = data, clock, target, later, turn
        self._locate, self._on_fetched, self._on_bad = locate, on_fetched, on_bad
        self._tickets = _tickets_of(location)
        names = [holder.keeper for holder in location.holders]
        self._machine = Download(location.version.size, location.version.block_size, names, scheduler)
        lock = threading.Lock()
        self._changed = threading.Condition(lock)  # for workers that have nothing to do
        self._news = threading.Condition(lock)  # for who called
        self._is_watched = False
        self._connections: dict[str, Connection] = {}
        self._workers: dict[str, threading.Thread] = {}
        self._cancelled = False
        self._error: BaseException | None = None

    def run(self, progress: Progress | None) -> Outcome:
        """Fetch every chunk; return when the file is whole or nobody is left to ask.

        Who calls sleeps until then, unless somebody wants to hear of the progress: a thread that wakes at every
        chunk, only to sleep again, takes the interpreter lock from those that move bytes.
        """
        self._is_watched = progress is not None
        try:
            if len(self._machine.chunks) == 1:
                self._fetch_here(self._holders[self._turn % len(self._holders)])
            self._start_workers(self._holders)
            self._watch(progress)
        finally:
            self._cancel()
            for worker in self._workers.values():
                worker.join()
        if self._error is not None:
            raise self._error
        return Outcome(self._machine.finished, tuple(self._machine.requests), self._machine.lost)

    def _fetch_here(self, holder: Holder) -> None:
        """Be the worker of one holder, once; meanwhile the others are called in if this takes long."""
        with self._changed:
            chunk = self._machine.next_chunk(holder.keeper, self._clock.now())
        if chunk is None:
            return
        others = [one for one in self._holders if one is not holder]
        call_off = self._later.act(lambda: self._call_in(others))
        try:
            self._fetch(holder, chunk)
        finally:
            call_off()

    def _call_in(self, holders: Sequence[Holder]) -> None:
        try:
            self._start_workers(holders)
        except RuntimeError as error:  # no thread could be started; run() raises it
            self._fail(error)

    def _start_workers(self, holders: Sequence[Holder]) -> None:
        """Start a thread for each of these holders that has none yet, unless there is nothing left to do."""
        with self._changed:
            for holder in holders:
                if self._over() or holder.keeper in self._workers:
                    continue
                worker = threading.Thread(
                    target=self._work, args=(holder,), name=f"download-{holder.keeper}", daemon=True
                )
                worker.start()
                self._workers[holder.keeper] = worker

    def _watch(self, progress: Progress | None) -> None:
        over = False
        while not over:
            with self._news:
                if not self._over():
                    self._news.wait(timeout=0.5)
                done, over = self._machine.done_bytes, self._over()
            if progress is not None:
                progress(done, self._version.size)

    def _tell(self) -> None:
        """Wake, with the lock in hand, those whom a change concerns."""
        self._changed.notify_all()
        if self._is_watched or self._over():
            self._news.notify_all()

    def _over(self) -> bool:
        return self._cancelled or self._machine.finished or self._machine.stuck or self._error is not None

    def _cancel(self) -> None:
        with self._changed:
            self._cancelled = True
            connections = list(self._connections.values())
            self._tell()
        for connection in connections:
            connection.abort()

    def _work(self, holder: Holder) -> None:
        try:
            while (chunk := self._next_chunk(holder.keeper)) is not None:
                self._fetch(holder, chunk)
        except BaseException as error:  # noqa: BLE001 - a worker's error is the download's: run() raises it
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = error
        self._cancel()

    def _next_chunk(self, keeper: str) -> Chunk | None:
        with self._changed:
            while not self._over() and keeper not in self._machine.lost:
                chunk = self._machine.next_chunk(keeper, self._clock.now())
                if chunk is not None:
                    return chunk
                self._changed.wait(REST_S)
            return None

    def _fetch(self, holder: Holder, chunk: Chunk) -> None:
        """Fetch a chunk; for a while, a ticket that is refused is replaced by a new one and shown again."""
        version = self._version
        wanted = Range(
            version.id,
            chunk.offset,
            chunk.length,
            version.block_size,
            checksums_of(version.checksums, chunk, version.block_size),
        )
        keeper = holder.keeper
        patience = Patience(TICKET_PATIENCE_S, pause_s=0.02, longest_s=0.2)
        while True:
            try:
                self._get(holder, chunk, wanted)
            except TargetUnwritable:
                raise
            except TicketRefused as error:
                pause_s = patience.next_pause(self._clock.now())
                if pause_s is not None and self._renew(keeper):
                    self._rest(pause_s)
                    continue
                self._failed(keeper, chunk, error, fatal=True)
            except DfsError as error:
                self._failed(keeper, chunk, error, fatal=ends_a_holder(error))
            else:
                self._arrived(keeper, chunk)
            return

    def _get(self, holder: Holder, chunk: Chunk, wanted: Range) -> None:
        keeper = holder.keeper
        self._data.get(
            keeper,
            holder.address,
            wanted,
            self._target.write,
            self._tickets[keeper],
            on_connection=lambda connection: self._use(keeper, chunk, connection),
        )

    def _rest(self, seconds: float) -> None:
        with self._changed:
            if not self._over():
                self._changed.wait(seconds)

    def _arrived(self, keeper: str, chunk: Chunk) -> None:
        with self._changed:
            self._connections.pop(keeper, None)
            fetched = self._machine.arrived(keeper, chunk, self._clock.now())
            whole = self._machine.finished
            self._tell()
        if whole:
            self._cancel()  # also the one that the calling thread may be waiting for
        self._on_fetched(fetched)

    def _use(self, keeper: str, chunk: Chunk, connection: Connection) -> None:
        """Note that the request goes out now, over this connection: it has had to wait for its turn."""
        with self._changed:
            if self._cancelled:
                raise KeeperUnreachable(keeper=keeper, reason="the download is over")
            self._machine.began(keeper, chunk, self._clock.now())
            self._connections[keeper] = connection

    def _renew(self, keeper: str) -> bool:
        """Take new tickets from the master; return False when it has none for this version on `keeper`."""
        try:
            location = self._locate()
        except DfsError:  # the ticket stays refused, and that is what the download fails with
            return False
        tickets = _tickets_of(location)
        if location.version.id != self._version.id or keeper not in tickets:
            return False
        self._tickets = self._tickets | tickets
        return True

    def _failed(self, keeper: str, chunk: Chunk, error: DfsError, *, fatal: bool) -> None:
        with self._changed:
            self._connections.pop(keeper, None)
            over = self._cancelled
            fetched = self._machine.failed(keeper, chunk, str(error), self._clock.now(), fatal=fatal)
            self._tell()
        self._on_fetched(fetched)
        if isinstance(error, BAD_REPLICA_ERRORS) and not over:
            self._on_bad(keeper, str(error))


def _tickets_of(location: Location) -> dict[str, bytes]:
    return {holder.keeper: holder.ticket for holder in location.holders}
