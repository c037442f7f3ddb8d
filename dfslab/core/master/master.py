"""The master tracker: one object that turns events into instructions, and answers questions about its tables."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dfslab.core.errors import DfsError, FileUnavailable, MasterStarting
from dfslab.core.liveness import Liveness
from dfslab.core.lookup import Replica, ReplicaState
from dfslab.core.master import copies, events, namespace, read_only, registration, repair, replicas, uploads
from dfslab.core.master.instructions import (
    CatalogRecord,
    Instruction,
    PutKeeper,
    PutReplica,
    PutUpload,
    PutVersion,
)
from dfslab.core.master.state import Effects, Keeper, MasterState, Upload
from dfslab.core.model import FileInfo, Holder, Location, Version
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.trace import Kind

Handler = Callable[[MasterState, Any, float, Effects], None]


def _on_tick(state: MasterState, event: events.Tick, now: float, out: Effects) -> None:
    if state.read_only is not None:
        read_only.on_tick(state, now, out)
        return
    registration.declare_the_dead(state, now, out)
    registration.leave_safe_mode(state, now, out)
    registration.release_the_drained(state, now, out)
    copies.abandon_late(state, now, out)
    uploads.release_waiters(state, now, out)
    uploads.expire(state, now, out)
    if now >= state.next_scan_at:
        state.next_scan_at = now + state.options.replication_interval_s
        repair.run_scan(state, now, out)


HANDLERS: dict[type, Handler] = {
    events.Register: registration.on_register,
    events.Heartbeat: registration.on_heartbeat,
    events.ReplicaStored: uploads.on_replica_stored,
    events.CopyFailed: copies.on_copy_failed,
    events.ReplicaDropped: repair.on_replica_dropped,
    events.BadReplica: repair.on_bad_replica,
    events.BeginUpload: uploads.on_begin_upload,
    events.AwaitUpload: uploads.on_await_upload,
    events.Delete: namespace.on_delete,
    events.Rename: namespace.on_rename,
    events.Scan: repair.on_scan,
    events.Decommission: registration.on_decommission,
    events.WritesFailed: read_only.on_writes_failed,
    events.WritesWork: read_only.on_writes_work,
    events.Tick: _on_tick,
}


@dataclass
class CatalogImage:
    """What the catalog remembers, read back at a start.

    `cluster` is the cluster's id; `restored` says that it comes from a backup, so that it may have
    forgotten files that keepers still hold.
    """

    keepers: list[PutKeeper] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    replicas: list[PutReplica] = field(default_factory=list)
    uploads: list[PutUpload] = field(default_factory=list)
    cluster: str = ""
    restored: bool = False

    def records(self) -> Iterable[CatalogRecord]:
        """Yield the records that would make this image."""
        yield from self.keepers
        yield from map(PutVersion, self.versions)
        yield from self.replicas
        yield from self.uploads


class Master:
    """The master tracker's decisions.

    `handle` is the only thing that changes its state; the other methods answer questions. The
    caller provides mutual exclusion.

    Parameters
    ----------
    options : Options
    policies : Policies
    rng : random.Random
        The only source of chance.
    boot : str
        Distinguishes this start's trace ids and tickets from those of earlier ones, and names its clock.
    key : bytes
        The cluster's, from its token: it signs the tickets.
    """

    def __init__(
        self, options: Options, policies: Policies, rng: random.Random, boot: str = "1", key: bytes = b""
    ) -> None:
        self._state = MasterState(options, policies, rng, boot, key)

    def handle(self, event: events.Event, now: float) -> list[Instruction]:
        """Take one event at time `now` (seconds, monotonic) and return what is to be done, in order.

        A request that is refused changes nothing; its error comes back as a `Refuse`.
        """
        out = Effects(self._state.tracer, now)
        if self._state.read_only is not None and read_only.refuses(self._state, event):
            read_only.refuse(self._state, event, out)
            return out.instructions()
        try:
            HANDLERS[type(event)](self._state, event, now, out)
        except DfsError as error:
            if isinstance(event, events.Tick | events.WritesFailed | events.WritesWork):
                raise
            out = Effects(self._state.tracer, now)
            out.refuse(event.request, error)
        repair.after_event(self._state, now, out)
        return out.instructions()

    def start(self, image: CatalogImage, now: float, before: Master | None = None) -> list[Instruction]:
        """Load what the catalog remembers. With known keepers, begin in safe mode until they have reported.

        In safe mode nothing is copied and nothing deleted, so that a restart of everything together
        does not look like the death of everyone (HDFS calls it the same). From `before`, a core whose last
        changes did not become durable, is taken what no catalog has: which keepers are alive, who waits.
        """
        state, options = self._state, self._state.options
        out = Effects(state.tracer, now)
        cause = out.note(Kind.MASTER_STARTED, files=len(image.versions), keepers=len(image.keepers))
        state.cluster, state.restored = image.cluster, image.restored
        state.next_scan_at = now + options.replication_interval_s
        self._load_keepers(image, now, out, cause)
        self._load_files(image, out, cause)
        for record in image.uploads:
            self._load_upload(record, now)
        if before is not None:
            read_only.take_over(state, before._state, now, out, cause)
        for version_id in state.table.versions:
            repair.reassess(state, version_id, now, cause)
        return out.instructions()

    def _load_keepers(self, image: CatalogImage, now: float, out: Effects, cause: str) -> None:
        state = self._state
        for record in image.keepers:
            state.add_keeper(registration.restored_keeper(record))
            out.note(Kind.KEEPER_UNSEEN, peer=record.keeper, cause=cause, incarnation=record.incarnation)
            if record.decommissioned:
                out.note(Kind.KEEPER_DECOMMISSIONED, peer=record.keeper, cause=cause)
            else:
                state.safe_until = now + state.options.heartbeat_timeout_s + state.options.heartbeat_interval_s

    def _load_files(self, image: CatalogImage, out: Effects, cause: str) -> None:
        table = self._state.table
        for version in image.versions:
            table.load(version)
            if not version.deleted:
                out.note(
                    Kind.FILE_RESTORED, version=version, bytes=version.size, cause=cause, created_at=version.created_at
                )
        for record in image.replicas:
            version = table.versions[record.version]
            row_state = ReplicaState.DROPPING if version.deleted else ReplicaState.VALID
            self._state.put_replica(version.id, Replica(record.keeper, record.path, row_state))
            if version.deleted:
                self._state.unconfirmed_drops[version.id, record.keeper] = cause
            row_id = out.note(
                Kind.REPLICA_RESTORED,
                version=version,
                peer=record.keeper,
                bytes=version.size,
                cause=cause,
                path=record.path,
            )
            if record.corrupt and not version.deleted:
                replicas.note_corrupt(
                    self._state, version, record.keeper, out, row_id, reason="found before the restart"
                )

    def _load_upload(self, record: PutUpload, now: float) -> None:
        version = self._state.table.versions.get(record.version)
        size = version.size if version else 0
        # Its name is not recorded, and the version's may have changed since: a retry tells it.
        upload = Upload(record.upload_id, "", size, record.ack_replicas, "", now, now, committed=record.version)
        self._state.uploads[upload.id] = upload

    def stat(self, name: str) -> FileInfo:
        """Return what is known of a file, or raise NoSuchFile."""
        return self._state.file_info(self._state.table.current(name))

    def locate(self, name: str, now: float) -> Location:
        """Return where a file can be read, best first, or raise NoSuchFile, FileUnavailable or MasterStarting.

        When no valid copy is on a live keeper, copies that were found bad are offered: a reader checks
        every block, and some blocks may be good.
        """
        state = self._state
        version = state.table.current(name)
        keepers = state.serving_holders(version.id)
        if not keepers and state.safe_until is not None:
            raise MasterStarting
        keepers = keepers or self._serving_corrupt(version)
        if not keepers:
            raise FileUnavailable(name=name, holders=list(state.table.replicas(version.id)))
        sign = state.signing.download
        return Location(
            version, tuple(Holder(keeper.id, keeper.data_address, sign(version, keeper, now)) for keeper in keepers)
        )

    def _serving_corrupt(self, version: Version) -> list[Keeper]:
        rows = self._state.table.replicas(version.id).values()
        keepers = [self._state.keepers[row.keeper] for row in rows if row.state is ReplicaState.CORRUPT]
        return [keeper for keeper in keepers if keeper.serves]

    def holders_of(self, version: str) -> list[str]:
        """Return the keepers whose replica of a version counts."""
        return [keeper.id for keeper in self._state.serving_holders(version)]

    def files(self, prefix: str = "", after: str = "", limit: int = 1000) -> list[FileInfo]:
        """Return up to `limit` files whose names start with `prefix` and sort behind `after`, by name."""
        names = self._state.table.names_after(after, prefix)
        return [self.stat(name) for name in itertools.islice(names, limit)]

    def rows_of(self, name: str) -> list[tuple[Version, Replica, bool]]:
        """Return a file's rows of the lookup table: version, replica, and whether its keeper is alive."""
        version = self._state.table.current(name)
        rows = self._state.table.replicas(version.id).values()
        return [(version, row, self._state.keepers[row.keeper].serves) for row in rows]

    def rows(self) -> list[tuple[Version, Replica, bool]]:
        """Return the whole lookup table, by name."""
        return [row for name in self._state.table.names_after("") for row in self.rows_of(name)]

    def held_by(self, keeper_id: str) -> tuple[int, int]:
        """Return how many replicas a keeper holds, and their bytes."""
        return self._state.table.count_on(keeper_id), self._state.table.stored_bytes(keeper_id)

    def keepers(self) -> list[Keeper]:
        """Return the keepers in the order they first came; not to be changed."""
        return list(self._state.keepers.values())

    def upload_of(self, version_id: str) -> str:
        """Return the upload that a version still under way belongs to, or an empty string."""
        return self._state.upload_of.get(version_id, "")

    @property
    def is_read_only(self) -> bool:
        """True while the catalog takes nothing."""
        return self._state.read_only is not None

    @property
    def safe_mode(self) -> bool:
        """True while the master waits for reports after a restart."""
        return self._state.safe_until is not None

    def validate(self) -> None:
        """Check what must hold between any two events; a failure is a bug of ours."""
        self._validate_indexes()
        self._validate_copies()

    def _validate_indexes(self) -> None:
        state, goal = self._state, self._state.options.replicas
        short, surplus = dict.fromkeys(state.short), dict.fromkeys(state.surplus)
        for version in state.table.versions.values():
            live = 0 if version.deleted else state.live_copies(version.id)
            assert version.deleted or state.table.names[version.name] == version.id, version
            assert (version.id in short) == (not version.deleted and live < goal), version
            assert (version.id in surplus) == (live > goal), version
            assert not (version.deleted and version.id in state.copying), version
            for row in state.table.replicas(version.id).values():
                unconfirmed = (version.id, row.keeper) in state.unconfirmed_drops
                assert unconfirmed == (row.state is ReplicaState.DROPPING), row
                assert row.state is not ReplicaState.CORRUPT or version.id in state.corrupt, row
        indexed = [*short, *surplus, *state.copying, *(version_id for version_id, _ in state.unconfirmed_drops)]
        assert all(version_id in state.table.versions for version_id in indexed), indexed
        for keeper_id, version_id in state.orphans:
            assert state.table.replica(version_id, keeper_id) is None, (keeper_id, version_id)
        assert all(state.uploads[upload_id].waiters for upload_id in state.waiting), state.waiting
        waiting = [state.uploads[upload_id] for upload_id in state.waiting]
        assert state.awaited == {upload.committed: upload.id for upload in waiting if upload.committed}, state.awaited
        state.backlog.validate(state)
        open_uploads = [upload.id for upload in state.uploads.values() if not upload.committed]
        assert sorted(state.open_uploads) == sorted(open_uploads)
        assert list(state.table.names_after("")) == sorted(state.table.names)

    def _validate_copies(self) -> None:
        copies, limit = self._state.copies.values(), self._state.options.copies_per_keeper
        for keeper in self._state.keepers.values():
            into = [copy for copy in copies if copy.target == keeper.id]
            assert keeper.copies_in == len(into), keeper
            assert keeper.incoming_bytes == sum(copy.size for copy in into), keeper
            assert keeper.copies_out == sum(1 for copy in copies if copy.source == keeper.id), keeper
            assert not into or keeper.liveness is not Liveness.DEAD, keeper
            assert (keeper in self._state.alive()) == (keeper.liveness is Liveness.ALIVE), keeper
            assert (keeper in self._state.serving()) == keeper.serves, keeper
            assert (keeper.id in self._state.full) == (keeper.copies_in >= limit), keeper
        self._validate_loads()

    def _validate_loads(self) -> None:
        state = self._state
        loads = list(state.loads().items())
        for keeper_id in state.keepers:
            state.load_changed(keeper_id)
        assert loads == list(state.loads().items()), loads
        assert [keeper_id for keeper_id, _ in loads] == [keeper.id for keeper in state.alive()], loads
