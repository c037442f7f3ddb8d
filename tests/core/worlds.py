"""A master on a bench: scenarios drive it event by event, on a clock that stands still unless they say so.

`Lab` sends the events, carries the catalog, and after every event checks what must always hold:
records come first, the master's own invariants, and the trace telling the same story as the master's
tables. What the master wants done comes back as a list of plain values, without the lines of the
trace (those are in `Lab.notes`), so that a test can compare the whole of it.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dfslab.core.blocks import CHECKSUM_BYTES, block_count, digest
from dfslab.core.errors import DfsError
from dfslab.core.liveness import Liveness
from dfslab.core.master import Master, events
from dfslab.core.master.instructions import (
    AppendCatalog,
    CatalogRecord,
    CopyReplica,
    DropReplica,
    ForgetReplica,
    ForgetUpload,
    ForgetVersion,
    Instruction,
    Note,
    PutKeeper,
    PutReplica,
    PutUpload,
    PutVersion,
    Recorded,
    Refuse,
    Reply,
    Slot,
)
from dfslab.core.master.master import CatalogImage
from dfslab.core.model import Address, Location, StoredReplica, Version
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.policies.placement import KeeperLoad
from dfslab.core.tickets import MasterClock
from dfslab.core.trace import Kind, Trace, TraceEvent, Tracer

GB = 10**9
UNIX_S = 1_700_000_000.0
BLOCK = 10


class Copy(NamedTuple):
    """An order to copy a version, told to both ends."""

    version: str
    source: str
    target: str


class Drop(NamedTuple):
    """An order to a keeper to delete a replica."""

    version: str
    keeper: str


class Refused(NamedTuple):
    """A request answered with an error."""

    request: int
    error: type[DfsError]


Said = AppendCatalog | Reply | Refused | Copy | Drop


def orders(said: Sequence[Said]) -> list[Copy | Drop]:
    """Return only what keepers are told."""
    return [one for one in said if isinstance(one, Copy | Drop)]


def answers(said: Sequence[Said]) -> list[Reply | Refused]:
    """Return only what requests are answered with."""
    return [one for one in said if isinstance(one, Reply | Refused)]


def value_of(said: Sequence[Said]) -> Any:
    """Return the value of the only answer."""
    (answer,) = answers(said)
    assert isinstance(answer, Reply), answer
    return answer.value


def checksums_of(content: str, size: int, block_size: int = BLOCK) -> bytes:
    """Return packed checksums that stand for some bytes of that size; the same `content`, the same bytes."""
    return b"".join(
        zlib.crc32(f"{content}/{block}".encode()).to_bytes(CHECKSUM_BYTES)
        for block in range(block_count(size, block_size))
    )


def path_of(keeper: str, version: str) -> str:
    """Return where a keeper keeps a version."""
    return f"/disks/{keeper}/{version}"


def replica_of(version: Version, keeper: str, *, disk: str = "") -> StoredReplica:
    """Return what `keeper` reports of a whole replica."""
    return StoredReplica(version.id, version.size, digest(version.checksums), path_of(disk or keeper, version.id))


class InOrder:
    """Places on the first candidate, so that a scenario can say who gets what."""

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: random.Random) -> str:
        return candidates[0].keeper


class Catalog:
    """The master's catalog, as a database would keep it."""

    def __init__(self, cluster: str = "", *, restored: bool = False) -> None:
        self.cluster, self.restored = cluster, restored
        self.keepers: dict[str, PutKeeper] = {}
        self.versions: dict[str, Version] = {}
        self.replicas: dict[tuple[str, str], PutReplica] = {}
        self.uploads: dict[str, PutUpload] = {}

    def apply(self, record: CatalogRecord) -> None:
        """Write one record."""
        match record:
            case PutKeeper(keeper):
                self.keepers[keeper] = record
            case PutVersion(version):
                self.versions[version.id] = version
                names = [version.name for version in self.versions.values() if not version.deleted]
                assert len(names) == len(set(names)), f"two current versions of one name: {version}"
            case ForgetVersion(version_id):
                assert self.versions.pop(version_id).deleted
                assert all(version != version_id for version, _ in self.replicas)
            case PutReplica(version_id, keeper):
                self.replicas[version_id, keeper] = record
            case ForgetReplica(version_id, keeper):
                del self.replicas[version_id, keeper]
            case PutUpload(upload_id):
                self.uploads[upload_id] = record
            case ForgetUpload(upload_id):
                del self.uploads[upload_id]

    def image(self) -> CatalogImage:
        """Return what a restarted master reads."""
        return CatalogImage(
            list(self.keepers.values()),
            list(self.versions.values()),
            list(self.replicas.values()),
            list(self.uploads.values()),
            self.cluster,
            self.restored,
        )


def check_the_trace_tells_the_same(master: Master, trace: Trace) -> None:
    """The lookup table folded from the trace (DESIGN §8) is the one that the master keeps."""
    table = trace.table()
    assert {row.keeper: (row.state, row.incarnation) for row in table.keepers.values()} == {
        keeper.id: (str(keeper.liveness), keeper.incarnation) for keeper in master.keepers()
    }
    files = master.files(limit=10**6)
    assert {(row.version, row.file_name, row.size, row.created_at) for row in table.files.values()} == {
        (info.version, info.name, info.size, info.created_at) for info in files
    }
    folded = {
        (row.version, row.keeper, row.path, row.state)
        for version in table.files
        for row in table.replicas.get(version, {}).values()
    }
    kept = {(version.id, replica.keeper, replica.path, str(replica.state)) for version, replica, _ in master.rows()}
    assert folded == kept


@dataclass
class Attempt:
    """A slot that a client was granted."""

    slot: Slot
    name: str
    size: int
    content: str


@dataclass(repr=False)
class Lab:
    """A master with its catalog and its trace, and shorthand for everybody who talks to it."""

    options: Options = field(default_factory=Options)
    policies: Policies = field(default_factory=lambda: Policies.of(placement=InOrder()))
    seed: int = 7
    now: float = 0.0
    request: int = 0
    boots: int = 0
    catalog: Catalog = field(default_factory=Catalog)
    trace: Trace = field(default_factory=Trace)
    notes: list[TraceEvent] = field(default_factory=list)
    todo: list[Instruction] = field(default_factory=list)
    master: Master = field(init=False)
    copies: dict[Copy, CopyReplica] = field(default_factory=dict)
    under_way: dict[tuple[str, str], str] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    tracers: dict[str, Tracer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start_master()

    # -- the master ---------------------------------------------------------------------------

    def start_master(self, at: float | None = None) -> list[Said]:
        """Start a master from the catalog; what the earlier one had in memory is gone."""
        self.now = self.now if at is None else at
        self.boots += 1
        self.master = Master(self.options, self.policies, random.Random(self.seed + self.boots), str(self.boots))
        return self._take(self.master.start(self.catalog.image(), self.now))

    def handle(self, event: events.Event, at: float | None = None) -> list[Said]:
        """Send one event; return all that the master wants done, but for the lines of the trace."""
        assert at is None or at >= self.now, "time goes forward"
        self.now = self.now if at is None else at
        return self._take(self.master.handle(event, self.now))

    def ask(self, make: Callable[[int], events.Event], at: float | None = None) -> list[Said]:
        """Send a request under a fresh number."""
        self.request += 1
        return self.handle(make(self.request), at)

    def _take(self, todo: list[Instruction]) -> list[Said]:
        appends = [one for one in todo if isinstance(one, AppendCatalog)]
        assert appends == [one for one in todo[:1] if isinstance(one, AppendCatalog)], "records come first, all in one"
        for append in appends:
            for record in append.records:
                self.catalog.apply(record)
        self.todo, self.notes = todo, [one.event for one in todo if isinstance(one, Note)]
        self.trace.extend(self.notes)
        self._check_copies()
        self.master.validate()
        check_the_trace_tells_the_same(self.master, self.trace)
        return [self._plain(one) for one in todo if not isinstance(one, Note)]

    def _check_copies(self) -> None:
        """A copy has two ends, and no keeper is the target of two copies of one version at a time."""
        for event in self.notes:
            match event.kind:
                case Kind.MASTER_STARTED:
                    self.under_way.clear()
                case Kind.COPY_ORDERED:
                    assert event.detail["source"] != event.peer
                    assert self.under_way.setdefault((event.version, event.peer), event.id) == event.id
                case Kind.COPY_DONE | Kind.COPY_FAILED:
                    assert self.under_way.pop((event.version, event.peer)) == event.cause

    def _plain(self, instruction: Instruction) -> Said:
        match instruction:
            case Refuse(request, error):
                return Refused(request, type(error))
            case CopyReplica():
                copy = Copy(instruction.version.id, instruction.source, instruction.target)
                self.copies[copy] = instruction
                return copy
            case DropReplica(version, keeper, address, incarnation):
                assert (address, incarnation) == (self._keeper(keeper).address, self.incarnation(keeper))
                return Drop(version, keeper)
            case AppendCatalog() | Reply():
                return instruction
            case Note():
                raise AssertionError("notes are kept apart")

    def refusal(self) -> DfsError:
        """Return the error of the last event's only refusal."""
        (refuse,) = [one for one in self.todo if isinstance(one, Refuse)]
        return refuse.error

    def kinds(self) -> list[Kind]:
        """Return the kinds of the last event's lines in the trace."""
        return [event.kind for event in self.notes]

    def note(self, kind: Kind) -> TraceEvent:
        """Return the last event's only line of that kind."""
        (event,) = [event for event in self.notes if event.kind is kind]
        return event

    def say(self, node: str, kind: Kind, **fields: Any) -> str:
        """Add a line of another node than the master to the trace; return its id."""
        event = self.tracers.setdefault(node, Tracer(node, "1")).event(kind, self.now, **fields)
        self.trace.append(event)
        return event.id

    def fault(self, action: str, node: str = "", **detail: Any) -> str:
        """Have the laboratory say what it did to a node."""
        return self.say("lab", Kind.FAULT, peer=node, action=action, **detail)

    # -- what the master knows ----------------------------------------------------------------

    def _keeper(self, keeper: str) -> Any:
        return next(one for one in self.master.keepers() if one.id == keeper)

    def incarnation(self, keeper: str) -> int:
        """Return the incarnation of a keeper's newest registration."""
        return int(self._keeper(keeper).incarnation)

    def liveness(self, keeper: str) -> Liveness:
        """Return what the master believes of a keeper."""
        liveness: Liveness = self._keeper(keeper).liveness
        return liveness

    def states(self, name: str) -> dict[str, str]:
        """Return the states of a file's replicas, by keeper."""
        return {
            replica.keeper: str(replica.state) for version, replica, _ in self.master.rows() if version.name == name
        }

    def clock(self) -> MasterClock:
        """Return what keepers are told of the time."""
        return MasterClock(str(self.boots), self.now)

    def locate(self, name: str) -> Location:
        """Ask where a file can be read."""
        return self.master.locate(name, self.now)

    def version(self, name: str) -> Version:
        """Return the current version of a file, as the catalog has it."""
        return self.catalog.versions[self.master.stat(name).version]

    # -- keepers ------------------------------------------------------------------------------

    def register(
        self,
        keeper: str,
        *holds: Version | StoredReplica,
        boot: str = "",
        free_bytes: int = GB,
        sequence: int = 0,
        cluster: str = "",
        incarnation: int = 0,
        at: float | None = None,
    ) -> list[Said]:
        """Register a keeper whose report is `holds`."""
        number = int(keeper.rpartition("-")[2])
        report = tuple(one if isinstance(one, StoredReplica) else replica_of(one, keeper) for one in holds)
        return self.ask(
            lambda request: events.Register(
                request,
                keeper,
                boot or f"{keeper}/boot",
                Address("10.0.0.1", 5000 + number),
                Address("10.0.0.1", 6000 + number),
                f"/disks/{keeper}",
                free_bytes,
                report,
                sequence,
                cluster,
                incarnation,
            ),
            at,
        )

    def beat(
        self, keeper: str, *, incarnation: int | None = None, free_bytes: int = GB, at: float | None = None
    ) -> list[Said]:
        """Send one heartbeat."""
        number = self.incarnation(keeper) if incarnation is None else incarnation
        return self.ask(lambda request: events.Heartbeat(request, keeper, number, free_bytes), at)

    def run(self, until: float, *, silent: Sequence[str] = (), step: float = 1.0) -> list[Said]:
        """Let time pass with a tick and everybody's heartbeat every `step`; return all that the master wanted."""
        said: list[Said] = []
        while self.now < until:
            now = min(until, self.now + step)
            for keeper in self.master.keepers():
                if keeper.id not in silent and keeper.serves:
                    said += [one for one in self.beat(keeper.id, at=now) if not isinstance(one, Reply)]
            said += self.tick(now)
        return said

    def tick(self, at: float | None = None) -> list[Said]:
        """Let the master look at the clock."""
        return self.handle(events.Tick(), at)

    def stored(
        self,
        keeper: str,
        version: str,
        *,
        size: int,
        content: str,
        copy_id: str = "",
        incarnation: int | None = None,
        cause: str = "",
        at: float | None = None,
    ) -> list[Said]:
        """Step 4: a keeper has a replica."""
        number = self.incarnation(keeper) if incarnation is None else incarnation
        return self.ask(
            lambda request: events.ReplicaStored(
                request,
                keeper,
                number,
                version,
                size,
                BLOCK,
                checksums_of(content, size),
                path_of(keeper, version),
                UNIX_S + self.now,
                copy_id,
                cause,
            ),
            at,
        )

    def arrive(self, copy: Copy, at: float | None = None) -> list[Said]:
        """A copy ends well: its target has the replica."""
        self.now = self.now if at is None else at
        order = self.copies[copy]
        version = order.version
        cause = self.say(
            copy.target, Kind.REPLICA_STORED, version=version.id, peer="master", cause=order.cause, copy=order.copy_id
        )
        return self.ask(
            lambda request: events.ReplicaStored(
                request,
                copy.target,
                self.incarnation(copy.target),
                version.id,
                version.size,
                version.block_size,
                version.checksums,
                path_of(copy.target, version.id),
                UNIX_S + self.now,
                order.copy_id,
                cause,
            )
        )

    def fail(self, copy: Copy, *, source_at_fault: bool = False, at: float | None = None) -> list[Said]:
        """A copy comes to nothing."""
        copy_id = self.copies[copy].copy_id
        return self.ask(
            lambda request: events.CopyFailed(request, copy.target, copy_id, "it broke off", source_at_fault), at
        )

    def dropped(self, drop: Drop, *, incarnation: int | None = None, at: float | None = None) -> list[Said]:
        """A keeper has deleted a replica."""
        number = self.incarnation(drop.keeper) if incarnation is None else incarnation
        return self.ask(lambda request: events.ReplicaDropped(request, drop.keeper, number, drop.version), at)

    def bad(self, name: str, keeper: str, at: float | None = None) -> list[Said]:
        """A reader finds bad bytes in a replica of the current version of `name`."""
        version = self.master.stat(name).version
        return self.ask(lambda request: events.BadReplica(request, keeper, version, "block 0", "client"), at)

    # -- clients ------------------------------------------------------------------------------

    def begin(
        self,
        name: str,
        *,
        upload: str = "",
        size: int = 25,
        ack_replicas: int = 1,
        on: str = "",
        exclude: Sequence[str] = (),
        content: str = "",
        at: float | None = None,
    ) -> list[Said]:
        """Step 1: ask for a slot, which `on` can force by excluding everybody else."""
        self.now = self.now if at is None else at
        others = tuple(keeper.id for keeper in self.master.keepers() if on and keeper.id != on)
        transfer = upload or f"up-{name}"
        cause = self.say("client", Kind.UPLOAD_REQUESTED, file_name=name, peer="master", transfer=transfer)
        said = self.ask(
            lambda request: events.BeginUpload(
                request, transfer, name, size, ack_replicas, "client", (*exclude, *others), cause
            )
        )
        for answer in answers(said):
            if isinstance(answer, Reply) and isinstance(answer.value, Slot) and answer.value.committed is None:
                self.attempts[answer.value.version] = Attempt(answer.value, name, size, content or name)
        return said

    def finish(self, slot: Slot, at: float | None = None) -> list[Said]:
        """Step 4 of an upload: the slot's keeper has every byte."""
        self.now = self.now if at is None else at
        attempt = self.attempts[slot.version]
        sent = self.say(
            "client",
            Kind.UPLOAD_STARTED,
            file_name=attempt.name,
            version=slot.version,
            peer=slot.keeper,
            cause=slot.cause,
            transfer=f"up-{attempt.name}",
        )
        cause = self.say(slot.keeper, Kind.REPLICA_STORED, version=slot.version, peer="master", cause=sent, copy="")
        return self.stored(slot.keeper, slot.version, size=attempt.size, content=attempt.content, cause=cause)

    def wait(self, upload: str, *, hold_s: float = 1.0, at: float | None = None) -> list[Said]:
        """Step 6: a client waits for its acknowledgement."""
        return self.ask(lambda request: events.AwaitUpload(request, upload, hold_s), at)

    def upload(
        self, name: str, *, on: str = "keeper-1", upload: str = "", size: int = 25, content: str = ""
    ) -> list[Said]:
        """Store a file on one keeper (steps 1 to 5); return what the commit made the master want."""
        slot = value_of(self.begin(name, upload=upload, on=on, size=size, content=content))
        said = self.finish(slot)
        assert Reply(self.request, Recorded(keep=True)) in said
        return said

    def store(self, name: str, *, on: str = "keeper-1", size: int = 25, upload: str = "", content: str = "") -> Version:
        """Store a file and let every copy of it that is ordered arrive; return its version."""
        todo = orders(self.upload(name, on=on, size=size, upload=upload, content=content))
        version = self.version(name)
        while todo:
            order = todo.pop(0)
            if isinstance(order, Copy) and order.version == version.id:
                todo += orders(self.arrive(order))
        return version

    def delete(self, name: str, at: float | None = None) -> list[Said]:
        """Take a name away."""
        return self.ask(lambda request: events.Delete(request, name), at)

    def rename(self, old: str, new: str, at: float | None = None) -> list[Said]:
        """Give a file a new name."""
        return self.ask(lambda request: events.Rename(request, old, new), at)

    def scan(self, *, dry_run: bool = False, at: float | None = None) -> list[Said]:
        """Scan now."""
        return self.ask(lambda request: events.Scan(request, dry_run), at)

    def decommission(self, keeper: str, at: float | None = None) -> list[Said]:
        """Start draining a keeper."""
        return self.ask(lambda request: events.Decommission(request, keeper), at)


def lab(
    *,
    keepers: int = 0,
    free_bytes: int = GB,
    policies: Policies | None = None,
    catalog: Catalog | None = None,
    **options: Any,
) -> Lab:
    """Return a lab with `keepers` registered keepers, "keeper-1" and so on."""
    timeout_s = options.get("heartbeat_timeout_s", 3.0)
    policies = policies or Policies.of(placement=InOrder(), heartbeat_timeout_s=timeout_s)
    made = Lab(Options(**options), policies, catalog=catalog or Catalog())
    for number in range(1, keepers + 1):
        made.register(f"keeper-{number}", free_bytes=free_bytes)
    return made
