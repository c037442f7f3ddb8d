"""What a keeper wants done. The thread that brought the event carries them out, in order."""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.keeper.events import CopyOrdered, ReplicaWritten
from dfslab.core.model import CheckedReplica, StoredReplica
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
class SendBad:
    """Tell the master of a replica of this keeper's own that is bad; ends in BadHeard, or in nothing."""

    version: str
    reason: str
    cause: str


@dataclass(frozen=True, slots=True)
class Scrub:
    """Read a replica again, at `rate_mb_s` at most, quietly; ends in ScrubDone or ScrubFailed."""

    number: int
    stored: StoredReplica
    rate_mb_s: float


@dataclass(frozen=True, slots=True)
class ScrubPassDone:
    """Tell those who asked for it what a pass over every replica has shown."""

    asked: tuple[str, ...]
    checked: tuple[CheckedReplica, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop this keeper: the master will not have it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """Add a line to the trace."""

    event: TraceEvent


Instruction = (
    SendRegister
    | SendHeartbeat
    | SendStored
    | SendCopyFailed
    | Fetch
    | DeleteReplica
    | SendDropped
    | SendBad
    | Scrub
    | ScrubPassDone
    | Stop
    | Note
)
