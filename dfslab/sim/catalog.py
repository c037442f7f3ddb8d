"""The master's catalog as a database keeps it: a commit is durable whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dfslab.core.errors import CatalogFull
from dfslab.core.master.instructions import (
    CatalogRecord,
    ForgetReplica,
    ForgetUpload,
    ForgetVersion,
    PutKeeper,
    PutReplica,
    PutUpload,
    PutVersion,
)
from dfslab.core.master.master import CatalogImage
from dfslab.core.model import Version


class Catalog:
    """What survives every crash of the master.

    Parameters
    ----------
    on_record : callable
        Told of every record once it is durable, with the version that it replaces or forgets, if there is one.
    """

    def __init__(self, on_record: Callable[[CatalogRecord], None]) -> None:
        self._on_record = on_record
        self.is_full = False
        self.keepers: dict[str, PutKeeper] = {}
        self.versions: dict[str, Version] = {}
        self.names: dict[str, str] = {}
        self.replicas: dict[tuple[str, str], PutReplica] = {}
        self.uploads: dict[str, PutUpload] = {}

    def append(self, records: Sequence[CatalogRecord]) -> None:
        """Make records durable, or raise CatalogFull."""
        if self.is_full:
            raise CatalogFull(path="catalog")
        for record in records:
            self._apply(record)
            self._on_record(record)

    def _apply(self, record: CatalogRecord) -> None:
        match record:
            case PutKeeper(keeper):
                self.keepers[keeper] = record
            case PutVersion(version):
                self._put_version(version)
            case ForgetVersion(version_id):
                del self.versions[version_id]
            case PutReplica(version_id, keeper):
                self.replicas[version_id, keeper] = record
            case ForgetReplica(version_id, keeper):
                self.replicas.pop((version_id, keeper), None)
            case PutUpload(upload_id):
                self.uploads[upload_id] = record
            case ForgetUpload(upload_id):
                del self.uploads[upload_id]

    def _put_version(self, version: Version) -> None:
        before = self.versions.get(version.id)
        if before is not None and self.names.get(before.name) == version.id:
            del self.names[before.name]
        self.versions[version.id] = version
        if not version.deleted:
            assert version.name not in self.names, f"two current versions of {version.name!r}"
            self.names[version.name] = version.id

    def image(self) -> CatalogImage:
        """Return what a restarted master reads."""
        return CatalogImage(
            list(self.keepers.values()),
            list(self.versions.values()),
            list(self.replicas.values()),
            list(self.uploads.values()),
        )
