"""What a keeper wants done. The thread that brought the event carries them out, in order."""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.keeper.events import CopyOrdered, ReplicaWritten
from dfslab.core.model import StoredReplica
from dfslab.core.trace import TraceEvent


@dataclass(frozen=True, slots=True)
class SendRegister:
    """Register with a full report; ends in RegisterAnswered, MasterSilent or RegistrationRefused."""

    report: tuple[StoredReplica, ...]


@dataclass(frozen=True, slots=True)
class SendHeartbeat:
    """Send a heartbeat; ends in HeartbeatAnswered, MasterSilent or RegistrationLapsed."""

    incarnation: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class SendStored:
    """Tell the master of a stored replica (step 4), again and again until it answers; ends in StoredAnswered."""

    incarnation: int
    written: ReplicaWritten
    cause: str


@dataclass(frozen=True, slots=True)
class SendCopyFailed:
    """Tell the master that a copy came to nothing."""

    copy_id: str
    reason: str
    source_at_fault: bool


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch a version from another keeper; ends in ReplicaWritten or FetchFailed."""

    order: CopyOrdered


@dataclass(frozen=True, slots=True)
class DeleteReplica:
    """Delete a replica from the disk; ends in ReplicaDeleted or DeleteFailed."""

    version: str


@dataclass(frozen=True, slots=True)
class SendDropped:
    """Tell the master that a replica which it ordered dropped is gone."""

    version: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop this keeper: the master will not have it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Add a line to the trace."""

    event: TraceEvent


Instruction = (
    SendRegister | SendHeartbeat | SendStored | SendCopyFailed | Fetch | DeleteReplica | SendDropped | Stop | Note
)
