"""A client in virtual time: it carries out the core's upload and download machines, as the real one does."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from dfslab.core import download as downloading
from dfslab.core import retrieval
from dfslab.core import upload as uploading
from dfslab.core.blocks import Chunk
from dfslab.core.errors import BAD_REPLICA_ERRORS, DfsError, KeeperUnreachable, MasterUnavailable, TicketRefused
from dfslab.core.master import Master, events
from dfslab.core.master.instructions import Slot
from dfslab.core.model import Holder, Location, Version
from dfslab.core.nodes import MASTER
from dfslab.core.patience import Patience
from dfslab.core.policies.chunk_scheduler import ChunkScheduler
from dfslab.sim.keeper import BLOCKS_A_MESSAGE, fetch_range
from dfslab.sim.loop import Process, Promise
from dfslab.sim.master import QUESTION, Surroundings
from dfslab.sim.network import End
from dfslab.sim.node import Life
from dfslab.sim.wire import Put, checksums_of

CALL_TIMEOUT_S = 5.0
PATIENCE_S = 5.0
REST_S = 0.01


class SimClient:
    """A client of a simulation; each method is a process."""

    def __init__(self, around: Surroundings, name: str, rng: random.Random, scheduler: ChunkScheduler) -> None:
        self._around, self.name, self._rng, self._scheduler = around, name, rng, scheduler
        self.life = Life(around.loop, name)
        self.life.end()

    def boot(self) -> None:
        """Start its process."""
        self.life = Life(self._around.loop, self.name)

    # -- calls --------------------------------------------------------------------------------

    def _once(self, method: str, request: Any, timeout_s: float, *, repeatable: bool = True) -> Promise:
        return self._around.network.call(self.life, MASTER, method, request, timeout_s, repeatable=repeatable)

    def _ask(self, question: Callable[[Master], object]) -> Process:
        """Ask something that changes nothing, until it is answered."""
        loop = self._around.loop
        patience = Patience(PATIENCE_S, since=loop.now)
        while True:
            try:
                return (yield self._once(QUESTION, question, CALL_TIMEOUT_S))
            except MasterUnavailable:
                pause_s = patience.next_pause(loop.now)
                if pause_s is None:
                    raise
                yield pause_s

    def _change(self, make: Callable[[int], events.Event]) -> Process:
        """Have something changed: asked again only while it certainly has not arrived."""
        loop = self._around.loop
        patience = Patience(PATIENCE_S, since=loop.now)
        while True:
            try:
                return (yield self._once("event", make, CALL_TIMEOUT_S, repeatable=False))
            except MasterUnavailable as error:
                pause_s = patience.next_pause(loop.now)
                if not error.definite or pause_s is None:
                    raise
                yield pause_s

    def delete(self, name: str) -> Process:
        """Take a file away."""
        return (yield from self._change(lambda request: events.Delete(request, name)))

    def rename(self, old: str, new: str) -> Process:
        """Give a file another name."""
        return (yield from self._change(lambda request: events.Rename(request, old, new)))

    def stat(self, name: str) -> Process:
        """Return what is known of a file."""
        return (yield from self._ask(lambda master: master.stat(name)))

    # -- uploads ------------------------------------------------------------------------------

    def upload(self, name: str, content: bytes, ack_replicas: int, on_slot: Callable[[Slot], None]) -> Process:
        """Store a file; return its FileInfo, or raise what the machine fails with."""
        upload_id = f"{self._rng.getrandbits(64):016x}"
        machine = uploading.Upload(
            name,
            ack_replicas,
            ack_timeout_s=self._around.options.ack_timeout_s,
            master_timeout_s=PATIENCE_S,
        )
        action = machine.start()
        while True:
            self._around.count("core events")
            if isinstance(action, uploading.Finish):
                return action.info
            if isinstance(action, uploading.Fail):
                raise action.error
            event = yield from self._do(action, upload_id, name, content, ack_replicas, on_slot)
            action = machine.handle(event, self._around.loop.now)

    def _do(
        self,
        action: uploading.Action,
        upload_id: str,
        name: str,
        content: bytes,
        ack_replicas: int,
        on_slot: Callable[[Slot], None],
    ) -> Process:
        try:
            if isinstance(action, uploading.AskSlot):
                yield action.pause_s
                exclude = action.exclude
                slot = yield self._once(
                    "event",
                    lambda request: events.BeginUpload(
                        request, upload_id, name, len(content), ack_replicas, self.name, exclude
                    ),
                    CALL_TIMEOUT_S,
                )
                on_slot(slot)
                return uploading.SlotAnswered(slot)
            if isinstance(action, uploading.AskState):
                yield action.pause_s
                hold_s = action.hold_s
                state = yield self._once(
                    "event", lambda request: events.AwaitUpload(request, upload_id, hold_s), CALL_TIMEOUT_S
                )
                return uploading.StateAnswered(state)
        except DfsError as error:
            return uploading.MasterFailed(error, transient=isinstance(error, MasterUnavailable))
        assert isinstance(action, uploading.Send)
        try:
            yield from self._send(action, content)
        except DfsError as error:
            return uploading.SendFailed(error)
        return uploading.Sent()

    def _send(self, action: uploading.Send, content: bytes) -> Process:
        options = self._around.options
        stall_s, block_size = options.stall_timeout_s, options.block_size
        end: End = yield self._around.network.connect(self.life, action.keeper)
        try:
            end.send(Put(action.version, len(content), block_size, action.ticket))
            _raise_if_error((yield end.receive(stall_s)))
            step = block_size * BLOCKS_A_MESSAGE
            for start in range(0, len(content), step):
                data = content[start : start + step]
                end.send(data, len(data))
                yield self._around.network.latency() / 10
            end.send(checksums_of(content, block_size))
            try:
                reply = yield end.receive(stall_s + 15.0)
            except KeeperUnreachable as error:  # it has every byte, and may have stored them
                raise KeeperUnreachable(keeper=action.keeper, reason=error.fields["reason"], definite=False) from None
            _raise_if_error(reply)
        finally:
            end.hang_up()

    # -- downloads ----------------------------------------------------------------------------

    def download(self, name: str) -> Process:
        """Fetch a file; return its version and its bytes, or raise what the machine fails with."""
        machine = retrieval.Retrieval(name)
        action = machine.start()
        target = bytearray()
        while True:
            self._around.count("core events")
            if isinstance(action, retrieval.Finish):
                return action.version, bytes(target)
            if isinstance(action, retrieval.Fail):
                raise action.error
            event: retrieval.Event
            if isinstance(action, retrieval.Locate):
                try:
                    event = retrieval.Located((yield from self._locate(name)))
                except DfsError as error:
                    event = retrieval.LocateFailed(error)
            else:
                target = bytearray(action.location.version.size)
                event = yield from self._fetch_once(action.location, target)
            action = machine.handle(event)

    def _locate(self, name: str) -> Process:
        loop = self._around.loop
        return (yield from self._ask(lambda master: master.locate(name, loop.now)))

    def _fetch_once(self, location: Location, target: bytearray) -> Process:
        version = location.version
        names = [holder.keeper for holder in location.holders]
        machine = downloading.Download(version.size, version.block_size, names, self._scheduler)
        workers = [self.life.spawn(self._work(machine, holder, version, target)) for holder in location.holders]
        yield from workers
        return retrieval.TryEnded(machine.finished, machine.lost)

    def _work(self, machine: downloading.Download, holder: Holder, version: Version, target: bytearray) -> Process:
        loop = self._around.loop
        while not (machine.finished or machine.stuck or holder.keeper in machine.lost):
            self._around.count("core events")
            chunk = machine.next_chunk(holder.keeper, loop.now)
            if chunk is None:
                yield REST_S
                continue
            holder = yield from self._fetch_chunk(machine, holder, version, chunk, target)

    def _fetch_chunk(
        self, machine: downloading.Download, holder: Holder, version: Version, chunk: Chunk, target: bytearray
    ) -> Process:
        """Fetch one chunk, or not; return the holder with the ticket that is good for the next one."""
        loop, place = self._around.loop, chunk.offset

        def sink(data: bytes) -> None:
            nonlocal place
            target[place : place + len(data)] = data
            place += len(data)

        self._around.count("core events")
        try:
            yield from fetch_range(self._around, self.life, holder, version, chunk.offset, chunk.length, sink)
        except TicketRefused as error:
            renewed = yield from self._renewed(holder, version)
            machine.failed(holder.keeper, chunk, str(error), loop.now, fatal=renewed is None)
            return renewed or holder
        except DfsError as error:
            fatal = retrieval.ends_a_holder(error)
            machine.failed(holder.keeper, chunk, str(error), loop.now, fatal=fatal)
            if isinstance(error, BAD_REPLICA_ERRORS):
                yield from self._report_bad(holder.keeper, version.id, str(error))
        else:
            machine.arrived(holder.keeper, chunk, loop.now)
        return holder

    def _renewed(self, holder: Holder, version: Version) -> Process:
        """Return a holder with a new ticket of the master's; None when it has none for this version there."""
        self._around.count("tickets refused")
        try:
            location: Location = yield from self._locate(version.name)
        except DfsError:
            return None
        same = location.version.id == version.id
        return next((one for one in location.holders if same and one.keeper == holder.keeper), None)

    def _report_bad(self, keeper: str, version: str, reason: str) -> Process:
        try:
            yield self._once(
                "event",
                lambda request: events.BadReplica(request, keeper, version, reason, self.name),
                CALL_TIMEOUT_S,
            )
        except DfsError:
            self._around.count("unheard reports")


def _raise_if_error(reply: object) -> None:
    if isinstance(reply, DfsError):
        raise reply
