"""What reaches a keeper: orders of the master, requests on its data port, outcomes, and the clock."""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.model import Address, StoredReplica, Version
from dfslab.core.tickets import MasterClock


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; `free_bytes` is what the disk has left."""

    free_bytes: int


@dataclass(frozen=True, slots=True)
class BeatNow:
    """Somebody wants a heartbeat at once."""

    free_bytes: int


@dataclass(frozen=True, slots=True)
class RegisterAnswered:
    """The master took the registration, and says at what pace it wants to hear the keeper, and its time."""

    incarnation: int
    heartbeat_interval_s: float | None = None
    heartbeat_timeout_s: float | None = None
    clock: MasterClock | None = None
    scrub_interval_s: float | None = None
    scrub_rate_mb_s: float | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatAnswered:
    """The master heard the heartbeat, and says its time."""

    clock: MasterClock | None = None


@dataclass(frozen=True, slots=True)
class MasterSilent:
    """A registration or a heartbeat got no answer."""

    reason: str


@dataclass(frozen=True, slots=True)
class RegistrationLapsed:
    """The master does not know the incarnation under which something was said (any more)."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class ReportGivenUp:
    """The master did not take step 4 in time: only a new registration can tell it of the replica."""


@dataclass(frozen=True, slots=True)
class RegistrationRefused:
    """The master will not have this keeper: another process has its name, or it was decommissioned."""

    reason: str


@dataclass(frozen=True, slots=True)
class PutRequested:
    """A client wants to send a version to the data port (step 3), and shows its ticket."""

    version: str
    size: int
    block_size: int
    free_bytes: int
    ticket: bytes


@dataclass(frozen=True, slots=True)
class GetRequested:
    """A client or a keeper wants to read part of a version, and shows its ticket."""

    version: str
    offset: int
    length: int
    ticket: bytes


@dataclass(frozen=True, slots=True)
class WriteAborted:
    """A version that was being received did not arrive whole."""

    version: str


@dataclass(frozen=True, slots=True)
class ReplicaWritten:
    """A whole, checked replica is on stable storage under its final name."""

    stored: StoredReplica
    block_size: int
    checksums: bytes
    copy_id: str = ""
    cause: str = ""
    awaited: bool = True
    """A client waits until it is recorded; else the report may wait a moment for others."""


@dataclass(frozen=True, slots=True)
class StoredAnswered:
    """The master answered step 4: the replica counts, or is to be deleted."""

    version: str
    keep: bool
    reason: str


@dataclass(frozen=True, slots=True)
class CopyOrdered:
    """The master wants this keeper to fetch a version from `source`."""

    copy_id: str
    version: Version
    source: str
    source_data_address: Address
    incarnation: int
    cause: str
    ticket: bytes = b""
    awaited: bool = False
    """An upload is acknowledged by this copy: it does not go behind what clients transfer."""


@dataclass(frozen=True, slots=True)
class SourceOrdered:
    """The master tells this keeper that `target` will fetch a version from it."""

    copy_id: str
    version: str
    target: str
    incarnation: int
    cause: str


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """A copy that this keeper was fetching came to nothing."""

    copy_id: str
    version: str
    reason: str
    source_at_fault: bool


@dataclass(frozen=True, slots=True)
class DropOrdered:
    """The master wants a replica deleted."""

    version: str
    incarnation: int
    cause: str


@dataclass(frozen=True, slots=True)
class ReplicaDeleted:
    """A replica is gone from the disk, durably."""

    version: str


@dataclass(frozen=True, slots=True)
class DeleteFailed:
    """The disk refused a step of a deletion; `remains` says whether the replica is still there."""

    version: str
    reason: str
    remains: bool


@dataclass(frozen=True, slots=True)
class ReplicaOpened:
    """A replica was opened for a reader, and its data are `size` bytes long."""

    version: str
    size: int


@dataclass(frozen=True, slots=True)
class FoundBad:
    """A replica could not be read, or became shorter, while it was sent to a reader."""

    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class BadHeard:
    """The master was told of a bad replica, and answered."""

    version: str


@dataclass(frozen=True, slots=True)
class ScrubNow:
    """Somebody wants every replica read again at once; `who` is named at the end of it."""

    who: str


@dataclass(frozen=True, slots=True)
class ScrubDone:
    """A replica was read again, and is as it was stored."""

    number: int


@dataclass(frozen=True, slots=True)
class ScrubFailed:
    """A replica was read again, and is not what was stored, or can't be read."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class ScrubBroken:
    """A replica was to be read again, and a mistake of ours came between: nothing is known of it."""

    number: int


Event = (
    Tick
    | BeatNow
    | RegisterAnswered
    | HeartbeatAnswered
    | MasterSilent
    | RegistrationLapsed
    | ReportGivenUp
    | RegistrationRefused
    | PutRequested
    | GetRequested
    | WriteAborted
    | ReplicaWritten
    | StoredAnswered
    | CopyOrdered
    | SourceOrdered
    | FetchFailed
    | DropOrdered
    | ReplicaDeleted
    | DeleteFailed
    | ReplicaOpened
    | FoundBad
    | BadHeard
    | ScrubNow
    | ScrubDone
    | ScrubFailed
    | ScrubBroken
)
