"""A data keeper as a real node: its core, its disk, its gRPC server, its data port and its threads."""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dfslab.core.errors import (
    BadToken,
    CatalogFull,
    DfsError,
    KeeperFenced,
    NotRecorded,
    ReplicaNotDeleted,
    StaleIncarnation,
    WrongCluster,
    WrongDirectory,
    WrongState,
)
from dfslab.core.keeper import Keeper, events, instructions
from dfslab.core.keeper.insisting import UNANSWERED, GivenUp, Insistence
from dfslab.core.keeper.keeper import Membership
from dfslab.core.model import Address, CheckedReplica
from dfslab.core.nodes import MASTER
from dfslab.core.tickets import MasterClock
from dfslab.core.trace import Kind, TraceEvent, Tracer
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import failpoints
from dfslab.runtime.clock import Clock
from dfslab.runtime.data_client import DataClient
from dfslab.runtime.data_server import DataServer
from dfslab.runtime.dfs_pb2_grpc import DataKeeperServicer, MasterTrackerStub, add_DataKeeperServicer_to_server
from dfslab.runtime.fetching import Fetching
from dfslab.runtime.gate import Gate, NodeDown
from dfslab.runtime.identity import Identity, read_keeper_identity, write_keeper_identity
from dfslab.runtime.network import Network
from dfslab.runtime.pacemaker import Pacemaker
from dfslab.runtime.processor import PROCESSOR
from dfslab.runtime.rpc import RpcClient, RpcServer, answers, refusal
from dfslab.runtime.scrubbing import Scrubbing
from dfslab.runtime.serving import Serving
from dfslab.runtime.storage import Storage, check_version
from dfslab.runtime.tls import NodeTls
from dfslab.runtime.together import Together
from dfslab.runtime.wire import address_from, error_from, error_to, ordered_version_from, stored_to

RPC_WORKERS = 8
FETCHES = 4
STRAYS_NAMED = 10
FIRST_REGISTRATION_S = 15.0
"""How long whoever starts a keeper waits for the master's answer: on a crowded machine, or a slow disk, a second passes
soon, and a cluster that could not be started has nobody who tries again.
"""


@dataclass(frozen=True, kw_only=True)
class KeeperSettings:
    """Where and how a keeper runs. Port 0 takes any free one; times are seconds."""

    name: str
    directory: Path
    master: Address
    token: str
    host: str = "127.0.0.1"
    advertise: str = ""
    port: int = 0
    data_port: int = 0
    heartbeat_interval_s: float = 1.0
    heartbeat_timeout_s: float = 3.0
    stall_timeout_s: float = 5.0
    tls: NodeTls | None = None


class KeeperNode(DataKeeperServicer):
    """A running data keeper.

    Parameters
    ----------
    settings : KeeperSettings
    clock : Clock
    trace : callable
        Takes each line of its trace.
    network : Network, optional
        The emulated one that it is on; by default there is none between it and the real one.
    pacemaker : Pacemaker, optional
        What wakes all keepers of this process; by default it has one of its own.

    Raises
    ------
    PortTaken, DirectoryInUse, WrongDirectory
        And nothing is left running.
    """

    def __init__(
        self,
        settings: KeeperSettings,
        clock: Clock,
        trace: Callable[[TraceEvent], None],
        network: Network | None = None,
        pacemaker: Pacemaker | None = None,
    ) -> None:
        self.settings, self.name, self._clock, self._trace = settings, settings.name, clock, trace
        self.boot = secrets.token_hex(4)
        self.gate = Gate()
        self._nic = (network or Network()).nic(self.name, self.gate)
        self.refused = ""
        self._tracer = Tracer(self.name, f"{self.boot}r")
        self._lock = threading.Lock()
        self._register_lock = threading.RLock()
        self._registrations = 0
        self._stop = threading.Event()
        self._scrubs = ThreadPoolExecutor(1, thread_name_prefix=f"{self.name}-scrub")
        self._scrub_waiters: dict[str, Future[list[dict[str, Any]]]] = {}
        self._pool = ThreadPoolExecutor(FETCHES, thread_name_prefix=f"{self.name}-fetch")
        self._beats = ThreadPoolExecutor(1, thread_name_prefix=f"{self.name}-beat")
        self._storage = Storage(settings.directory, self.name, self.gate)
        with contextlib.ExitStack() as undo:
            undo.callback(self._storage.close)
            self._identity = self._read_identity()
            self._core = Keeper(
                self.name,
                self.boot,
                self._storage.scan(),
                heartbeat_interval_s=settings.heartbeat_interval_s,
                heartbeat_timeout_s=settings.heartbeat_timeout_s,
                key=settings.token.encode(),
            )
            self._data_server = self._make_data_server()
            for step in (self._data_server.join, self._data_server.cut, self.gate.cut):  # undone from the last on
                undo.callback(step)
            self._rpc_server = self._make_rpc_server()
            undo.pop_all()
        ca = settings.tls.ca if settings.tls else None
        self._master = RpcClient(MasterTrackerStub, settings.master, settings.token, self._nic, ca=ca)
        self._stored = Together(self._send_stored, lambda told: len(told.checksums))
        self._data_client = DataClient(settings.token, settings.stall_timeout_s, self._nic, idle_per_address=1, ca=ca)
        self._fetching = self._make_fetching()
        self._scrubbing = Scrubbing(self._storage, self._pause)
        self._note_strays()
        self._has_own_pacemaker = pacemaker is None
        self._pacemaker = pacemaker or Pacemaker(clock.now)
        self._rest_until_s = 0.0
        longest_s = settings.heartbeat_timeout_s - settings.heartbeat_interval_s
        self._grid_s = min(settings.heartbeat_interval_s / 10, longest_s / 4)

    def _read_identity(self) -> Identity:
        directory = self._storage.directory
        try:
            return read_keeper_identity(directory)
        except ValueError:
            raise WrongDirectory(path=str(directory), owner="something else", wanted=self.name) from None

    def _make_data_server(self) -> DataServer:
        settings = self.settings
        return DataServer(
            Address(settings.host, settings.data_port),
            settings.token,
            self.gate,
            self._nic,
            Serving(self.name, self._storage, self.gate, self._handle).answer,
            name=self.name,
            stall_timeout_s=settings.stall_timeout_s,
            note_error=self.note_error,
            tls=settings.tls,
        )

    def _make_rpc_server(self) -> RpcServer:
        return RpcServer(
            lambda server: add_DataKeeperServicer_to_server(self, server),
            Address(self.settings.host, self.settings.port),
            self.settings.token,
            name=self.name,
            workers=RPC_WORKERS,
            tls=self.settings.tls,
        )

    def _make_fetching(self) -> Fetching:
        return Fetching(
            self.name,
            self._storage,
            self._data_client,
            self._clock.now,
            self._report_source,
            self._note_progress,
        )

    @property
    def address(self) -> Address:
        """Where its gRPC server listens."""
        return self._rpc_server.address

    @property
    def data_address(self) -> Address:
        """Where its data port listens."""
        return self._data_server.address

    @property
    def is_member(self) -> bool:
        """True while it is registered with the master."""
        return self._core.membership is Membership.MEMBER

    @property
    def incarnation(self) -> int:
        """The incarnation of its newest registration."""
        return self._core.incarnation

    def start(self) -> None:
        """Register, and begin to send heartbeats.

        Raises
        ------
        BadToken, MasterUnavailable, KeeperFenced, WrongState, WrongCluster
            The first registration failed; the keeper is not running.
        """
        with self._register_lock:
            timeout_s = max(FIRST_REGISTRATION_S, self._rpc_timeout_s)
            self._joined(self._master.call("Register", self._register_request(), timeout_s))
        self._pacemaker.add(self)

    def start_patiently(self) -> None:
        """Begin to send heartbeats and keep trying to register, also while there is no master yet."""
        self._pacemaker.add(self)

    @property
    def _rpc_timeout_s(self) -> float:
        return max(1.0, self.settings.heartbeat_timeout_s)

    @property
    def _heartbeat_rpc_timeout_s(self) -> float:
        """Short enough that a master which hears, but can't be heard, gets the next beat in time."""
        return max(self.settings.heartbeat_interval_s, self.settings.heartbeat_timeout_s / 2)

    def _note_strays(self) -> None:
        """Say once what lies among the replicas and is none of this keeper's: it is left alone."""
        strays = self._storage.strays
        if strays:
            now, names = self._clock.now(), strays[:STRAYS_NAMED]
            self._trace(self._tracer.event(Kind.STRAYS_FOUND, now, count=len(strays), names=names))

    def note_error(self, reason: str) -> None:
        """Put an error of this node's own in the trace; a dying node's are of no interest."""
        if not self.gate.is_cut:
            self._trace(self._tracer.event(Kind.NODE_ERROR, self._clock.now(), reason=reason))

    # -- the core, and its instructions -------------------------------------------------------

    def _handle(self, event: events.Event, at_s: float | None = None) -> pb.Recorded | None:
        """Let the core decide, then do what it wants, on this thread; return the master's answer to step 4."""
        with self._lock:
            todo = self._core.handle(event, self._clock.now() if at_s is None else at_s)
        answer = None
        for instruction in todo:
            answer = self._carry_out(instruction) or answer
        return answer

    def _carry_out(self, instruction: instructions.Instruction) -> pb.Recorded | None:
        match instruction:
            case instructions.Note(event):
                self._trace(event)
            case instructions.SendRegister():
                self._register()
            case instructions.SendHeartbeat(incarnation, free_bytes):
                self._heartbeat(incarnation, free_bytes)
            case instructions.SendStored(_, written, cause):
                return self._report_stored(written, cause)
            case instructions.SendCopyFailed(copy_id, reason, source_at_fault):
                self._report(
                    "CopyFailed",
                    pb.CopyFailedRequest(
                        keeper=self.name, copy_id=copy_id, reason=reason, source_at_fault=source_at_fault
                    ),
                )
            case instructions.Fetch(order):
                self._pool.submit(self._fetch, order)
            case instructions.DeleteReplica(version):
                self._handle(self._delete(version))
            case instructions.SendDropped(version, incarnation):
                dropped = pb.ReplicaDroppedRequest(keeper=self.name, incarnation=incarnation, version=version)
                self._report("ReplicaDropped", dropped)
            case instructions.SendBad(version, reason, cause):
                self._report_bad(version, reason, cause)
            case instructions.Scrub():
                self._scrubs.submit(self._scrub, instruction)
            case instructions.ScrubPassDone(asked, checked):
                self._tell_checked(asked, checked)
            case instructions.Stop(reason):
                self.refused = reason
                self._stop.set()
                self.gate.cut()
        return None

    def _delete(self, version: str) -> events.ReplicaDeleted | events.DeleteFailed:
        try:
            self._storage.delete(version)
        except ReplicaNotDeleted as error:
            return events.DeleteFailed(version, str(error), self._storage.remains(version))
        return events.ReplicaDeleted(version)

    # -- scrubbing ----------------------------------------------------------------------------

    def scrub_now(self) -> Future[list[dict[str, Any]]]:
        """Have every replica read again at once.

        Returns
        -------
        Future
            Done when all were read: of each, `version`, `bytes` and `problem`, which is empty for a good one.
            It ends in NodeDown when this node is killed before.

        Raises
        ------
        NotReady
            It is not registered with the master at the moment.
        """
        self.gate.check()
        who, future = secrets.token_hex(4), Future[list[dict[str, Any]]]()
        self._scrub_waiters[who] = future
        try:
            self._handle(events.ScrubNow(who))
        except BaseException:
            del self._scrub_waiters[who]
            raise
        return future

    def _scrub(self, order: instructions.Scrub) -> None:
        try:
            self._handle(self._judgement_of(order))
        except NodeDown:
            return
        except Exception as error:  # noqa: BLE001 - a pool would swallow it: it is traced
            self.note_error(f"{type(error).__name__}: {error}")

    def _judgement_of(self, order: instructions.Scrub) -> events.ScrubDone | events.ScrubFailed | events.ScrubBroken:
        try:
            return self._scrubbing.scrub(order)
        except NodeDown:
            raise
        except Exception as error:  # noqa: BLE001 - unforeseen: it is traced, and the pass goes on
            self.note_error(f"{type(error).__name__}: {error}")
            return events.ScrubBroken(order.number)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise NodeDown("this node was killed")
        self.gate.check()

    def _tell_checked(self, asked: tuple[str, ...], checked: tuple[CheckedReplica, ...]) -> None:
        for who in asked:
            self._scrub_waiters.pop(who).set_result([asdict(one) for one in checked])

    # -- talking to the master ----------------------------------------------------------------

    def next_wake_s(self) -> float:
        """Return when it is to be woken next: at the first moment, of those that all keepers share, when it is due.

        Two hundred keepers then wake the processor ten times a second, and the master takes what they say in batches.
        """
        return math.ceil(max(self._core.next_wake_s, self._rest_until_s) / self._grid_s) * self._grid_s

    def wake(self) -> bool:
        """Do what is due, most of all a heartbeat; return False when it was killed."""
        try:
            self.gate.check()
            self._handle(events.Tick(self._storage.free_bytes()), self._due_s())
        except NodeDown:
            return False
        except Exception as error:  # noqa: BLE001 - a keeper must not fall silent over one bad beat: it is traced
            self.note_error(f"{type(error).__name__}: {error}")
            self._rest_until_s = self._clock.now() + self.settings.heartbeat_interval_s
        return not self._stop.is_set()

    def _due_s(self) -> float:
        """Return the time of what is due: the wait for the shared moment must not put off all that follows."""
        due_s, now = self._core.next_wake_s, self._clock.now()
        return due_s if 0.0 <= now - due_s < 2 * self._grid_s else now

    def beat_now(self) -> Future[None]:
        """Send a heartbeat (or register) at once, on a thread of this node: whoever asks is not held by a freeze."""
        try:
            return self._beats.submit(self._speak)
        except RuntimeError:  # the pool was shut down
            raise NodeDown("this node was killed") from None

    def _speak(self) -> None:
        self.gate.check()
        self._handle(events.BeatNow(self._storage.free_bytes()))

    def _register_request(self) -> pb.RegisterRequest:
        """Return a registration with what is on the disk now, under the next number."""
        with self._lock:
            report = self._core.replicas()
        self._registrations += 1
        advertised = self.settings.advertise or self.settings.host
        return pb.RegisterRequest(
            keeper=self.name,
            boot=self.boot,
            address=pb.Address(host=advertised, port=self.address.port),
            data_address=pb.Address(host=advertised, port=self.data_address.port),
            directory=str(self._storage.directory),
            free_bytes=self._storage.free_bytes(),
            report=[stored_to(stored) for stored in report],
            sequence=self._registrations,
            cluster=self._identity.cluster,
            incarnation=self._identity.incarnation,
        )

    def _register(self) -> None:
        """Register; one at a time, so that no older report can reach the master after a newer one."""
        with self._register_lock:
            try:
                reply = self._master.call("Register", self._register_request(), self._rpc_timeout_s)
            except (KeeperFenced, WrongCluster, WrongState, BadToken) as error:
                self._handle(events.RegistrationRefused(str(error)))
            except DfsError as error:
                self._handle(events.MasterSilent(str(error)))
            else:
                self._joined(reply)

    def _joined(self, reply: pb.RegisterReply) -> None:
        """Remember the registration on the disk, then act on it; a disk that takes nothing still serves readers."""
        self._identity = Identity(self.name, reply.cluster or self._identity.cluster, reply.incarnation)
        try:
            write_keeper_identity(self._storage.directory, self._identity)
        except OSError as error:
            self.note_error(f"keeper.json could not be written: {error.strerror or error}; it is tried again next time")
        self._handle(_register_answered(reply))

    def _heartbeat(self, incarnation: int, free_bytes: int) -> None:
        request = pb.HeartbeatRequest(keeper=self.name, incarnation=incarnation, free_bytes=free_bytes)
        if self._nic.is_muted:
            self._handle(events.MasterSilent("its heartbeats get lost"))
            return
        try:
            reply = self._master.call("Heartbeat", request, self._heartbeat_rpc_timeout_s)
        except StaleIncarnation:
            self._handle(events.RegistrationLapsed(incarnation))
        except DfsError as error:
            self._handle(events.MasterSilent(str(error)))
        else:
            self._handle(events.HeartbeatAnswered(_clock_of(reply)))

    def _report(
        self,
        method: str,
        request: pb.CopyFailedRequest | pb.ReplicaDroppedRequest | pb.ReportBadReplicaRequest,
    ) -> bool:
        """Tell the master something once, and return whether it was heard; what gets lost, it finds out later."""
        try:
            self._master.call(method, request, self._rpc_timeout_s)
        except DfsError as error:
            self._note_unheard(method, error)
            return False
        return True

    def _report_bad(self, version: str, reason: str, cause: str) -> None:
        """Tell the master of a replica of this keeper's own that is bad."""
        request = pb.ReportBadReplicaRequest(
            keeper=self.name, version=version, reason=reason, reporter=self.name, cause=cause
        )
        if self._report("ReportBadReplica", request):
            self._handle(events.BadHeard(version))

    def _report_source(self, bad: pb.ReportBadReplicaRequest) -> None:
        """Tell the master of another keeper's replica that was not what it should be."""
        self._report("ReportBadReplica", bad)

    def _note_unheard(self, method: str, error: DfsError) -> None:
        self._trace(self._tracer.event(Kind.UNHEARD, self._clock.now(), peer=MASTER, call=method, reason=str(error)))

    def _report_stored(self, written: events.ReplicaWritten, cause: str) -> pb.Recorded:
        """Tell the master of a stored replica (step 4) until it answers; to be told twice does it no harm."""
        stored = written.stored
        told = pb.NewReplica(
            version=stored.version,
            size=stored.size,
            block_size=written.block_size,
            checksums=written.checksums,
            path=stored.path,
            copy_id=written.copy_id,
            cause=cause,
        )
        failpoints.hit("keeper.before-report")
        recorded = self._insist(told, Insistence(self.name, stored.version, self._clock.now()), hurries=written.awaited)
        self._handle(events.StoredAnswered(stored.version, recorded.keep, recorded.reason))
        return recorded

    def _insist(self, told: pb.NewReplica, insistence: Insistence, *, hurries: bool) -> pb.Recorded:
        while True:
            told.incarnation = self._core.incarnation
            try:
                return self._tell_stored(told, hurries=hurries)
            except UNANSWERED as error:
                if isinstance(error, StaleIncarnation):
                    self._handle(events.RegistrationLapsed(told.incarnation))
                next_step = insistence.failed(error, self._clock.now())
                if not isinstance(next_step, GivenUp) and self._stop.wait(next_step):
                    self.gate.check()
                    next_step = insistence.stopped(error)
            if isinstance(next_step, GivenUp):
                self.gate.check()
                self._handle(next_step.event)
                raise next_step.error

    def _tell_stored(self, told: pb.NewReplica, *, hurries: bool) -> pb.Recorded:
        """Tell of one replica, together with others that come meanwhile, unless a round trip may be long."""
        if self._nic.is_plain:
            return self._stored.call(told, hurries=hurries)
        (recorded,) = self._send_stored([told])
        if isinstance(recorded, DfsError):
            raise recorded
        return recorded

    def _send_stored(self, told: Sequence[pb.NewReplica]) -> list[pb.Recorded | DfsError]:
        request = pb.ReplicaStoredRequest(keeper=self.name, replicas=told)
        reply: pb.ReplicaStoredReply = self._master.call("ReplicaStored", request, self._rpc_timeout_s)
        master = str(self._master.address)
        return [error_from(one.error, master) if one.HasField("error") else one for one in reply.replicas]

    # -- orders of the master -----------------------------------------------------------------

    @answers
    def OrderCopies(self, request: pb.OrderCopiesRequest) -> pb.OrderCopiesReply:  # noqa: N802
        """Take this keeper's part in copies; each order is taken or refused by itself."""
        return pb.OrderCopiesReply(
            offers=[self._outcome_of_order(self._offer, order) for order in request.offers],
            fetches=[self._outcome_of_order(self._begin_fetch, order) for order in request.fetches],
        )

    def _outcome_of_order(self, obey: Callable[[Any], None], order: Any) -> pb.OrderOutcome:
        try:
            obey(order)
        except NodeDown:
            raise
        except Exception as error:  # noqa: BLE001 - it is this order's: it is named, traced and sent on
            return pb.OrderOutcome(error=error_to(refusal(self, error)))
        return pb.OrderOutcome()

    def _offer(self, order: pb.OfferReplica) -> None:
        """Say whether another keeper can fetch a version here."""
        self._handle(events.SourceOrdered(order.copy_id, order.version, order.target, order.incarnation, order.cause))

    def _begin_fetch(self, order: pb.FetchReplica) -> None:
        """Start to fetch a version from another keeper."""
        check_version(order.version)
        self._handle(
            events.CopyOrdered(
                order.copy_id,
                ordered_version_from(order),
                order.source,
                address_from(order.source_data_address),
                order.incarnation,
                order.cause,
                order.ticket,
                order.awaited,
            )
        )

    @answers
    def DropReplica(self, request: pb.DropReplicaRequest) -> pb.DropReplicaReply:  # noqa: N802
        """Delete a replica."""
        self._handle(events.DropOrdered(check_version(request.version), request.incarnation, request.cause))
        return pb.DropReplicaReply()

    def _fetch(self, order: events.CopyOrdered) -> None:
        try:
            self._handle(self._outcome_of(order))
        except NodeDown:
            return
        except (NotRecorded, CatalogFull) as error:  # the next registration, which it has asked for, reports the copy
            self._note_unheard("ReplicaStored", error)
        except Exception as error:  # noqa: BLE001 - a pool would swallow it: it is traced
            self.note_error(f"{type(error).__name__}: {error}")

    def _outcome_of(self, order: events.CopyOrdered) -> events.ReplicaWritten | events.FetchFailed:
        try:
            PROCESSOR.settle(order.version.size)
            return self._fetching.fetch(order)
        except NodeDown:
            raise
        except Exception as error:  # noqa: BLE001 - unforeseen: it is traced, and the version does not arrive for ever
            reason = f"{type(error).__name__}: {error}"
            self.note_error(reason)
            return events.FetchFailed(order.copy_id, order.version.id, reason, source_at_fault=False)

    def _note_progress(self, order: events.CopyOrdered, done: int) -> None:
        version = order.version
        self._trace(
            self._tracer.event(
                Kind.PROGRESS,
                self._clock.now(),
                file_name=version.name,
                version=version.id,
                peer=order.source,
                bytes=done,
                cause=order.cause,
                copy=order.copy_id,
                total=version.size,
            )
        )

    # -- the end ------------------------------------------------------------------------------

    def fill_disk(self, *, full: bool) -> None:
        """Have its disk take nothing more, or take files again."""
        self._storage.is_full = full

    def freeze(self) -> None:
        """Hold every thread at its next step, as SIGSTOP would."""
        self.gate.freeze()

    def thaw(self) -> None:
        """Let every thread go on."""
        self.gate.thaw()

    def cut(self) -> None:
        """Crash: cut every link at once. Nothing is said to anybody."""
        self._stop.set()
        self.gate.cut()
        self._data_server.cut()
        self._rpc_server.cut()

    def join(self, timeout_s: float = 5.0) -> None:
        """After `cut`, wait until every thread is gone, then let the directory go."""
        self._rpc_server.join(timeout_s)
        self._data_server.join()
        self._data_client.close()
        self._pacemaker.remove(self, timeout_s)
        if self._has_own_pacemaker:
            self._pacemaker.close()
        self._pool.shutdown(wait=True)
        self._beats.shutdown(wait=True)
        self._scrubs.shutdown(wait=True)
        while self._scrub_waiters:
            self._scrub_waiters.popitem()[1].set_exception(NodeDown("this node was killed"))
        self._storage.close()


def _register_answered(reply: pb.RegisterReply) -> events.RegisterAnswered:
    return events.RegisterAnswered(
        reply.incarnation,
        reply.heartbeat_interval_s,
        reply.heartbeat_timeout_s,
        _clock_of(reply),
        reply.scrub_interval_s or None,
        reply.scrub_rate_mb_s or None,
    )


def _clock_of(reply: pb.RegisterReply | pb.HeartbeatReply) -> MasterClock:
    return MasterClock(reply.master_boot, reply.master_time_s)
