"""A keeper's disk: replicas are written aside, checked, synced, and renamed into place.

    <directory>/lock                    held while a keeper works here
    <directory>/keeper.json             whose directory this is
    <directory>/replicas/<version>.data the bytes, exactly as uploaded
    <directory>/replicas/<version>.crc  their checksums (ReplicaChecksums in proto/dfs.proto)
    <directory>/replicas/*.tmp          being written; swept at the next start

A replica exists once its `.data` does: the `.crc` is renamed first, the directory is synced last.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from dfslab.core.blocks import CHECKSUM_BYTES, block_count, digest
from dfslab.core.errors import DirectoryInUse, NoSuchReplica, ProtocolError, StorageFailed, WrongDirectory
from dfslab.core.model import StoredReplica
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.checksum import SIZE, block_crcs, crc
from dfslab.runtime.gate import Gate

_VERSION = re.compile(r"v[0-9]{1,18}-[0-9a-f]{10}")
UNKNOWN_DIGEST = 0xFFFFFFFF
"""What is reported for a replica whose checksums are missing or damaged: it matches no version."""


def check_version(version: str) -> str:
    """Return `version` if paths may be made from it; raise ProtocolError otherwise."""
    if not _VERSION.fullmatch(version):
        raise ProtocolError(reason=f"{version[:80]!r} is not a version id")
    return version


class DirectoryLock:
    """Holds a directory for one node: a second one, in this process or another, is refused."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise DirectoryInUse(path=str(directory)) from None

    def release(self) -> None:
        """Let the directory go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_identity(path: Path, values: dict[str, str]) -> None:
    """Write a small file that says whose a directory is: whole or not at all, readable by its owner only."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(json.dumps({**values, "format": 1}) + "\n")
        file.flush()
        os.fsync(fd)
    os.rename(temporary, path)
    sync_directory(path.parent)


def read_identity(path: Path, key: str) -> str:
    """Return a value of such a file, or "something else" when the file is none."""
    try:
        value = json.loads(path.read_text()).get(key)
    except (ValueError, AttributeError):
        value = None
    return value if isinstance(value, str) else "something else"


@dataclass(frozen=True, slots=True)
class OpenReplica:
    """A replica opened for reading; it can be read to its end even if it is deleted meanwhile."""

    fd: int
    size: int

    def close(self) -> None:
        """Close it."""
        os.close(self.fd)


class ReplicaWriter:
    """A replica being written: `write` its blocks in order, then `commit` or `abort`."""

    def __init__(self, storage: Storage, version: str, size: int, block_size: int) -> None:
        self._storage, self.version, self.size, self._block_size = storage, version, size, block_size
        self._checksums = bytearray()
        self._offset = 0
        stem = storage.replicas / f"{version}.{secrets.token_hex(4)}"
        self._data, self._crc = Path(f"{stem}.data.tmp"), Path(f"{stem}.crc.tmp")
        self._fd = os.open(self._data, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            storage.check_room()
            if size:
                os.posix_fallocate(self._fd, 0, size)
        except OSError as error:
            self.abort()
            raise storage.failed(error) from None

    def write(self, view: memoryview) -> None:
        """Append whole blocks (the last one may be shorter) and take their checksums."""
        self._checksums += block_crcs(view, self._block_size)
        done = 0
        while done < len(view):
            try:
                self._storage.check_room()
                done += os.pwrite(self._fd, view[done:], self._offset + done)
            except OSError as error:
                raise self._storage.failed(error) from None
        self._offset += len(view)

    @property
    def checksums(self) -> bytes:
        """The checksums of what was written, packed."""
        return bytes(self._checksums)

    def first_difference(self, checksums: bytes) -> int | None:
        """Return the first block whose checksum differs from the sender's, or None."""
        if checksums == self._checksums:
            return None
        mine = self.checksums
        for block in range(block_count(self.size, self._block_size)):
            part = slice(block * CHECKSUM_BYTES, (block + 1) * CHECKSUM_BYTES)
            if mine[part] != checksums[part]:
                return block
        return block_count(self.size, self._block_size)

    def commit(self) -> StoredReplica:
        """Make the replica durable under its final name and return it.

        A failed fsync is final: the kernel may have dropped the pages, so a second one could
        succeed without the bytes being there.
        """
        try:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._write_checksums()
            return self._storage.publish(self)
        except OSError as error:
            raise self._storage.failed(error) from None

    def _write_checksums(self) -> None:
        message = pb.ReplicaChecksums(
            version=self.version, size=self.size, block_size=self._block_size, checksums=self.checksums
        ).SerializeToString()
        fd = os.open(self._crc, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:  # writes all of it, or raises
            file.write(crc(message) + message)
            file.flush()
            os.fsync(fd)

    @property
    def temporary(self) -> tuple[Path, Path]:
        """Where data and checksums are before they are published."""
        return self._data, self._crc

    def abort(self) -> None:
        """Remove what was written."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._data.unlink(missing_ok=True)
        self._crc.unlink(missing_ok=True)


class Storage:
    """The replicas of one keeper.

    Parameters
    ----------
    directory : Path
        Made if it is not there.
    keeper : str
        Whose it is.
    gate : Gate
        Checked before anything is published, so that a killed keeper publishes nothing.

    Attributes
    ----------
    is_full : bool
        Set it, and the disk behaves as one without room: nothing new is written, what is there stays.

    Raises
    ------
    DirectoryInUse
        Another keeper works there.
    WrongDirectory
        It belongs to another keeper.
    """

    def __init__(self, directory: Path, keeper: str, gate: Gate) -> None:
        self.directory, self.keeper = directory.resolve(), keeper
        self.is_full = False
        self.replicas = self.directory / "replicas"
        self._gate = gate
        try:
            self._lock = DirectoryLock(self.directory)
        except OSError as error:
            raise error if isinstance(error, DirectoryInUse) else self.failed(error) from None
        try:
            self._claim()
            self._sweep()
        except BaseException:
            self._lock.release()
            raise

    def _claim(self) -> None:
        self.replicas.mkdir(exist_ok=True)
        identity = self.directory / "keeper.json"
        if identity.exists():
            owner = read_identity(identity, "keeper")
            if owner != self.keeper:
                raise WrongDirectory(path=str(self.directory), owner=owner, wanted=self.keeper)
            return
        write_identity(identity, {"keeper": self.keeper})

    def _sweep(self) -> None:
        for path in self.replicas.iterdir():
            orphan = path.suffix == ".crc" and not path.with_suffix(".data").exists()
            if path.suffix == ".tmp" or orphan:
                path.unlink()

    def failed(self, error: OSError) -> StorageFailed:
        """Return the typed error for a failure of the disk."""
        reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        return StorageFailed(keeper=self.keeper, reason=reason)

    def check_room(self) -> None:
        """Fail as the kernel does when the disk is full."""
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def free_bytes(self) -> int:
        """Return the room left on the disk."""
        if self.is_full:
            return 0
        stat = os.statvfs(self.directory)
        return stat.f_bavail * stat.f_frsize

    def scan(self) -> Iterator[StoredReplica]:
        """Yield what is on the disk, by version; without good checksums, with a digest that fits no version."""
        for path in sorted(self.replicas.glob("*.data")):
            if _VERSION.fullmatch(path.stem) and not path.is_symlink():
                size = path.stat().st_size
                yield StoredReplica(path.stem, size, self._digest(path, size), str(path))

    def _digest(self, path: Path, size: int) -> int:
        try:
            content = path.with_suffix(".crc").read_bytes()
            message = pb.ReplicaChecksums.FromString(content[SIZE:])
        except (FileNotFoundError, DecodeError):
            return UNKNOWN_DIGEST
        sound = content[:SIZE] == crc(content[SIZE:])
        if not sound or message.version != path.stem or message.size != size:
            return UNKNOWN_DIGEST
        return digest(message.checksums)

    def create(self, version: str, size: int, block_size: int) -> ReplicaWriter:
        """Start writing a replica; room for it is allocated at once."""
        try:
            return ReplicaWriter(self, check_version(version), size, block_size)
        except FileNotFoundError as error:
            raise self.failed(error) from None

    def publish(self, writer: ReplicaWriter) -> StoredReplica:
        """Rename a written replica into place: checksums first, data last, then sync the directory."""
        data, checksums = writer.temporary
        final = self.replicas / f"{writer.version}.data"
        self._gate.check()
        os.rename(checksums, final.with_suffix(".crc"))
        os.rename(data, final)
        sync_directory(self.replicas)
        self._gate.check()
        return StoredReplica(writer.version, writer.size, digest(writer.checksums), str(final))

    def open(self, version: str) -> OpenReplica:
        """Open a replica for reading, or raise NoSuchReplica."""
        path = self.replicas / f"{check_version(version)}.data"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP):
                raise self.failed(error) from None
            raise NoSuchReplica(keeper=self.keeper, version=version) from None
        return OpenReplica(fd, os.fstat(fd).st_size)

    def delete(self, version: str) -> None:
        """Remove a replica, data first, durably; one that is not there is no error."""
        path = self.replicas / f"{check_version(version)}.data"
        path.unlink(missing_ok=True)
        path.with_suffix(".crc").unlink(missing_ok=True)
        sync_directory(self.replicas)

    def close(self) -> None:
        """Let the directory go."""
        self._lock.release()
