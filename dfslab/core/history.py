"""The lookup table as a function of the trace: fold the events up to a moment and you have the table of that moment.

The master keeps its own table (`dfslab.core.lookup`); this one is what views show, also for a
moment in the past and for a saved trace. Tests hold the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dfslab.core.trace import TraceEvent


@dataclass(frozen=True, slots=True)
class KeeperRow:
    """A keeper as the master saw it."""

    keeper: str
    state: str
    incarnation: int = 0
    address: str = ""
    data_address: str = ""
    directory: str = ""
    free_bytes: int = 0
    last_heartbeat_s: float | None = None

    @property
    def is_alive(self) -> bool:
        """True while the master counts on it."""
        return self.state in ("alive", "draining")


@dataclass(frozen=True, slots=True)
class FileRow:
    """A current version and its name."""

    version: str
    file_name: str
    size: int
    created_at: float


@dataclass(frozen=True, slots=True)
class ReplicaRow:
    """A replica of a version on a keeper."""

    version: str
    keeper: str
    path: str
    state: str
    since_s: float


@dataclass
class Table:
    """Keepers, files and replicas at one moment of a trace.

    The rows, and the mapping of a version's replicas by keeper, are shared between copies: an event
    puts new ones in their place.
    """

    keepers: dict[str, KeeperRow] = field(default_factory=dict)
    files: dict[str, FileRow] = field(default_factory=dict)
    replicas: dict[str, Mapping[str, ReplicaRow]] = field(default_factory=dict)

    def copy(self) -> Table:
        """Return a copy that later events do not change."""
        return Table(dict(self.keepers), dict(self.files), dict(self.replicas))

    @property
    def size(self) -> int:
        """How many entries a copy takes along."""
        return len(self.keepers) + len(self.files) + len(self.replicas)

    def apply(self, event: TraceEvent) -> None:
        """Bring the table up to `event`; kinds that do not touch it pass by."""
        step = _STEPS.get(event.kind)
        if step is not None:
            step(self, event)

    def as_dict(self) -> dict[str, Any]:
        """Return the rows as JSON-ready values."""
        return {
            "keepers": [asdict(row) for row in self.keepers.values()],
            "files": [asdict(row) for row in self.files.values()],
            "replicas": [asdict(row) for rows in self.replicas.values() for row in rows.values()],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Table:
        """Read what `as_dict` wrote; KeyError or TypeError names what can't be read."""
        table = cls()
        for row in (KeeperRow(**row) for row in values["keepers"]):
            table.keepers[row.keeper] = row
        for file in (FileRow(**row) for row in values["files"]):
            table.files[file.version] = file
        for replica in (ReplicaRow(**row) for row in values["replicas"]):
            table.replicas[replica.version] = {**table.replicas.get(replica.version, {}), replica.keeper: replica}
        return table

    def live_copies(self, version: str) -> int:
        """Return how many valid replicas of `version` are on live keepers."""
        return len(self.live_holders(version))

    def live_holders(self, version: str) -> list[str]:
        """Return the live keepers with a valid replica of `version`, in the order in which they got it."""
        return [keeper for keeper in self.valid_holders(version) if self.is_alive(keeper)]

    def valid_holders(self, version: str) -> list[str]:
        """Return the keepers with a valid replica of `version`, whether they live or not."""
        return [row.keeper for row in self.replicas.get(version, {}).values() if row.state == "valid"]

    def is_alive(self, keeper: str) -> bool:
        """Return True while the master counts on a keeper."""
        row = self.keepers.get(keeper)
        return row is not None and row.is_alive

    def version_of(self, file_name: str) -> str | None:
        """Return the version that a name means; in the middle of an overwrite, when both are there, the newer one."""
        return next((row.version for row in reversed(self.files.values()) if row.file_name == file_name), None)


def _master_started(table: Table, event: TraceEvent) -> None:
    table.keepers.clear()
    table.files.clear()
    table.replicas.clear()


def _keeper_registered(table: Table, event: TraceEvent) -> None:
    detail = event.detail
    table.keepers[event.peer] = KeeperRow(
        event.peer,
        detail["state"],
        detail["incarnation"],
        detail["address"],
        detail["data_address"],
        detail["directory"],
        detail["free_bytes"],
        event.time_s,
    )


def _keeper_unseen(table: Table, event: TraceEvent) -> None:
    table.keepers[event.peer] = KeeperRow(event.peer, "unseen", event.detail["incarnation"])


def _heartbeat(table: Table, event: TraceEvent) -> None:
    row = table.keepers.get(event.peer)
    if row is not None:  # by its constructor: this is most of the trace, and replace() takes three times as long
        table.keepers[event.peer] = KeeperRow(
            row.keeper,
            row.state,
            row.incarnation,
            row.address,
            row.data_address,
            row.directory,
            event.detail["free_bytes"],
            event.time_s,
        )


def _keeper_state(state: str) -> Callable[[Table, TraceEvent], None]:
    def step(table: Table, event: TraceEvent) -> None:
        table.keepers[event.peer] = replace(table.keepers[event.peer], state=state)

    return step


def _file_committed(table: Table, event: TraceEvent) -> None:
    table.files[event.version] = FileRow(event.version, event.file_name, event.bytes, event.detail["created_at"])


def _replica_recorded(table: Table, event: TraceEvent) -> None:
    row = ReplicaRow(event.version, event.peer, event.detail["path"], "valid", event.time_s)
    table.replicas[event.version] = {**table.replicas.get(event.version, {}), event.peer: row}


def _replica_state(state: str) -> Callable[[Table, TraceEvent], None]:
    def step(table: Table, event: TraceEvent) -> None:
        rows = table.replicas.get(event.version, {})
        if event.peer in rows:
            row = replace(rows[event.peer], state=state, since_s=event.time_s)
            table.replicas[event.version] = {**rows, event.peer: row}

    return step


def _replica_gone(table: Table, event: TraceEvent) -> None:
    rows = {keeper: row for keeper, row in table.replicas.get(event.version, {}).items() if keeper != event.peer}
    if rows:
        table.replicas[event.version] = rows
    else:
        table.replicas.pop(event.version, None)


def _file_deleted(table: Table, event: TraceEvent) -> None:
    table.files.pop(event.version, None)


def _file_renamed(table: Table, event: TraceEvent) -> None:
    table.files[event.version] = replace(table.files[event.version], file_name=event.file_name)


_STEPS: dict[str, Callable[[Table, TraceEvent], None]] = {
    "master_started": _master_started,
    "keeper_registered": _keeper_registered,
    "keeper_unseen": _keeper_unseen,
    "heartbeat": _heartbeat,
    "keeper_dead": _keeper_state("dead"),
    "keeper_draining": _keeper_state("draining"),
    "keeper_decommissioned": _keeper_state("decommissioned"),
    "file_committed": _file_committed,
    "file_restored": _file_committed,
    "replica_recorded": _replica_recorded,
    "replica_restored": _replica_recorded,
    "replica_corrupt": _replica_state("corrupt"),
    "replica_drop_ordered": _replica_state("dropping"),
    "replica_forgotten": _replica_gone,
    "file_deleted": _file_deleted,
    "file_renamed": _file_renamed,
}
