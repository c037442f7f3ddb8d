"""The master tracker as a real node: its core, its catalog, its gRPC server and the one thread that owns them."""

from __future__ import annotations

import contextlib
import queue
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfslab.core.errors import CatalogUnwritable, DfsError, MasterUnavailable
from dfslab.core.master import Master, events
from dfslab.core.master.instructions import (
    AppendCatalog,
    CatalogRecord,
    CopyReplica,
    DropReplica,
    Instruction,
    Note,
    Refuse,
    Reply,
)
from dfslab.core.model import Address
from dfslab.core.nodes import MASTER
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.trace import Kind, Tell, Tracer
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.catalog import Catalog
from dfslab.runtime.clock import Clock
from dfslab.runtime.dfs_pb2_grpc import DataKeeperStub, add_MasterTrackerServicer_to_server
from dfslab.runtime.gate import Gate, NodeDown
from dfslab.runtime.master_service import MasterService
from dfslab.runtime.network import Network
from dfslab.runtime.orders import ORDER_TIMEOUT_S, Order, Orders
from dfslab.runtime.processor import PROCESSOR
from dfslab.runtime.rpc import RpcClient, RpcServer
from dfslab.runtime.storage import DirectoryLock
from dfslab.runtime.tls import NodeTls
from dfslab.runtime.wire import address_to

RPC_WORKERS = 24
ORDER_WORKERS = 32
"""Threads at most that wait for keepers to take orders; one that says nothing holds its own for 5 s."""
REPLY_TIMEOUT_S = 10.0
MAX_BATCH = 256
WITHOUT_RECORDS = (events.BeginUpload, events.AwaitUpload, events.Heartbeat)
"""Events that lead to no record of the catalog, but for what was due anyway."""
NOBODY = 0
"""The request number of an event whose answer nobody waits for."""


@dataclass(frozen=True, kw_only=True)
class MasterSettings:
    """Where and how a master runs. Port 0 takes any free one."""

    directory: Path
    token: str
    options: Options
    policies: Policies
    host: str = "127.0.0.1"
    port: int = 0
    seed: int | None = None
    tls: NodeTls | None = None


class MasterNode:
    """A running master tracker.

    One thread owns the core: it takes the events that have come, lets the core decide on each,
    makes all their catalog records durable in one commit, and only then carries out the rest, the
    replies among it.

    Parameters
    ----------
    settings : MasterSettings
    clock : Clock
    trace : callable
        Takes lines of its trace, those of a batch together.
    network : Network, optional
        The emulated one that it is on; by default there is none between it and the real one.

    Raises
    ------
    PortTaken, DirectoryInUse, CatalogDamaged, CatalogUnwritable
        And nothing is left running.
    """

    name = MASTER

    def __init__(
        self,
        settings: MasterSettings,
        clock: Clock,
        trace: Tell,
        network: Network | None = None,
    ) -> None:
        self.settings, self._clock, self._trace = settings, clock, trace
        self.gate = Gate()
        self._nic = (network or Network()).nic(self.name, self.gate)
        self.lock = threading.Lock()
        self._boots = 0
        self._boot = secrets.token_hex(4)
        self._tracer = Tracer(self.name, f"{self._boot}r")
        self._events: queue.SimpleQueue[Sequence[events.Event] | None] = queue.SimpleQueue()
        self._waiting: dict[int, Future[Any]] = {}
        self._last_request = NOBODY
        self._request_lock = threading.Lock()
        self._keepers: dict[Address, RpcClient] = {}
        self._orders: dict[Address, Orders] = {}
        self._to_flush: dict[Orders, None] = {}
        self._order_threads = ThreadPoolExecutor(ORDER_WORKERS, thread_name_prefix="master-orders")
        self._next_tick = 0.0
        self._directory_lock = DirectoryLock(settings.directory)
        try:
            self._catalog = Catalog(settings.directory / "catalog.sqlite")
        except BaseException:
            self._directory_lock.release()
            raise
        try:
            self._load()
            self._rpc_server = RpcServer(
                lambda server: add_MasterTrackerServicer_to_server(MasterService(self), server),
                Address(settings.host, settings.port),
                settings.token,
                name=self.name,
                workers=RPC_WORKERS,
                tls=settings.tls,
            )
        except BaseException:
            self._catalog.close()
            self._directory_lock.release()
            raise
        self._thread = threading.Thread(target=self._run, name="master-owner", daemon=True)
        with PROCESSOR.together():
            self._thread.start()

    @property
    def address(self) -> Address:
        """Where its gRPC server listens."""
        return self._rpc_server.address

    @property
    def options(self) -> Options:
        """The cluster's settings, at its speed."""
        return self.settings.options

    def note_error(self, reason: str) -> None:
        """Put an error of this node's own in the trace; a dying node's are of no interest."""
        if not self.gate.is_cut:
            self._trace(self._tracer.event(Kind.NODE_ERROR, self._clock.now(), reason=reason))

    def now(self) -> float:
        """Return the seconds since the cluster started."""
        return self._clock.now()

    @property
    def core(self) -> Master:
        """The core; whoever asks it something holds `lock`."""
        return self._core

    # -- events in ----------------------------------------------------------------------------

    def ask(self, make_event: Callable[[int], events.Event], timeout_s: float = REPLY_TIMEOUT_S) -> Any:
        """Hand the core a request and return its answer, or raise the error that it answers with."""
        (answer,) = self.ask_all([make_event], timeout_s)
        if isinstance(answer, DfsError):
            raise answer
        return answer

    def ask_all(
        self, make_events: Sequence[Callable[[int], events.Event]], timeout_s: float = REPLY_TIMEOUT_S
    ) -> list[Any]:
        """Hand the core requests that came together, and return its answers; an error stands in an answer's place."""
        asked: dict[int, Future[Any]] = {}
        with self._request_lock:
            for _ in make_events:
                self._last_request += 1
                asked[self._last_request] = self._waiting[self._last_request] = Future()
        try:
            self.gate.check()  # a cut that comes later finds them among those who wait
            self._events.put([make_event(request) for make_event, request in zip(make_events, asked, strict=True)])
            deadline = time.monotonic() + timeout_s
            return [self._answer_of(future, deadline) for future in asked.values()]
        finally:
            with self._request_lock:
                for request in asked:
                    self._waiting.pop(request, None)

    def _answer_of(self, future: Future[Any], deadline: float) -> Any:
        try:
            return future.result(max(0.0, deadline - time.monotonic()))
        except DfsError as error:
            return error
        except TimeoutError:
            self.gate.check()
            return MasterUnavailable(address=str(self.address), reason="it is overloaded", definite=False)

    def post(self, event: events.Event) -> None:
        """Hand the core an event that nobody waits for."""
        self._events.put([event])

    # -- the owner thread ---------------------------------------------------------------------

    def _load(self, before: Master | None = None) -> None:
        """Make the core from the catalog: at the start, and when memory and catalog may differ.

        Who is alive is taken over from the core `before`, if that can be trusted.
        """
        self._boots += 1
        boot, key = f"{self._boot}.{self._boots}", self.settings.token.encode()
        self._core = Master(self.options, self.settings.policies, self._rng(), boot, key)
        self._carry_out_all(self._core.start(self._catalog.load(), self._clock.now(), before))

    def _rng(self) -> random.Random:
        """Return this life's chance: what a seed repeats is a cluster, never the ids that an earlier life gave."""
        seed, commits, again = self.settings.seed, self._catalog.commits, self._boots - 1
        if seed is None:
            return random.Random()
        return random.Random(f"{seed}/{commits}/{again}" if commits or again else seed)

    def _run(self) -> None:
        try:
            while True:
                batch = self._next_batch()
                self.gate.check()
                if batch is None:
                    return
                self._handle(batch)
        except NodeDown:
            return

    def _next_batch(self) -> list[events.Event] | None:
        """Return the events that have come, or a Tick when none comes before one is due; None at the end."""
        batch: list[events.Event] = []
        wait_s = max(0.0, self._next_tick - self._clock.now())
        try:
            while len(batch) < MAX_BATCH:
                came = self._events.get(timeout=wait_s) if wait_s else self._events.get_nowait()
                if came is None:
                    return None
                batch.extend(came)
                wait_s = 0.0
        except queue.Empty:
            pass
        if self._clock.now() >= self._next_tick:
            self._next_tick = self._clock.now() + self.options.tick_s
            if self._core.is_read_only and self._has_room():
                batch.append(events.WritesWork())
            batch.append(events.Tick())
        return batch

    def _has_room(self) -> bool:
        try:
            self._catalog.check_room()
        except CatalogUnwritable:
            return False  # the next tick looks again
        return True

    def _handle(self, batch: Sequence[events.Event]) -> None:
        """Answer first what waits for no commit: all that came before this batch is durable."""
        for part in _parted(batch):
            if part:
                self._handle_together(part)

    def _handle_together(self, batch: Sequence[events.Event]) -> None:
        with self.lock:
            try:
                todo = self._decide(batch)
            except NodeDown:
                raise
            except Exception as error:  # noqa: BLE001 - a bug of ours must not hang every caller: crash to the catalog
                self.note_error(f"{type(error).__name__}: {error}")
                reason = f"it met an error of its own ({error!r}) and started again from its catalog"
                self._fail(MasterUnavailable(address=str(self.address), reason=reason, definite=False))
                return
        self._carry_out_all(todo)

    def _carry_out_all(self, todo: Sequence[Instruction]) -> None:
        """Do what the core wants, beginning with the lines of the trace: they are written before anybody is answered.

        The records among it are durable already.
        """
        self._trace(*[one.event for one in todo if isinstance(one, Note)])
        for instruction in todo:
            try:
                self._carry_out(instruction)
            except NodeDown:
                raise
            except Exception as error:  # noqa: BLE001 - one order that fails must not end the thread that owns the core
                self.note_error(f"{type(instruction).__name__}: {type(error).__name__}: {error}")
        while self._to_flush:
            self._to_flush.popitem()[0].flush()

    def _decide(self, batch: Sequence[events.Event]) -> list[Instruction]:
        """Let the core decide on a batch and make it durable; where that fails, let it decide again, read-only."""
        todo = [one for event in batch for one in self._core.handle(event, self._clock.now())]
        try:
            self._append([record for one in todo if isinstance(one, AppendCatalog) for record in one.records])
            return todo
        except CatalogUnwritable as error:
            self._send_back_those_who_waited(batch, todo)
            self._load(before=self._core)
            refused = self._core.handle(events.WritesFailed(error), self._clock.now())
            return refused + [one for event in batch for one in self._core.handle(event, self._clock.now())]

    def _send_back_those_who_waited(self, batch: Sequence[events.Event], todo: Sequence[Instruction]) -> None:
        """Have those ask again whose answers, to earlier requests, hung on what did not become durable."""
        asked = {getattr(event, "request", NOBODY) for event in batch}
        error = MasterUnavailable(address=str(self.address), reason="it has gone back to its catalog")
        for instruction in todo:
            if isinstance(instruction, Reply | Refuse) and instruction.request not in asked:
                self._answer(instruction.request, error)

    def _append(self, records: Sequence[CatalogRecord]) -> None:
        if records:
            self.gate.check()
            self._catalog.append(records)
            self.gate.check()

    def _fail(self, error: DfsError) -> None:
        """Give everybody who waits this error, and go back to what the catalog has."""
        with self._request_lock:
            abandoned = list(self._waiting)
        for request in abandoned:
            self._answer(request, error)
        self._load()

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case Reply(request, value):
                self._answer(request, value)
            case Refuse(request, error):
                self._answer(request, error)
            case CopyReplica():
                self._order_copy(instruction)
            case DropReplica(version, keeper, address, incarnation, cause):
                order = pb.DropReplicaRequest(version=version, incarnation=incarnation, cause=cause)
                self._keeper(keeper, address).send("DropReplica", order, ORDER_TIMEOUT_S, _found_by_the_next_scan)

    def _answer(self, request: int, answer: object) -> None:
        with self._request_lock:
            future = self._waiting.get(request)
        if future is None or future.done():
            return
        with contextlib.suppress(InvalidStateError):  # whoever asked was sent away meanwhile
            if isinstance(answer, DfsError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _order_copy(self, copy: CopyReplica) -> None:
        offer = pb.OfferReplica(
            copy_id=copy.copy_id,
            version=copy.version.id,
            target=copy.target,
            incarnation=copy.source_incarnation,
            cause=copy.cause,
        )
        fetch = pb.FetchReplica(
            copy_id=copy.copy_id,
            version=copy.version.id,
            file_name=copy.version.name,
            size=copy.version.size,
            block_size=copy.version.block_size,
            checksums=copy.version.checksums,
            source=copy.source,
            source_data_address=address_to(copy.source_data_address),
            incarnation=copy.target_incarnation,
            cause=copy.cause,
            ticket=copy.ticket,
            awaited=copy.awaited,
        )

        def failed(source_at_fault: bool) -> Callable[[DfsError], None]:
            return lambda error: self.post(
                events.CopyFailed(NOBODY, "", copy.copy_id, str(error), source_at_fault=source_at_fault)
            )

        self._order(copy.source, copy.source_address, Order(offer, failed(True)))
        self._order(copy.target, copy.target_address, Order(fetch, failed(False)))

    def _order(self, keeper: str, address: Address, order: Order) -> None:
        """Have an order sent with the others of this batch that are for the same keeper."""
        orders = self._orders.get(address)
        if orders is None:
            orders = self._orders[address] = Orders(self._keeper(keeper, address), self._order_threads)
        orders.add(order)
        self._to_flush[orders] = None

    def _keeper(self, keeper: str, address: Address) -> RpcClient:
        client = self._keepers.get(address)
        if client is None:
            ca = self.settings.tls.ca if self.settings.tls else None
            client = RpcClient(DataKeeperStub, address, self.settings.token, self._nic, keeper=keeper, ca=ca)
            self._keepers[address] = client
        return client

    # -- the end ------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Hold every thread at its next step, as SIGSTOP would."""
        self.gate.freeze()

    def thaw(self) -> None:
        """Let every thread go on."""
        self.gate.thaw()

    def cut(self) -> None:
        """Crash: cut every link at once. Nothing is said to anybody."""
        self.gate.cut()
        self._rpc_server.cut()
        self._events.put(None)

    def join(self, timeout_s: float = 5.0) -> None:
        """After `cut`, wait until every thread is gone, then let the directory go."""
        with self._request_lock:
            waiting = list(self._waiting.values())
        for future in waiting:
            future.cancel()
        self._thread.join(timeout_s)
        self._order_threads.shutdown(wait=True)
        self._rpc_server.join(timeout_s)
        self._catalog.close()
        self._directory_lock.release()


def _parted(batch: Sequence[events.Event]) -> tuple[list[events.Event], list[events.Event]]:
    """Return those that make no record, and the others: they came together, so either may be first."""
    first: list[events.Event] = [event for event in batch if isinstance(event, WITHOUT_RECORDS)]
    return first, [event for event in batch if not isinstance(event, WITHOUT_RECORDS)]


def _found_by_the_next_scan(error: DfsError) -> None:
    """A drop that did not arrive is ordered again by the next scan, so its error needs no handling."""
