"""What reaches the master: requests of keepers, clients and operators, outcomes, and the clock.

Every request carries an opaque `request` number; the `Reply` or `Refuse` that answers it names the
same number.
"""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.errors import DfsError
from dfslab.core.model import Address, StoredReplica


@dataclass(frozen=True, slots=True)
class Register:
    """A keeper announces itself with a full report of its disk. `boot` is new at each start of its process.

    `sequence` counts the registrations of one boot, so that a late one is known as such; 0 where the
    network keeps them in order. `cluster` is the one that the keeper's disk belongs to, empty for a new
    disk; `incarnation` the highest that it ever had, which the catalog may have forgotten.
    """

    request: int
    keeper: str
    boot: str
    address: Address
    data_address: Address
    directory: str
    free_bytes: int
    report: tuple[StoredReplica, ...]
    sequence: int = 0
    cluster: str = ""
    incarnation: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A keeper's sign of life, under the incarnation that its registration got."""

    request: int
    keeper: str
    incarnation: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class ReplicaStored:
    """A keeper has a replica on stable storage (step 4), from an upload or, with `copy_id`, from a copy."""

    request: int
    keeper: str
    incarnation: int
    version: str
    size: int
    block_size: int
    checksums: bytes
    path: str
    unix_s: float
    copy_id: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CopyFailed:
    """A copy came to nothing. `source_at_fault` tells which end to avoid next time."""

    request: int
    keeper: str
    copy_id: str
    reason: str
    source_at_fault: bool = False


@dataclass(frozen=True, slots=True)
class ReplicaDropped:
    """A keeper has deleted a replica that it was told to drop."""

    request: int
    keeper: str
    incarnation: int
    version: str


@dataclass(frozen=True, slots=True)
class BadReplica:
    """A reader, or the keeper itself, found a replica whose bytes fail their checksums."""

    request: int
    keeper: str
    version: str
    reason: str
    reporter: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class BeginUpload:
    """A client asks for an upload slot (step 1); `exclude` names keepers that failed it already."""

    request: int
    upload_id: str
    name: str
    size: int
    ack_replicas: int
    client: str
    exclude: tuple[str, ...] = ()
    cause: str = ""


@dataclass(frozen=True, slots=True)
class AwaitUpload:
    """A client waits for its acknowledgement (step 6), for `hold_s` seconds at most."""

    request: int
    upload_id: str
    hold_s: float


@dataclass(frozen=True, slots=True)
class Delete:
    """Take a name away."""

    request: int
    name: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a file a new, free name."""

    request: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Scan:
    """Run the replication scan now; with `dry_run`, only say what it would do."""

    request: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Decommission:
    """Empty a keeper of what only it holds, then let it go."""

    request: int
    keeper: str


@dataclass(frozen=True, slots=True)
class WritesFailed:
    """The catalog takes nothing; what was to be written last has been taken back."""

    error: DfsError


@dataclass(frozen=True, slots=True)
class WritesWork:
    """The catalog takes records again."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = (
    Register
    | Heartbeat
    | ReplicaStored
    | CopyFailed
    | ReplicaDropped
    | BadReplica
    | BeginUpload
    | AwaitUpload
    | Delete
    | Rename
    | Scan
    | Decommission
    | WritesFailed
    | WritesWork
    | Tick
)
