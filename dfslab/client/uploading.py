"""Carries out an upload: what the core's machine wants is called and sent, and the outcome told back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from dfslab.client.master import MasterLink
from dfslab.client.source import Source
from dfslab.core import upload
from dfslab.core.errors import DfsError, MasterUnavailable, SourceUnreadable
from dfslab.core.master.instructions import Slot, UploadState
from dfslab.core.model import FileInfo
from dfslab.core.trace import Kind, TraceEvent, Tracer
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.clock import Clock
from dfslab.runtime.data_client import DataClient
from dfslab.runtime.processor import PROCESSOR
from dfslab.runtime.pulse import Pulse
from dfslab.runtime.wire import address_from, file_info_from

Progress = Callable[[int, int], None]


class Uploading:
    """One upload under way."""

    def __init__(
        self,
        master: MasterLink,
        data: DataClient,
        clock: Clock,
        tracer: Tracer,
        trace: Callable[[TraceEvent], None],
        *,
        ack_timeout_s: float,
    ) -> None:
        self._master, self._data, self._clock, self._tracer, self._trace = master, data, clock, tracer, trace
        self._ack_timeout_s = ack_timeout_s
        self._id = secrets.token_hex(16)
        self._block_size = 0

    def run(self, source: Source, name: str, ack_replicas: int | None, progress: Progress | None) -> FileInfo:
        """Upload and return the acknowledged file; raise what the machine fails with."""
        self._source, self._name, self._ack_replicas, self._progress = source, name, ack_replicas or 0, progress
        machine = upload.Upload(
            name,
            ack_replicas or 1,
            ack_timeout_s=self._ack_timeout_s,
            master_timeout_s=self._master.patience_s,
        )
        self._cause = self._note(Kind.UPLOAD_REQUESTED, peer="master")
        try:
            info = self._follow(machine)
        except BaseException as error:
            self._note(Kind.UPLOAD_FAILED, reason=str(error) or type(error).__name__)
            raise
        self._note(Kind.UPLOAD_DONE, version=info.version)
        return info

    def _follow(self, machine: upload.Upload) -> FileInfo:
        action = machine.start()
        while True:
            if isinstance(action, upload.Finish):
                return action.info
            if isinstance(action, upload.Fail):
                raise action.error
            action = machine.handle(self._do(action), self._clock.now())

    def _do(self, action: upload.Action) -> upload.Event:
        try:
            if isinstance(action, upload.AskSlot):
                _pause(action.pause_s)
                return self._ask_slot(action)
            if isinstance(action, upload.AskState):
                _pause(action.pause_s)
                return self._ask_state(action)
        except DfsError as error:
            transient = isinstance(error, MasterUnavailable) and not self._master.closed
            return upload.MasterFailed(error, transient=transient)
        assert isinstance(action, upload.Send)
        return self._send(action)

    def _ask_slot(self, action: upload.AskSlot) -> upload.Event:
        request = pb.BeginUploadRequest(
            upload_id=self._id,
            name=self._name,
            size=self._source.size,
            ack_replicas=self._ack_replicas,
            client=self._tracer.node,
            exclude=action.exclude,
            cause=self._cause,
        )
        reply = self._master.once("BeginUpload", request, changes=False)
        self._block_size = reply.block_size
        address = address_from(reply.data_address) if reply.HasField("data_address") else None
        committed = file_info_from(reply.committed) if reply.HasField("committed") else None
        slot = Slot(reply.version, reply.keeper, address, committed, reply.cause, reply.ticket)
        return upload.SlotAnswered(slot)

    def _ask_state(self, action: upload.AskState) -> upload.Event:
        request = pb.AwaitUploadRequest(upload_id=self._id, hold_s=action.hold_s)
        reply = self._master.once("AwaitUpload", request, changes=False)
        info = file_info_from(reply.acknowledged) if reply.HasField("acknowledged") else None
        return upload.StateAnswered(UploadState(reply.known, reply.copies, info))

    def _send(self, action: upload.Send) -> upload.Event:
        cause = self._note(Kind.UPLOAD_STARTED, version=action.version, peer=action.keeper, cause=action.cause)
        order = pb.Put(version=action.version, size=self._source.size, block_size=self._block_size, cause=cause)
        self._source.rewind()
        pulse = Pulse(self._clock.now, lambda done: self._note_progress(action, done))

        def sent(done: int) -> None:
            if self._progress is not None:
                self._progress(done, self._source.size)
            pulse.beat(done)

        try:
            PROCESSOR.settle(self._source.size)
            self._data.put(action.keeper, action.address, order, self._source.read_into, action.ticket, sent)
        except SourceUnreadable:
            raise
        except DfsError as error:
            self._note(Kind.UPLOAD_RETRIED, version=action.version, peer=action.keeper, reason=str(error))
            return upload.SendFailed(error)
        return upload.Sent()

    def _note_progress(self, action: upload.Send, done: int) -> None:
        total = self._source.size
        self._note(Kind.PROGRESS, version=action.version, peer=action.keeper, done=done, total=total)

    def _note(
        self, kind: Kind, *, version: str = "", peer: str = "", cause: str = "", done: int | None = None, **detail: Any
    ) -> str:
        event = self._tracer.event(
            kind,
            self._clock.now(),
            file_name=self._name,
            version=version,
            peer=peer,
            bytes=self._source.size if done is None else done,
            cause=cause or getattr(self, "_cause", ""),
            transfer=self._id,
            **detail,
        )
        self._trace(event)
        return event.id


def _pause(seconds: float) -> None:
    if seconds:  # a sleep of nothing still gives the interpreter lock away
        time.sleep(seconds)
