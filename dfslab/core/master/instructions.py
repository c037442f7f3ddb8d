"""What the master wants done, and the records of its catalog.

The runtime carries instructions out in order. `AppendCatalog` comes first in every list: whatever
follows it (a reply, a copy, a line of the trace) happens only once its records are durable.
"""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.errors import DfsError
from dfslab.core.model import Address, FileInfo, Version
from dfslab.core.tickets import MasterClock
from dfslab.core.trace import TraceEvent


@dataclass(frozen=True, slots=True)
class PutKeeper:
    """A keeper and the incarnation of its newest registration."""

    keeper: str
    incarnation: int
    decommissioned: bool = False


@dataclass(frozen=True, slots=True)
class PutVersion:
    """A version, new or changed (renamed, deleted)."""

    version: Version


@dataclass(frozen=True, slots=True)
class ForgetVersion:
    """A deleted version with no replica left."""

    version: str


@dataclass(frozen=True, slots=True)
class PutReplica:
    """A replica; a hint that the keepers' reports rebuild, but for `corrupt`: that was found by reading it."""

    version: str
    keeper: str
    path: str
    corrupt: bool = False


@dataclass(frozen=True, slots=True)
class ForgetReplica:
    """A replica that is no more."""

    version: str
    keeper: str


@dataclass(frozen=True, slots=True)
class PutUpload:
    """An upload id and the version it became, so that a retry returns the same."""

    upload_id: str
    version: str
    ack_replicas: int
    unix_s: float


@dataclass(frozen=True, slots=True)
class ForgetUpload:
    """An upload id so old that nobody retries it."""

    upload_id: str


CatalogRecord = PutKeeper | PutVersion | ForgetVersion | PutReplica | ForgetReplica | PutUpload | ForgetUpload


@dataclass(frozen=True, slots=True)
class AppendCatalog:
    """Make these records durable, all or none, before anything that follows."""

    records: tuple[CatalogRecord, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a request with a value."""

    request: int
    value: object


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer a request with an error."""

    request: int
    error: DfsError


@dataclass(frozen=True, slots=True)
class CopyReplica:
    """Tell `source` and `target` to copy a version (step 7); ends in ReplicaStored or CopyFailed."""

    copy_id: str
    version: Version
    source: str
    source_address: Address
    source_data_address: Address
    source_incarnation: int
    target: str
    target_address: Address
    target_incarnation: int
    cause: str
    ticket: bytes = b""
    awaited: bool = False
    """An upload is acknowledged by this copy, so that somebody waits for it."""


@dataclass(frozen=True, slots=True)
class DropReplica:
    """Tell a keeper to delete a replica; ends in ReplicaDropped, or is ordered again by a scan."""

    version: str
    keeper: str
    address: Address
    incarnation: int
    cause: str


@dataclass(frozen=True, slots=True)
class Note:
    """Add a line to the trace."""

    event: TraceEvent


Instruction = AppendCatalog | Reply | Refuse | CopyReplica | DropReplica | Note


@dataclass(frozen=True, slots=True)
class Registered:
    """Answer to Register: the keeper's new incarnation, the cluster that it belongs to from now on, and the time.

    A heartbeat is answered with the time alone.
    """

    incarnation: int
    cluster: str
    clock: MasterClock


@dataclass(frozen=True, slots=True)
class Slot:
    """Answer to BeginUpload (step 2); `committed` is set when this upload id had succeeded before.

    `ticket` is the master's leave to send the version to that keeper.
    """

    version: str
    keeper: str
    address: Address | None
    committed: FileInfo | None
    cause: str
    ticket: bytes = b""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Answer to ReplicaStored: whether the replica counts; if not, the keeper deletes it."""

    keep: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UploadState:
    """Answer to AwaitUpload: the file once acknowledged, else how many copies are known so far."""

    known: bool
    copies: int
    acknowledged: FileInfo | None


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """One thing that a scan does or would do: `action` is "copy" or "drop"."""

    action: str
    file_name: str
    version: str
    source: str
    target: str
    reason: str
