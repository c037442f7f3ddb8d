"""A replica on its way to a simulated disk: written aside, then published step by step."""

from __future__ import annotations

from dfslab.core.keeper.shelf import CHECKSUMS, DATA, TEMPORARY, Step, to_discard
from dfslab.sim.disk import Disk, File
from dfslab.sim.wire import checksums_file, checksums_of


class Writer:
    """A replica being written aside, then published step by step."""

    def __init__(self, disk: Disk, version: str, size: int, block_size: int, number: int) -> None:
        self.disk, self.version, self.size, self.block_size = disk, version, size, block_size
        stem = f"{version}.{number:08x}"
        self.data_name, self.checksums_name = stem + DATA + TEMPORARY, stem + CHECKSUMS + TEMPORARY
        self._data = disk.create(self.data_name)
        self._beside: File | None = None

    @property
    def content(self) -> bytes:
        """What was written so far."""
        return bytes(self._data.content)

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self.disk.write(self._data, data)

    def take(self, step: Step) -> None:
        """Take one step of publishing."""
        disk = self.disk
        match step:
            case Step.SYNC_DATA:
                disk.sync(self._data)
            case Step.WRITE_CHECKSUMS:
                self._beside = disk.create(self.checksums_name)
                checksums = checksums_of(self.content, self.block_size)
                disk.write(self._beside, checksums_file(self.version, self.size, self.block_size, checksums))
            case Step.SYNC_CHECKSUMS:
                assert self._beside is not None
                disk.sync(self._beside)
            case Step.RENAME_CHECKSUMS:
                disk.rename(self.checksums_name, self.version + CHECKSUMS)
            case Step.RENAME_DATA:
                disk.rename(self.data_name, self.version + DATA)
            case Step.SYNC_DIRECTORY:
                disk.sync_directory()

    def discard(self, failed: Step) -> None:
        """Take the final names away that a failed publishing has given."""
        names = {Step.UNLINK_DATA: self.version + DATA, Step.UNLINK_CHECKSUMS: self.version + CHECKSUMS}
        for step in to_discard(failed):
            self.disk.unlink(names[step])

    def abort(self) -> None:
        """Remove what is still aside."""
        self.disk.unlink(self.data_name)
        self.disk.unlink(self.checksums_name)
