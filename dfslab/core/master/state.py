"""What the master knows, and the list into which its handlers write what they want done."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dfslab.core.errors import DfsError, PolicyFailed, UnknownKeeper
from dfslab.core.liveness import SERVING, Liveness, Sign, next_liveness
from dfslab.core.lookup import LookupTable, Replica, ReplicaState
from dfslab.core.master.backlog import Backlog
from dfslab.core.master.instructions import (
    AppendCatalog,
    CatalogRecord,
    Instruction,
    Note,
    Refuse,
    Reply,
)
from dfslab.core.master.signing import Signing
from dfslab.core.model import Address, FileInfo, Version
from dfslab.core.nodes import MASTER
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.policies.placement import KeeperLoad
from dfslab.core.trace import Kind, Tracer

NOWHERE = Address("", 0)


@dataclass
class Keeper:
    """A data keeper as the master knows it.

    `found` is what its process found on the disk when it started: nobody has checked these bytes since.
    """

    id: str
    liveness: Liveness
    incarnation: int = 0
    boot: str = ""
    sequence: int = 0
    superseded: dict[str, None] = field(default_factory=dict)
    address: Address = NOWHERE
    data_address: Address = NOWHERE
    directory: str = ""
    free_bytes: int = 0
    last_heard: float | None = None
    copies_in: int = 0
    copies_out: int = 0
    incoming_bytes: int = 0
    found: dict[str, None] = field(default_factory=dict)

    @property
    def serves(self) -> bool:
        """True while it answers readers."""
        return self.liveness in SERVING


@dataclass
class Waiter:
    """A client that waits for its acknowledgement."""

    request: int
    deadline: float


@dataclass
class Upload:
    """An upload from its first request until nobody can retry it any more."""

    id: str
    name: str
    size: int
    ack_replicas: int
    client: str
    since: float
    slot_at: float
    attempts: dict[str, str] = field(default_factory=dict)
    committed: str = ""
    acknowledged: bool = False
    waiters: list[Waiter] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy under way."""

    id: str
    version: str
    source: str
    target: str
    size: int
    deadline: float
    cause: str


@dataclass
class Short:
    """A version with too few live copies; `number` counts them, so that the first of two comes first.

    `ack_replicas` is how many copies its upload was to be acknowledged by, if it is short since then.
    """

    number: int
    since: float
    not_before: float
    retry_s: float
    cause: str = ""
    ack_replicas: int = 0
    failed_sources: dict[str, None] = field(default_factory=dict)
    failed_targets: dict[str, None] = field(default_factory=dict)
    reported: bool = False


class Effects:
    """Collects what a handler wants done; catalog records go first, all in one."""

    def __init__(self, tracer: Tracer, now: float) -> None:
        self._tracer = tracer
        self._now = now
        self._records: list[CatalogRecord] = []
        self._rest: list[Instruction] = []

    def record(self, *records: CatalogRecord) -> None:
        """Make records durable before anything else of this event."""
        self._records.extend(records)

    def add(self, instruction: Instruction) -> None:
        """Add an instruction."""
        self._rest.append(instruction)

    def reply(self, request: int, value: object) -> None:
        """Answer a request."""
        self._rest.append(Reply(request, value))

    def refuse(self, request: int, error: DfsError) -> None:
        """Answer a request with an error."""
        self._rest.append(Refuse(request, error))

    def note(
        self,
        kind: Kind,
        *,
        version: Version | None = None,
        peer: str = "",
        bytes: int = 0,
        cause: str = "",
        **detail: object,
    ) -> str:
        """Add a line to the trace and return its id."""
        event = self._tracer.event(
            kind,
            self._now,
            file_name=version.name if version else "",
            version=version.id if version else "",
            peer=peer,
            bytes=bytes,
            cause=cause,
            **detail,
        )
        self._rest.append(Note(event))
        return event.id

    def instructions(self) -> list[Instruction]:
        """Return everything, durable records first."""
        head: list[Instruction] = [AppendCatalog(tuple(self._records))] if self._records else []
        return head + self._rest


class MasterState:
    """Everything that the master knows. Only `Master.handle` changes it."""

    def __init__(self, options: Options, policies: Policies, rng: random.Random, boot: str, key: bytes) -> None:
        self.options = options
        self.policies = policies.fresh()
        self.rng = rng
        self.tracer = Tracer(MASTER, boot)
        self.cluster = ""
        self.restored = False  # from a backup, which may have forgotten files that keepers hold
        self.read_only: DfsError | None = None  # what to refuse with, while the catalog takes nothing
        self.turned_away: dict[tuple[str, str, str], None] = {}  # keeper, version, copy: refused, and so deleted
        self.signing = Signing(key, boot)
        self.table = LookupTable()
        self.keepers: dict[str, Keeper] = {}
        self.uploads: dict[str, Upload] = {}
        self.open_uploads: dict[str, None] = {}  # those that are not committed
        self.upload_of: dict[str, str] = {}
        self.waiting: dict[str, None] = {}
        self.awaited: dict[str, str] = {}  # of these, the committed ones by their version
        self.copies: dict[str, Copy] = {}
        self.copying: dict[str, dict[str, None]] = {}
        self.short: dict[str, Short] = {}
        self.backlog = Backlog()
        self.pauses: list[tuple[float, str]] = []  # a heap: when a version may be copied again after a failure
        self.surplus: dict[str, float] = {}
        self.corrupt: dict[str, None] = {}
        self.unconfirmed_drops: dict[tuple[str, str], str] = {}  # the line of the trace that ordered it
        self.orphans: dict[tuple[str, str], float] = {}
        self.safe_until: float | None = None
        self.next_scan_at = 0.0
        self.reported: dict[str, None] = {}
        self.replan = False
        self.retry_at = math.inf
        self.version_numbers = itertools.count(1)
        self.copy_numbers = itertools.count(1)
        self.short_numbers = itertools.count(1)
        self.full: dict[str, None] = {}  # keepers that take no further copy at the moment
        self._alive: list[Keeper] | None = None
        self._serving: list[Keeper] | None = None
        self._loads: dict[str, KeeperLoad] | None = None
        self._other_loads: dict[str, None] = {}  # keepers whose load has changed

    def keeper(self, keeper_id: str) -> Keeper:
        """Return a keeper, or raise UnknownKeeper."""
        try:
            return self.keepers[keeper_id]
        except KeyError:
            raise UnknownKeeper(keeper=keeper_id, known=list(self.keepers)) from None

    def add_keeper(self, keeper: Keeper) -> None:
        """Take in a keeper, in the place of what was known under its name."""
        self.keepers[keeper.id] = keeper
        self._forget_who_lives()

    def learn(self, keeper: Keeper, sign: Sign) -> None:
        """Bring a keeper's liveness up to date."""
        liveness = next_liveness(keeper.liveness, sign)
        if liveness is not keeper.liveness:
            keeper.liveness = liveness
            self._forget_who_lives()

    def _forget_who_lives(self) -> None:
        self._alive = self._serving = self._loads = None

    def alive(self) -> Sequence[Keeper]:
        """Return the keepers that may get new replicas, in the order they first came."""
        if self._alive is None:
            self._alive = [keeper for keeper in self.keepers.values() if keeper.liveness is Liveness.ALIVE]
        return self._alive

    def serving(self) -> Sequence[Keeper]:
        """Return the keepers that answer readers, in the order they first came."""
        if self._serving is None:
            self._serving = [keeper for keeper in self.keepers.values() if keeper.serves]
        return self._serving

    def is_alive(self, keeper_id: str) -> bool:
        """Return True when a replica there counts as a copy."""
        keeper = self.keepers.get(keeper_id)
        return keeper is not None and keeper.liveness is Liveness.ALIVE

    def put_replica(self, version_id: str, replica: Replica) -> None:
        """Add a replica to the table, or replace what was known of it."""
        self.table.put_replica(version_id, replica)
        self.load_changed(replica.keeper)

    def forget_replica(self, version_id: str, keeper_id: str) -> None:
        """Remove a replica from the table."""
        self.table.forget_replica(version_id, keeper_id)
        self.load_changed(keeper_id)

    def load_changed(self, keeper_id: str) -> None:
        """Have a keeper's load made anew: its replicas, the copies on their way to it or its room have changed."""
        self._other_loads[keeper_id] = None

    def loads(self) -> Mapping[str, KeeperLoad]:
        """Return what placement gets to know of the keepers that are alive, in the order they first came."""
        if self._loads is None:
            self._loads = {keeper.id: self._load_of(keeper) for keeper in self.alive()}
        for keeper_id in self._other_loads:
            if keeper_id in self._loads:
                self._loads[keeper_id] = self._load_of(self.keepers[keeper_id])
        self._other_loads.clear()
        return self._loads

    def _load_of(self, keeper: Keeper) -> KeeperLoad:
        return KeeperLoad(
            keeper.id,
            self.table.stored_bytes(keeper.id) + keeper.incoming_bytes,
            keeper.free_bytes - keeper.incoming_bytes,
            self.table.count_on(keeper.id) + keeper.copies_in,
            self.options.racks.get(keeper.id, ""),
        )

    def live_copies(self, version_id: str) -> int:
        """Return how many valid replicas are on keepers that count."""
        rows = self.table.replicas(version_id).values()
        return sum(1 for row in rows if row.state is ReplicaState.VALID and self.is_alive(row.keeper))

    def serving_holders(self, version_id: str) -> list[Keeper]:
        """Return the keepers that serve a valid replica."""
        rows = self.table.replicas(version_id).values()
        keepers = [self.keepers[row.keeper] for row in rows if row.state is ReplicaState.VALID]
        return [keeper for keeper in keepers if keeper.serves]

    def file_info(self, version: Version) -> FileInfo:
        """Return what `stat` says of a version."""
        holders = tuple(keeper.id for keeper in self.serving_holders(version.id))
        return FileInfo(version.name, version.id, version.size, holders, version.created_at)

    def pause(self, version_id: str, until: float) -> None:
        """Let a version rest before its next copy."""
        self.short[version_id].not_before = until
        self.retry_at = min(self.retry_at, until)
        heapq.heappush(self.pauses, (until, version_id))

    def end_pauses(self, now: float) -> None:
        """Have the backlog look at the versions that have rested, and find out when the next one will have."""
        while self.pauses and (self.pauses[0][0] <= now or self._is_over(*self.pauses[0])):
            self.backlog.changed(heapq.heappop(self.pauses)[1])
        self.retry_at = self.pauses[0][0] if self.pauses else math.inf

    def end_all_pauses(self, now: float) -> None:
        """Let every version be copied again."""
        for until, version_id in self.pauses:
            if until > now and not self._is_over(until, version_id):
                self.short[version_id].not_before = now
            self.backlog.changed(version_id)
        self.pauses.clear()

    def _is_over(self, until: float, version_id: str) -> bool:
        """Return True for a pause that was ended before its time."""
        short = self.short.get(version_id)
        return short is None or short.not_before != until

    def policy_failed(self, error: PolicyFailed, out: Effects) -> None:
        """Put a policy's failure into the trace, once: it may come at every tick."""
        if str(error) not in self.reported:
            self.reported[str(error)] = None
            out.note(Kind.NODE_ERROR, reason=str(error))

    def new_version_id(self) -> str:
        """Return an id that no catalog of this cluster has used: a count for people, chance for safety."""
        return f"v{next(self.version_numbers)}-{self.rng.getrandbits(40):010x}"

    def new_copy_id(self) -> str:
        """Return an id for a copy."""
        return f"c{next(self.copy_numbers)}-{self.rng.getrandbits(40):010x}"
