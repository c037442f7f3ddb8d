"""What is really so in a simulated world, beside what its master believes: bytes uploaded, disks, names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from dfslab.core.guarantees import (
    check_acknowledgement,
    check_counted,
    check_deletion,
    check_gone,
    check_one_version,
    check_trim,
)
from dfslab.core.keeper.shelf import CHECKSUMS, DATA
from dfslab.core.master import Master, events
from dfslab.core.master.instructions import (
    AppendCatalog,
    CatalogRecord,
    DropReplica,
    ForgetReplica,
    Instruction,
    PutReplica,
    PutUpload,
    PutVersion,
    Refuse,
)
from dfslab.core.model import FileInfo, Version
from dfslab.sim.catalog import Catalog
from dfslab.sim.keeper import SimKeeper
from dfslab.sim.wire import noted_checksums


@dataclass
class Ledger:
    """The bookkeeping of one history.

    Attributes
    ----------
    content : dict of str to bytes
        What a client sends as each version that it was granted.
    committed : dict of str to Version
        Every version that the catalog has ever had.
    durable_on : dict of str to dict
        The keepers on whose stable storage each version has ever been.
    harmed : dict
        The replicas, (keeper, version), that the simulated world has damaged.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    committed: dict[str, Version] = field(default_factory=dict)
    durable_on: dict[str, dict[str, None]] = field(default_factory=dict)
    harmed: dict[tuple[str, str], None] = field(default_factory=dict)
    acknowledged: int = 0
    _registered: dict[str, str] = field(default_factory=dict)
    _became: dict[str, str] = field(default_factory=dict)

    def bind(
        self,
        catalog: Catalog,
        keepers: Mapping[str, SimKeeper],
        core: Callable[[], Master],
        replicas: int,
    ) -> None:
        """Say where the catalog, the disks and the master's core are, and how many replicas it wants of a file."""
        self._catalog, self._keepers = catalog, keepers
        self._core, self._replicas = core, replicas

    def on_record(self, record: CatalogRecord) -> None:
        """Take in what has become durable in the catalog, and check that an upload is one version."""
        if isinstance(record, PutVersion):
            self.committed[record.version.id] = record.version
        elif isinstance(record, PutUpload):
            check_one_version(
                record.upload_id, record.version, self._became.setdefault(record.upload_id, record.version)
            )

    # -- disks --------------------------------------------------------------------------------

    def is_good(self, keeper: SimKeeper, version: str, *, durable: bool = True) -> bool:
        """Return True when a keeper's disk has the right bytes of a version, also after a loss of power."""
        disk, names = keeper.disk, keeper.disk.durable_names if durable else keeper.disk.names
        data, beside = names.get(version + DATA), names.get(version + CHECKSUMS)
        if data is None or beside is None or disk.names.get(version + DATA) is not data:
            return False
        right = bytes(data.content) == self.content[version] and (not durable or data.is_durable)
        return right and noted_checksums(disk, version) is not None and (not durable or beside.is_durable)

    def good_copies(self, version: str, *, without: str = "") -> list[str]:
        """Return the keepers, dead or alive, on whose disk a version is, whole and durable."""
        return [name for name, one in self._keepers.items() if name != without and self.is_good(one, version)]

    def current(self) -> Mapping[str, str]:
        """Return the version of every name that the catalog has."""
        return self._catalog.names

    # -- what must hold -----------------------------------------------------------------------

    def on_master_started(self) -> None:
        """Take in that a new life of the master has heard nobody yet."""
        self._registered.clear()

    def on_master_event(self, event: events.Event, todo: list[Instruction]) -> None:
        """Check what the master concludes from what a keeper told it, and what it orders to be deleted.

        From a keeper's newest life on, everything that an earlier one has said is history.
        """
        if isinstance(event, events.ReplicaStored | events.Register | events.ReplicaDropped):
            keeper = self._keepers[event.keeper]
            if isinstance(event, events.Register) and not any(isinstance(one, Refuse) for one in todo):
                self._registered[keeper.name] = event.boot
            if keeper.life.alive and self._registered.get(keeper.name) == keeper.boot_id:
                self._check_conclusions(keeper, event, todo)
        for one in todo:
            if isinstance(one, DropReplica):
                self._check_order(self._keepers[one.keeper], one.version)

    def _check_conclusions(self, keeper: SimKeeper, event: events.Event, todo: Iterable[Instruction]) -> None:
        for record in _records(todo):
            if isinstance(record, PutReplica) and record.keeper == keeper.name and not record.corrupt:
                self._check_counted(keeper, record.version)
            elif isinstance(record, ForgetReplica) and isinstance(event, events.ReplicaDropped):
                gone = all(
                    record.version + DATA not in names for names in (keeper.disk.names, keeper.disk.durable_names)
                )
                check_gone(record.version, keeper.name, durably=gone)

    def _check_order(self, keeper: SimKeeper, version: str) -> None:
        core = self._core()
        name = next((info.name for info in core.files() if info.version == version), None)
        if name is None or (keeper.name, version) in self.harmed or not self.is_good(keeper, version):
            return
        others = [one for one in core.holders_of(version) if one != keeper.name]
        check_trim(name, version, keeper.name, others, self._replicas)

    def _check_counted(self, keeper: SimKeeper, version: str) -> None:
        if (keeper.name, version) in self.harmed or version not in self.content:
            return
        known = self.committed.get(version)
        if known is None or not known.deleted:
            good = self.is_good(keeper, version)
            if good:  # also what a start has made durable: its keeper was killed before it could
                self.durable_on.setdefault(version, {})[keeper.name] = None
            check_counted(known.name if known else "", version, keeper.name, durable=good)

    def on_acknowledged(self, name: str, info: FileInfo, ack_replicas: int) -> None:
        """Check an acknowledgement that a client has heard."""
        self.acknowledged += 1
        version = self.committed.get(info.version)
        is_current = version is not None and not version.deleted
        check_acknowledgement(
            name,
            info.version,
            in_catalog=version is not None,
            durable_on=list(self.durable_on.get(info.version, ())),
            ack_replicas=ack_replicas if is_current else 0,
        )

    def on_stored(self, keeper: SimKeeper, version: str) -> None:
        """Note a replica that was made durable, if it was."""
        if version in self.content and self.is_good(keeper, version):
            self.durable_on.setdefault(version, {})[keeper.name] = None

    def on_delete(self, keeper: SimKeeper, version: str) -> None:
        """Check a deletion before it happens."""
        known = self.committed.get(version)
        if known is None or known.deleted or version not in self.content or not self.is_good(keeper, version):
            return
        check_deletion(known.name, version, keeper.name, self.good_copies(version, without=keeper.name))

    # -- what the world may do ----------------------------------------------------------------

    def may_lose(self, keeper: SimKeeper, version: str, replicas: int) -> bool:
        """Return True when a file would be none the worse for losing a replica: it is on enough other disks.

        Losing `replicas - 1` keepers must lose no file that is fully replicated; more, or a file that is not
        yet, may be lost by anybody, and would show nothing.
        """
        known = self.committed.get(version)
        if known is None:
            return False  # its upload is under way
        return known.deleted or len(self.good_copies(version, without=keeper.name)) >= replicas - 1

    def was_durable(self, keeper: SimKeeper, version: str) -> bool:
        """Return True when a keeper has ever published a replica."""
        return keeper.name in self.durable_on.get(version, {})

    def harm(self, keeper: SimKeeper, version: str) -> None:
        """Note that the world damages a replica."""
        self.harmed[keeper.name, version] = None


def _records(todo: Iterable[Instruction]) -> list[CatalogRecord]:
    return [record for one in todo if isinstance(one, AppendCatalog) for record in one.records]
