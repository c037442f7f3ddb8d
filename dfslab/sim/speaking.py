"""How a simulated keeper speaks to the master: it registers, beats, reports, and insists on step 4."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from dfslab.core.errors import DfsError, KeeperFenced, StaleIncarnation, WrongState
from dfslab.core.keeper import Keeper, events
from dfslab.core.keeper.insisting import UNANSWERED, GivenUp, Insistence
from dfslab.core.master import events as told
from dfslab.core.master.instructions import Recorded, Registered
from dfslab.core.model import Address
from dfslab.core.nodes import MASTER
from dfslab.core.tickets import MasterClock
from dfslab.sim.loop import Process

if TYPE_CHECKING:
    from dfslab.sim.master import Surroundings
    from dfslab.sim.node import Life


class Speaking(ABC):
    """The calls of a keeper; `SimKeeper` is what makes them."""

    _around: Surroundings
    _registrations: int
    _registering: bool
    name: str
    address: Address
    life: Life
    core: Keeper

    @property
    @abstractmethod
    def path(self) -> str:
        """Where its replicas are."""

    @property
    @abstractmethod
    def boot_id(self) -> str:
        """What tells this life of its process from the others."""

    @property
    @abstractmethod
    def free_bytes(self) -> int:
        """The room on its disk."""

    @abstractmethod
    def _handle(self, event: events.Event) -> Process:
        """Let the core decide, then do what it wants."""

    @property
    def _rpc_timeout_s(self) -> float:
        return max(1.0, self._around.options.heartbeat_timeout_s)

    def _call(self, make: Callable[[int], told.Event], timeout_s: float, *, repeatable: bool = True) -> Process:
        network = self._around.network
        return (yield network.call(self.life, MASTER, "event", make, timeout_s, repeatable=repeatable))

    def _beat(self) -> Process:
        while True:
            yield max(0.0, self.core.next_wake_s - self._around.loop.now) + 1e-6
            yield from self._handle(events.Tick(self.free_bytes))

    def _register(self) -> Process:
        while self._registering:  # one at a time, as behind the real node's lock
            yield 0.01
        self._registering = True
        self._registrations += 1
        sequence, report = self._registrations, self.core.replicas()
        try:
            reply: Registered = yield from self._call(
                lambda request: told.Register(
                    request,
                    self.name,
                    self.boot_id,
                    self.address,
                    self.address,
                    self.path,
                    self.free_bytes,
                    report,
                    sequence,
                ),
                self._rpc_timeout_s,
            )
        except (KeeperFenced, WrongState) as error:
            yield from self._handle(events.RegistrationRefused(str(error)))
        except DfsError as error:
            yield from self._handle(events.MasterSilent(str(error)))
        else:
            options = self._around.options
            answered = events.RegisterAnswered(
                reply.incarnation,
                clock=reply.clock,
                scrub_interval_s=options.scrub_interval_s,
                scrub_rate_mb_s=options.scrub_rate_mb_s,
            )
            yield from self._handle(answered)
        finally:
            self._registering = False

    def _heartbeat(self, incarnation: int, free_bytes: int) -> Process:
        options = self._around.options
        timeout_s = max(options.heartbeat_interval_s, options.heartbeat_timeout_s / 2)
        try:
            clock: MasterClock = yield from self._call(
                lambda request: told.Heartbeat(request, self.name, incarnation, free_bytes), timeout_s
            )
        except StaleIncarnation:
            yield from self._handle(events.RegistrationLapsed(incarnation))
        except DfsError as error:
            yield from self._handle(events.MasterSilent(str(error)))
        else:
            yield from self._handle(events.HeartbeatAnswered(clock))

    def _report(self, make: Callable[[int], told.Event]) -> Process:
        """Tell the master something once, and return whether it was heard; what gets lost, it finds out later."""
        try:
            yield from self._call(make, self._rpc_timeout_s, repeatable=False)
        except DfsError:
            self._around.count("unheard reports")
            return False
        return True

    def _report_own(self, version: str, reason: str, cause: str) -> Process:
        """Tell the master of a replica of this keeper's own that is bad."""
        heard = yield from self._report(
            lambda request: told.BadReplica(request, self.name, version, reason, self.name, cause)
        )
        if heard:
            yield from self._handle(events.BadHeard(version))

    def _report_stored(self, written: events.ReplicaWritten, cause: str) -> Process:
        stored = written.stored
        insistence = Insistence(self.name, stored.version, self._around.loop.now)
        while True:
            incarnation = self.core.incarnation
            try:
                answer: Recorded = yield from self._tell_stored(written, cause, incarnation)
                break
            except UNANSWERED as error:
                self._around.count("step 4 repeated")
                if isinstance(error, StaleIncarnation):
                    yield from self._handle(events.RegistrationLapsed(incarnation))
                next_step = insistence.failed(error, self._around.loop.now)
            if isinstance(next_step, GivenUp):
                yield from self._handle(next_step.event)
                raise next_step.error
            yield next_step
        yield from self._handle(events.StoredAnswered(stored.version, answer.keep, answer.reason))
        return answer

    def _tell_stored(self, written: events.ReplicaWritten, cause: str, incarnation: int) -> Process:
        stored = written.stored
        return (
            yield from self._call(
                lambda request: told.ReplicaStored(
                    request,
                    self.name,
                    incarnation,
                    stored.version,
                    stored.size,
                    written.block_size,
                    written.checksums,
                    stored.path,
                    self._around.loop.now,
                    written.copy_id,
                    cause,
                ),
                self._rpc_timeout_s,
            )
        )
