"""A data keeper in virtual time: the real core, a disk that forgets, calls and connections."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from dfslab.core.blocks import CHECKSUM_BYTES, block_count
from dfslab.core.errors import (
    BAD_REPLICA_ERRORS,
    BadReplica,
    CatalogFull,
    ChecksumMismatch,
    DfsError,
    NoSuchReplica,
    NotRecorded,
    StorageFailed,
)
from dfslab.core.keeper import Keeper, events, instructions
from dfslab.core.keeper.shelf import CHECKSUMS, DATA, DELETE, PUBLISH, Step, leftovers
from dfslab.core.master import events as told
from dfslab.core.master.instructions import CopyReplica, DropReplica
from dfslab.core.model import Address, Holder, Version
from dfslab.sim.disk import Disk
from dfslab.sim.loop import Process
from dfslab.sim.master import Surroundings
from dfslab.sim.network import Answer, End
from dfslab.sim.node import Life
from dfslab.sim.speaking import Speaking
from dfslab.sim.wire import Accepted, Get, Put, damage, first_bad_block, scan
from dfslab.sim.writing import Writer

BLOCKS_A_MESSAGE = 2
DISK_BYTES = 1 << 30


Watcher = Callable[["SimKeeper", str], None]


class SimKeeper(Speaking):
    """A data keeper of a simulation; its disk outlives it.

    Parameters
    ----------
    on_stored, on_delete : callable
        Told, with the keeper and the version, of a replica that has just been published, and of one whose
        data is about to be unlinked.
    """

    def __init__(
        self, around: Surroundings, number: int, rng: random.Random, on_stored: Watcher, on_delete: Watcher
    ) -> None:
        self._around, self._rng, self._on_stored, self._on_delete = around, rng, on_stored, on_delete
        self.name = f"keeper-{number}"
        self.address = Address(self.name, number)
        self.disk = Disk(random.Random(rng.getrandbits(64)))
        self.old_disk: dict[str, bytes] = {}
        self.life = Life(around.loop, self.name)
        self.life.end()
        self._boots = self._writers = 0
        self.core = self._new_core()

    @property
    def path(self) -> str:
        """Where its replicas are."""
        return f"/{self.name}"

    @property
    def free_bytes(self) -> int:
        """The room on its disk."""
        return 0 if self.disk.is_full else DISK_BYTES

    def _new_core(self) -> Keeper:
        options = self._around.options
        return Keeper(
            self.name,
            self.boot_id,
            scan(self.disk, self.path),
            heartbeat_interval_s=options.heartbeat_interval_s,
            heartbeat_timeout_s=options.heartbeat_timeout_s,
        )

    @property
    def boot_id(self) -> str:
        """What tells this life of its process from the others."""
        return f"{self.name}/{self._boots}"

    def boot(self) -> None:
        """Start its process, with what is on its disk."""
        self._boots += 1
        self.life = Life(self._around.loop, self.name)
        for name in leftovers(self.disk.names):
            self.disk.unlink(name)
        self.disk.failing_syncs = self.disk.sound_syncs = 0
        self.disk.sync_directory()  # a name that a killed process had just given may not be durable yet
        self.core = self._new_core()
        self._registrations = 0
        self._registering = False
        self._around.network.listen(self.life, self._serve, self._accept)
        self.life.start(self._beat())

    # -- the core, and its instructions -------------------------------------------------------

    def _decide(self, event: events.Event) -> list[instructions.Instruction]:
        self._around.count("core events")
        return self.core.handle(event, self._around.loop.now)

    def _handle(self, event: events.Event) -> Process:
        """Let the core decide, then do what it wants; return the master's answer to step 4."""
        todo = self._decide(event)
        answer = None
        for instruction in todo:
            answer = (yield from self._carry_out(instruction)) or answer
        return answer

    def _carry_out(self, instruction: instructions.Instruction) -> Process:
        match instruction:
            case instructions.Note(event):
                self._around.trace(event)
            case instructions.SendRegister():
                yield from self._register()
            case instructions.SendHeartbeat(incarnation, free_bytes):
                yield from self._heartbeat(incarnation, free_bytes)
            case instructions.SendStored(_, written, cause):
                return (yield from self._report_stored(written, cause))
            case instructions.SendCopyFailed(copy_id, reason, source_at_fault):
                yield from self._report(
                    lambda request: told.CopyFailed(
                        request, self.name, copy_id, reason, source_at_fault=source_at_fault
                    )
                )
            case instructions.Fetch(order):
                self.life.start(self._fetch(order))
            case instructions.DeleteReplica(version):
                yield from self._handle((yield from self._delete(version)))
            case instructions.SendDropped(version, incarnation):
                yield from self._report(lambda request: told.ReplicaDropped(request, self.name, incarnation, version))
            case instructions.SendBad(version, reason, cause):
                yield from self._report_own(version, reason, cause)
            case instructions.Scrub():
                self.life.start(self._scrub(instruction))
            case instructions.Stop():
                self._around.loop.after(0.0, self.life.end)
        return None

    def _delete(self, version: str) -> Process:
        for step in DELETE:
            yield self._around.network.latency()
            try:
                self._take_away(step, version)
            except OSError as error:
                return events.DeleteFailed(version, str(error), remains=version + DATA in self.disk.names)
        return events.ReplicaDeleted(version)

    def _take_away(self, step: Step, version: str) -> None:
        if step is Step.UNLINK_DATA:
            self._on_delete(self, version)
            self.disk.unlink(version + DATA)
        elif step is Step.UNLINK_CHECKSUMS:
            self.disk.unlink(version + CHECKSUMS)
        else:
            self.disk.sync_directory()

    # -- scrubbing ----------------------------------------------------------------------------

    def _scrub(self, order: instructions.Scrub) -> Process:
        """Read a replica again, as slowly as the rate says."""
        yield self._around.network.latency() + order.stored.size / (order.rate_mb_s * 1e6)
        problem = damage(self.disk, order.stored)
        if problem:
            yield from self._handle(events.ScrubFailed(order.number, problem))
        else:
            yield from self._handle(events.ScrubDone(order.number))

    # -- orders of the master -----------------------------------------------------------------

    def _serve(self, method: str, request: Any, answer: Answer) -> None:
        try:
            todo = self._decide(self._order_of(method, request))
        except DfsError as error:
            answer(error)
        else:
            self.life.start(self._obey(todo, answer))

    def _order_of(self, method: str, order: Any) -> events.Event:
        if isinstance(order, DropReplica):
            return events.DropOrdered(order.version, order.incarnation, order.cause)
        copy: CopyReplica = order
        if method == "offer":
            return events.SourceOrdered(copy.copy_id, copy.version.id, copy.target, copy.source_incarnation, copy.cause)
        return events.CopyOrdered(
            copy.copy_id,
            copy.version,
            copy.source,
            copy.source_data_address,
            copy.target_incarnation,
            copy.cause,
            copy.ticket,
            copy.awaited,
        )

    def _obey(self, todo: list[instructions.Instruction], answer: Answer) -> Process:
        for instruction in todo:
            yield from self._carry_out(instruction)
        answer(None)

    # -- writing ------------------------------------------------------------------------------

    def _create(self, version: str, size: int, block_size: int) -> Writer:
        self._writers += 1
        return Writer(self.disk, version, size, block_size, self._writers)

    def _commit(self, writer: Writer) -> Process:
        for step in PUBLISH:
            yield self._around.network.latency()
            try:
                writer.take(step)
            except OSError:
                writer.discard(step)
                raise
        self._on_stored(self, writer.version)
        (stored,) = [one for one in scan(self.disk, self.path) if one.version == writer.version]
        return stored

    def _write_failed(self, error: OSError) -> StorageFailed:
        return StorageFailed(keeper=self.name, reason=error.strerror or str(error))

    # -- the data port ------------------------------------------------------------------------

    def _accept(self, end: End) -> None:
        self.life.start(self._answer(end))

    def _answer(self, end: End) -> Process:
        """Serve one connection: requests until it breaks, or one of them fails."""
        stall_s = self._around.options.stall_timeout_s
        try:
            request = yield end.receive(stall_s)
            if isinstance(request, Get):
                yield from self._get(request, end)
            else:
                yield from self._put(request, end)
        except DfsError as error:
            end.send(error)
        end.hang_up()

    def _get(self, get: Get, end: End) -> Process:
        self._decide(events.GetRequested(get.version, get.offset, get.length, get.ticket))
        content = self.disk.read(get.version + DATA)
        if content is None:
            raise NoSuchReplica(keeper=self.name, version=get.version)
        yield from self._handle(events.ReplicaOpened(get.version, len(content)))
        if get.offset + get.length > len(content):
            reason = f"it has {len(content)} bytes, {get.offset + get.length} were asked for"
            raise BadReplica(keeper=self.name, version=get.version, reason=reason)
        end.send(Accepted())
        step = self._around.options.block_size * BLOCKS_A_MESSAGE
        for start in range(get.offset, get.offset + get.length, step):
            data = content[start : min(start + step, get.offset + get.length)]
            end.send(data, len(data))
            yield self._around.network.latency() / 10

    def _put(self, put: Put, end: End) -> Process:
        self._decide(events.PutRequested(put.version, put.size, put.block_size, self.free_bytes, put.ticket))
        try:
            written = yield from self._receive(put, end)
        except BaseException:
            if self.life.alive:
                self._decide(events.WriteAborted(put.version))
            raise
        answer = yield from self._handle(written)
        if answer is None or not answer.keep:
            reason = answer.reason if answer else "the master gave no answer"
            raise NotRecorded(keeper=self.name, version=put.version, reason=reason)
        end.send(Accepted())

    def _receive(self, put: Put, end: End) -> Process:
        stall_s = self._around.options.stall_timeout_s
        writer = None
        try:
            writer = self._create(put.version, put.size, put.block_size)
            end.send(Accepted())
            while len(writer.content) < put.size:
                writer.write((yield end.receive(stall_s)))
            checksums = yield end.receive(stall_s)
            bad = first_bad_block(writer.content, checksums, put.block_size)
            if bad is not None:
                raise ChecksumMismatch(where="the uploading client", block=bad)
            stored = yield from self._commit(writer)
        except OSError as error:
            if writer is not None:
                writer.abort()
            if isinstance(error, DfsError):
                raise
            raise self._write_failed(error) from None
        return events.ReplicaWritten(stored, put.block_size, checksums, cause=put.cause)

    # -- copies -------------------------------------------------------------------------------

    def _fetch(self, order: events.CopyOrdered) -> Process:
        try:
            outcome = yield from self._copy_from_source(order)
        except (DfsError, OSError) as error:
            if isinstance(error, BAD_REPLICA_ERRORS):
                yield from self._report_bad(order, str(error))
            own_disk = isinstance(error, StorageFailed) and error.fields["keeper"] == self.name
            outcome = events.FetchFailed(order.copy_id, order.version.id, str(error), source_at_fault=not own_disk)
        try:
            yield from self._handle(outcome)
        except (NotRecorded, CatalogFull):
            self._around.count("unheard reports")

    def _report_bad(self, order: events.CopyOrdered, reason: str) -> Process:
        yield from self._report(
            lambda request: told.BadReplica(request, order.source, order.version.id, reason, self.name)
        )

    def _copy_from_source(self, order: events.CopyOrdered) -> Process:
        version = order.version
        writer = None
        try:
            writer = self._create(version.id, version.size, version.block_size)
            if version.size:
                source = Holder(order.source, order.source_data_address, order.ticket)
                yield from fetch_range(self._around, self.life, source, version, 0, version.size, writer.write)
            stored = yield from self._commit(writer)
        except OSError as error:
            if writer is not None:
                writer.abort()
            if isinstance(error, DfsError):
                raise
            raise self._write_failed(error) from None
        return events.ReplicaWritten(
            stored, version.block_size, version.checksums, order.copy_id, order.cause, order.awaited
        )


def fetch_range(
    around: Surroundings,
    life: Life,
    holder: Holder,
    version: Version,
    offset: int,
    length: int,
    sink: Callable[[bytes], None],
) -> Process:
    """Fetch a run of whole blocks, check every one, and hand them to `sink` in order."""
    stall_s, block_size = around.options.stall_timeout_s, version.block_size
    end: End = yield around.network.connect(life, holder.keeper)
    try:
        end.send(Get(version.id, offset, length, holder.ticket))
        reply = yield end.receive(stall_s)
        if isinstance(reply, DfsError):
            raise reply
        done = 0
        while done < length:
            data: bytes = yield end.receive(stall_s)
            first = (offset + done) // block_size
            blocks = block_count(len(data), block_size)
            wanted = version.checksums[first * CHECKSUM_BYTES : (first + blocks) * CHECKSUM_BYTES]
            bad = first_bad_block(data, wanted, block_size)
            if bad is not None:
                raise ChecksumMismatch(where=holder.keeper, block=first + bad)
            sink(data)
            done += len(data)
    finally:
        end.hang_up()
