"""The master's gRPC methods: each turns a request into an event, or into a question to the core."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from dfslab.core.errors import DfsError
from dfslab.core.master import events
from dfslab.core.master.instructions import PlannedAction, Recorded, Registered, Slot, UploadState
from dfslab.core.master.state import Keeper
from dfslab.core.model import FileInfo
from dfslab.core.names import check_name
from dfslab.core.nodes import MASTER
from dfslab.core.tickets import MasterClock
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.dfs_pb2_grpc import MasterTrackerServicer
from dfslab.runtime.gate import Gate
from dfslab.runtime.rpc import answers
from dfslab.runtime.wire import (
    address_from,
    address_to,
    boot_from,
    brief,
    error_to,
    file_info_to,
    room_from,
    stored_from,
)

if TYPE_CHECKING:
    from dfslab.core.master import Master
    from dfslab.runtime.master_node import MasterNode

PAGE = 1000
MAX_HOLD_S = 5.0
MAX_HELD = 12
"""Requests that may be held open at a time; the pool of threads is larger, so that keepers always get through."""

T = TypeVar("T")


class MasterService(MasterTrackerServicer):
    """Answers the methods of `MasterTracker` for a node."""

    name = MASTER

    def __init__(self, node: MasterNode) -> None:
        self._node = node
        self._held = threading.BoundedSemaphore(MAX_HELD)

    @property
    def gate(self) -> Gate:
        """The node's gate."""
        return self._node.gate

    def note_error(self, reason: str) -> None:
        """Put an error of this node's own in the trace."""
        self._node.note_error(reason)

    def _ask_core(self, question: Callable[[Master], T]) -> T:
        with self._node.lock:
            return question(self._node.core)

    # -- for data keepers ---------------------------------------------------------------------

    @answers
    def Register(self, request: pb.RegisterRequest) -> pb.RegisterReply:  # noqa: N802
        """Take in a keeper and its report."""
        registered: Registered = self._node.ask(
            lambda number: events.Register(
                number,
                check_name(request.keeper),
                boot_from(request.boot),
                address_from(request.address),
                address_from(request.data_address),
                request.directory,
                room_from(request.free_bytes),
                tuple(map(stored_from, request.report)),
                request.sequence,
                request.cluster,
                request.incarnation,
            )
        )
        options = self._node.options
        return pb.RegisterReply(
            incarnation=registered.incarnation,
            heartbeat_interval_s=options.heartbeat_interval_s,
            heartbeat_timeout_s=options.heartbeat_timeout_s,
            cluster=registered.cluster,
            master_time_s=registered.clock.time_s,
            master_boot=registered.clock.boot,
            scrub_interval_s=options.scrub_interval_s,
            scrub_rate_mb_s=options.scrub_rate_mb_s,
        )

    @answers
    def Heartbeat(self, request: pb.HeartbeatRequest) -> pb.HeartbeatReply:  # noqa: N802
        """Note a sign of life."""
        clock: MasterClock = self._node.ask(
            lambda number: events.Heartbeat(number, request.keeper, request.incarnation, room_from(request.free_bytes))
        )
        return pb.HeartbeatReply(master_time_s=clock.time_s, master_boot=clock.boot)

    @answers
    def ReplicaStored(self, request: pb.ReplicaStoredRequest) -> pb.ReplicaStoredReply:  # noqa: N802
        """Record replicas (steps 4 and 5), each by itself."""
        answers = self._node.ask_all([_stored_event(request.keeper, told) for told in request.replicas])
        return pb.ReplicaStoredReply(replicas=map(_recorded_to, answers))

    @answers
    def CopyFailed(self, request: pb.CopyFailedRequest) -> pb.CopyFailedReply:  # noqa: N802
        """Note a copy that came to nothing."""
        self._node.ask(
            lambda number: events.CopyFailed(
                number, request.keeper, request.copy_id, brief(request.reason), request.source_at_fault
            )
        )
        return pb.CopyFailedReply()

    @answers
    def ReplicaDropped(self, request: pb.ReplicaDroppedRequest) -> pb.ReplicaDroppedReply:  # noqa: N802
        """Note a replica that is gone."""
        self._node.ask(
            lambda number: events.ReplicaDropped(number, request.keeper, request.incarnation, request.version)
        )
        return pb.ReplicaDroppedReply()

    # -- for clients --------------------------------------------------------------------------

    @answers
    def BeginUpload(self, request: pb.BeginUploadRequest) -> pb.BeginUploadReply:  # noqa: N802
        """Grant a slot (steps 1 and 2)."""
        options = self._node.options
        slot: Slot = self._node.ask(
            lambda number: events.BeginUpload(
                number,
                request.upload_id,
                request.name,
                request.size,
                request.ack_replicas or options.ack_replicas,
                brief(request.client),
                tuple(request.exclude),
                brief(request.cause),
            )
        )
        return pb.BeginUploadReply(
            version=slot.version,
            keeper=slot.keeper,
            data_address=address_to(slot.address) if slot.address else None,
            committed=file_info_to(slot.committed) if slot.committed else None,
            cause=slot.cause,
            block_size=options.block_size,
            ticket=slot.ticket,
        )

    @answers
    def AwaitUpload(self, request: pb.AwaitUploadRequest) -> pb.AwaitUploadReply:  # noqa: N802
        """Hold the request until the upload is acknowledged (step 6), or for a while."""
        may_hold = self._held.acquire(blocking=False)
        try:
            hold_s = min(max(0.0, request.hold_s), MAX_HOLD_S) if may_hold else 0.0
            state: UploadState = self._node.ask(lambda number: events.AwaitUpload(number, request.upload_id, hold_s))
        finally:
            if may_hold:
                self._held.release()
        return pb.AwaitUploadReply(
            known=state.known,
            copies=state.copies,
            acknowledged=file_info_to(state.acknowledged) if state.acknowledged else None,
        )

    @answers
    def Locate(self, request: pb.LocateRequest) -> pb.LocateReply:  # noqa: N802
        """Say where a file can be read."""
        check_name(request.name)
        location = self._ask_core(lambda core: core.locate(request.name, self._node.now()))
        version = location.version
        return pb.LocateReply(
            version=version.id,
            size=version.size,
            block_size=version.block_size,
            checksums=version.checksums,
            holders=[
                pb.Holder(keeper=holder.keeper, data_address=address_to(holder.address), ticket=holder.ticket)
                for holder in location.holders
            ],
        )

    @answers
    def Stat(self, request: pb.StatRequest) -> pb.StatReply:  # noqa: N802
        """Say what is known of a file."""
        check_name(request.name)
        return pb.StatReply(file=file_info_to(self._ask_core(lambda core: core.stat(request.name))))

    @answers
    def List(self, request: pb.ListRequest) -> pb.ListReply:  # noqa: N802
        """List a page of files."""
        limit = min(request.limit or PAGE, PAGE)
        files = self._ask_core(lambda core: core.files(request.prefix, request.after, limit + 1))
        return pb.ListReply(files=[file_info_to(info) for info in files[:limit]], more=len(files) > limit)

    @answers
    def Delete(self, request: pb.DeleteRequest) -> pb.DeleteReply:  # noqa: N802
        """Take a name away."""
        self._node.ask(lambda number: events.Delete(number, request.name))
        return pb.DeleteReply()

    @answers
    def Rename(self, request: pb.RenameRequest) -> pb.RenameReply:  # noqa: N802
        """Give a file a new name."""
        info: FileInfo = self._node.ask(lambda number: events.Rename(number, request.old_name, request.new_name))
        return pb.RenameReply(file=file_info_to(info))

    @answers
    def ReportBadReplica(self, request: pb.ReportBadReplicaRequest) -> pb.ReportBadReplicaReply:  # noqa: N802
        """Note a replica whose bytes fail their checksums."""
        self._node.ask(
            lambda number: events.BadReplica(
                number, request.keeper, request.version, brief(request.reason), brief(request.reporter), request.cause
            )
        )
        return pb.ReportBadReplicaReply()

    # -- for operators ------------------------------------------------------------------------

    @answers
    def LookupTable(self, request: pb.LookupTableRequest) -> pb.LookupTableReply:  # noqa: N802
        """Return a page of the lookup table."""
        limit = min(request.limit or PAGE, PAGE)
        return self._ask_core(lambda core: _lookup_page(core, request.after, limit))

    @answers
    def Keepers(self, request: pb.KeepersRequest) -> pb.KeepersReply:  # noqa: N802
        """Return every keeper."""
        now = self._node.now()
        return self._ask_core(
            lambda core: pb.KeepersReply(keepers=[_keeper_info(core, keeper, now) for keeper in core.keepers()])
        )

    @answers
    def Scan(self, request: pb.ScanRequest) -> pb.ScanReply:  # noqa: N802
        """Run the replication scan now."""
        planned: list[PlannedAction] = self._node.ask(lambda number: events.Scan(number, request.dry_run))
        return pb.ScanReply(
            actions=[
                pb.PlannedAction(
                    action=one.action,
                    file_name=one.file_name,
                    version=one.version,
                    source=one.source,
                    target=one.target,
                    reason=one.reason,
                )
                for one in planned
            ]
        )

    @answers
    def Decommission(self, request: pb.DecommissionRequest) -> pb.DecommissionReply:  # noqa: N802
        """Start to empty a keeper."""
        self._node.ask(lambda number: events.Decommission(number, request.keeper))
        return pb.DecommissionReply()


def _stored_event(keeper: str, told: pb.NewReplica) -> Callable[[int], events.ReplicaStored]:
    return lambda number: events.ReplicaStored(
        number,
        keeper,
        told.incarnation,
        told.version,
        told.size,
        told.block_size,
        told.checksums,
        told.path,
        time.time(),
        told.copy_id,
        brief(told.cause),
    )


def _recorded_to(answer: Recorded | DfsError) -> pb.Recorded:
    if isinstance(answer, DfsError):
        return pb.Recorded(error=error_to(answer))
    return pb.Recorded(keep=answer.keep, reason=answer.reason)


def _lookup_page(core: Master, after: str, limit: int) -> pb.LookupTableReply:
    files = core.files("", after, limit + 1)
    last = files[:limit][-1].name if len(files) > limit else ""
    rows: list[Any] = []
    for info in files[:limit]:
        for version, replica, is_alive in core.rows_of(info.name):
            rows.append(
                pb.LookupRow(
                    file_name=version.name,
                    data_node=replica.keeper,
                    file_path=replica.path,
                    is_alive=is_alive,
                    state=str(replica.state),
                    version=version.id,
                    size=version.size,
                )
            )
    return pb.LookupTableReply(rows=rows, next_after=last)


def _keeper_info(core: Master, keeper: Keeper, now: float) -> pb.KeeperInfo:
    replicas, stored_bytes = core.held_by(keeper.id)
    return pb.KeeperInfo(
        keeper=keeper.id,
        state=str(keeper.liveness),
        is_alive=keeper.serves,
        incarnation=keeper.incarnation,
        address=address_to(keeper.address),
        data_address=address_to(keeper.data_address),
        directory=keeper.directory,
        free_bytes=keeper.free_bytes,
        stored_bytes=stored_bytes,
        replicas=replicas,
        silent_s=-1.0 if keeper.last_heard is None else now - keeper.last_heard,
    )
