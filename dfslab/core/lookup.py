"""The master's lookup table: names, versions, and where the replicas are."""

from __future__ import annotations

import enum
import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, KeysView
from dataclasses import dataclass, replace

from dfslab.core.errors import NoSuchFile
from dfslab.core.model import Version


class ReplicaState(enum.StrEnum):
    """What the master knows of one replica."""

    VALID = "valid"
    CORRUPT = "corrupt"
    """In quarantine: a reader, a copy or its keeper's scrubber found it bad. It stays where it is and does not count;
    it is nobody's source, is read only while no good copy is live, and goes once enough of those are there."""
    DROPPING = "dropping"
    """Its keeper was told to delete it, or will be when it is back; it does not count."""


_NOTHING: dict[str, None] = {}


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica of a version: the keeper that has it, its absolute path there, and whether it was ever found bad."""

    keeper: str
    path: str
    state: ReplicaState = ReplicaState.VALID
    bad: bool = False


class LookupTable:
    """Which version a name means, and which keepers hold it; indexed both ways."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.versions: dict[str, Version] = {}
        self._replicas: dict[str, dict[str, Replica]] = {}
        self._by_keeper: dict[str, dict[str, None]] = {}
        self._stored_bytes: dict[str, int] = {}
        self._in_order: list[str] | None = None  # the names, from when they are first listed on

    def current(self, name: str) -> Version:
        """Return the version that `name` means now, or raise NoSuchFile."""
        try:
            return self.versions[self.names[name]]
        except KeyError:
            raise NoSuchFile(name=name) from None

    def commit(self, version: Version) -> Version | None:
        """Make `version` current under its name; return the one that it replaces, now marked deleted."""
        previous = self.names.get(version.name)
        self.versions[version.id] = version
        self._put_name(version)
        return self._mark_deleted(previous) if previous else None

    def load(self, version: Version) -> None:
        """Take a version from the catalog."""
        self.versions[version.id] = version
        if not version.deleted:
            self._put_name(version)

    def delete(self, name: str) -> Version:
        """Take the name away; its version stays, marked deleted, until its replicas are gone."""
        version = self.current(name)
        self._take_name(name)
        return self._mark_deleted(version.id)

    def rename(self, old: str, new: str) -> Version:
        """Give the version of `old` the name `new`, which must be free."""
        version = replace(self.current(old), name=new)
        self._take_name(old)
        self._put_name(version)
        self.versions[version.id] = version
        return version

    def _put_name(self, version: Version) -> None:
        if self._in_order is not None and version.name not in self.names:
            insort(self._in_order, version.name)
        self.names[version.name] = version.id

    def _take_name(self, name: str) -> None:
        if self._in_order is not None:
            del self._in_order[bisect_left(self._in_order, name)]
        del self.names[name]

    def names_after(self, after: str, prefix: str = "") -> Iterator[str]:
        """Yield the names behind `after` that start with `prefix`, in their order."""
        if self._in_order is None:
            self._in_order = sorted(self.names)
        names = self._in_order
        first = max(bisect_right(names, after), bisect_left(names, prefix))
        following = map(names.__getitem__, range(first, len(names)))
        return itertools.takewhile(lambda name: name.startswith(prefix), following)

    def _mark_deleted(self, version_id: str) -> Version:
        version = replace(self.versions[version_id], deleted=True)
        self.versions[version_id] = version
        return version

    def forget_version(self, version_id: str) -> None:
        """Drop a deleted version that has no replica left."""
        del self.versions[version_id]

    def replicas(self, version_id: str) -> dict[str, Replica]:
        """Return the replicas of a version by keeper; not to be changed."""
        return self._replicas.get(version_id, {})

    def replica(self, version_id: str, keeper: str) -> Replica | None:
        """Return one replica, or None."""
        return self.replicas(version_id).get(keeper)

    def held_by(self, keeper: str) -> list[str]:
        """Return the versions that have a replica on `keeper`, in the order they came."""
        return list(self._by_keeper.get(keeper, ()))

    def versions_on(self, keeper: str) -> KeysView[str]:
        """Return the versions that have a replica on `keeper`, as they are at any time: a view."""
        return self._by_keeper.get(keeper, _NOTHING).keys()

    def count_on(self, keeper: str) -> int:
        """Return how many replicas are on `keeper`."""
        return len(self._by_keeper.get(keeper, ()))

    def stored_bytes(self, keeper: str) -> int:
        """Return the bytes of all replicas on `keeper`."""
        return self._stored_bytes.get(keeper, 0)

    def put_replica(self, version_id: str, replica: Replica) -> None:
        """Add a replica, or replace what was known of it."""
        rows = self._replicas.setdefault(version_id, {})
        if replica.keeper not in rows:
            self._by_keeper.setdefault(replica.keeper, {})[version_id] = None
            size = self.versions[version_id].size
            self._stored_bytes[replica.keeper] = self.stored_bytes(replica.keeper) + size
        rows[replica.keeper] = replica

    def set_state(self, version_id: str, keeper: str, state: ReplicaState) -> None:
        """Change the state of a replica that is there."""
        rows = self._replicas[version_id]
        bad = rows[keeper].bad or state is ReplicaState.CORRUPT
        rows[keeper] = replace(rows[keeper], state=state, bad=bad)

    def forget_replica(self, version_id: str, keeper: str) -> None:
        """Remove a replica that is there."""
        rows = self._replicas[version_id]
        del rows[keeper]
        if not rows:
            del self._replicas[version_id]
        del self._by_keeper[keeper][version_id]
        self._stored_bytes[keeper] -= self.versions[version_id].size
