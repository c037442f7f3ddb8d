"""A replica being written: aside, checked block by block, then published by the steps of `core/keeper/shelf.py`."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from dfslab.core.blocks import SMALL_BYTES, digest, first_difference
from dfslab.core.keeper.shelf import CHECKSUMS, DATA, PUBLISH, TEMPORARY, Step, to_discard
from dfslab.core.model import StoredReplica
from dfslab.runtime import checksums_file, failpoints
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.checksum import block_crcs
from dfslab.runtime.shelf_directory import ShelfDirectory
from dfslab.runtime.writeback import WRITEBACK_BYTES, begin_writeback

if TYPE_CHECKING:
    from dfslab.runtime.storage import Storage


class ReplicaWriter:
    """A replica being written: `write` its blocks in order, then `commit` or `abort`.

    A step that fails is final. After a failed fsync the kernel may have dropped the pages, so that a second
    one could succeed without the bytes being there (FAULTS 15): the replica has failed, and what is left
    of it is removed as far as the disk lets it be. What can't be removed is swept at the next start.
    """

    def __init__(self, storage: Storage, shelf: ShelfDirectory, version: str, size: int, block_size: int) -> None:
        self._storage, self._shelf = storage, shelf
        self.version, self.size, self._block_size = version, size, block_size
        self._checksums = bytearray()
        self._offset = self._on_its_way = 0
        stem = f"{version}.{secrets.token_hex(4)}"
        self._data, self._crc = stem + DATA + TEMPORARY, stem + CHECKSUMS + TEMPORARY
        self._fd = self._crc_fd = -1
        try:
            self._fd = shelf.create(self._data)
            failpoints.hit("keeper.before.allocate")
            storage.check_room()
            if size > SMALL_BYTES:  # what is written in one go needs no room before
                os.posix_fallocate(self._fd, 0, size)
        except BaseException as error:
            self.abort()
            if isinstance(error, OSError):
                raise storage.failed(error) from None
            raise

    def write(self, view: memoryview) -> None:
        """Append whole blocks (the last one may be shorter) and take their checksums."""
        self._checksums += block_crcs(view, self._block_size)
        done = 0
        while done < len(view):
            try:
                failpoints.hit("keeper.before.write")
                self._storage.check_room()
                done += os.pwrite(self._fd, view[done:], self._offset + done)
            except OSError as error:
                raise self._storage.failed(error) from None
        self._offset += len(view)
        if self._offset - self._on_its_way >= WRITEBACK_BYTES:
            self._begin_writeback()

    def _begin_writeback(self) -> None:
        try:
            begin_writeback(self._fd, self._on_its_way, self._offset - self._on_its_way)
        except OSError as error:
            raise self._storage.failed(error) from None
        self._on_its_way = self._offset

    @property
    def checksums(self) -> bytes:
        """The checksums of what was written, packed."""
        return bytes(self._checksums)

    def first_difference(self, checksums: bytes) -> int | None:
        """Return the first block whose checksum differs from the sender's, or None."""
        return first_difference(self.checksums, checksums)

    def commit(self) -> StoredReplica:
        """Make the replica durable under its final name and return it.

        Raises
        ------
        StorageFailed
            A step failed: there is no replica, and nothing was acknowledged.
        """
        version, shelf = self.version, self._shelf
        steps: dict[Step, Callable[[], None]] = {
            Step.SYNC_DATA: self._sync_data,
            Step.WRITE_CHECKSUMS: self._write_checksums,
            Step.SYNC_CHECKSUMS: self._sync_checksums,
            Step.RENAME_CHECKSUMS: lambda: shelf.rename(self._crc, version + CHECKSUMS),
            Step.RENAME_DATA: lambda: shelf.rename(self._data, version + DATA),
            Step.SYNC_DIRECTORY: shelf.sync,
        }
        for step in PUBLISH:
            try:
                shelf.take(step, steps[step])
            except OSError as error:
                self._discard(step)
                raise self._storage.failed(error) from None
        return StoredReplica(version, self.size, digest(self.checksums), shelf.path(version + DATA))

    def _sync_data(self) -> None:
        os.fsync(self._fd)
        fd, self._fd = self._fd, -1
        os.close(fd)

    def _write_checksums(self) -> None:
        noted = pb.ReplicaChecksums(
            version=self.version, size=self.size, block_size=self._block_size, checksums=self.checksums
        )
        self._storage.check_room()
        self._crc_fd = self._shelf.create(self._crc)
        left = memoryview(checksums_file.content_of(noted))
        while left:
            left = left[os.write(self._crc_fd, left) :]

    def _sync_checksums(self) -> None:
        os.fsync(self._crc_fd)
        fd, self._crc_fd = self._crc_fd, -1
        os.close(fd)

    def _discard(self, failed: Step) -> None:
        """Take the final names away that a failed publishing has given: data first, as in every deletion."""
        names = {Step.UNLINK_DATA: self.version + DATA, Step.UNLINK_CHECKSUMS: self.version + CHECKSUMS}
        with contextlib.suppress(OSError):  # the failure that led here is the one that is told
            for step in to_discard(failed):
                self._shelf.unlink(names[step])

    def abort(self) -> None:
        """Remove what was written aside; a keeper that was killed meanwhile leaves it to the next start."""
        for fd in (self._fd, self._crc_fd):
            if fd >= 0:
                with contextlib.suppress(OSError):  # its bytes are not wanted any more
                    os.close(fd)
        self._fd = self._crc_fd = -1
        for name in (self._data, self._crc):
            with contextlib.suppress(OSError):  # swept at the next start
                self._shelf.unlink(name)
