"""A keeper's disk: replicas are written aside, checked, synced, and renamed into place.

    <directory>/lock                    held while a keeper works here
    <directory>/keeper.json             whose directory this is
    <directory>/replicas/<version>.data the bytes, exactly as uploaded
    <directory>/replicas/<version>.crc  their checksums (ReplicaChecksums in proto/dfs.proto)
    <directory>/replicas/*.tmp          being written; swept at the next start

Which steps are taken in which order, and what a look at the directory means, is `core/keeper/shelf.py`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfslab.core.blocks import digest
from dfslab.core.errors import (
    BadReplica,
    DfsError,
    DirectoryInUse,
    NoSuchReplica,
    ProtocolError,
    ReplicaNotDeleted,
    StorageFailed,
    WrongDirectory,
)
from dfslab.core.keeper import shelf
from dfslab.core.keeper.shelf import CHECKSUMS, DATA, UNKNOWN_DIGEST, VERSION_ID, Step
from dfslab.core.model import StoredReplica
from dfslab.runtime import checksums_file
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.gate import Gate
from dfslab.runtime.replica_writer import ReplicaWriter
from dfslab.runtime.shelf_directory import ShelfDirectory

_IDENTITY_BYTES = 64 * 1024
"""More than a file that says whose a directory is ever has."""


def check_version(version: str) -> str:
    """Return `version` if paths may be made from it; raise ProtocolError otherwise."""
    if not VERSION_ID.fullmatch(version):
        raise ProtocolError(reason=f"{version[:80]!r} is not a version id")
    return version


DISK_ERRORS = frozenset({errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.ENODATA, errno.ENOMEDIUM})
"""What a disk says when it can't read: none of these is a socket's."""


SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""What is said when the process or the machine has no descriptor or no memory left, whatever is asked for."""


def reason_of(error: OSError) -> str:
    """Return what a disk's error says, in words."""
    return "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))


class DirectoryLock:
    """Holds a directory for one node: a second one, in this process or another, is refused."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise DirectoryInUse(path=str(directory)) from None

    @property
    def is_released(self) -> bool:
        """True once it was let go."""
        return self._fd < 0

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


def write_identity(path: Path, values: Mapping[str, str | int]) -> None:
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


def read_values(path: Path) -> dict[str, Any]:
    """Return what such a file says; raise ValueError when it says nothing of the kind, OSError if it can't be read."""
    # Without O_NONBLOCK, a pipe of that name would hold whoever opens it.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is no regular file")
        content = file.read(_IDENTITY_BYTES)
    try:
        values = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested beyond reading") from None
    if not isinstance(values, dict):
        raise ValueError("it is no JSON object")
    return values


def read_identity(path: Path, key: str) -> str:
    """Return a text of such a file, or "something else" when the file is none."""
    try:
        value = read_values(path).get(key)
    except ValueError:
        value = None
    return value if isinstance(value, str) else "something else"


@dataclass(frozen=True, slots=True)
class OpenReplica:
    """A replica opened for reading; it can be read to its end even if it is deleted meanwhile."""

    fd: int
    size: int

    def problem(self, error: OSError) -> str:
        """Return what is wrong with the replica after it could not be sent; an empty string when it is not at fault."""
        if error.errno in DISK_ERRORS:
            return f"it can't be read: {reason_of(error)}"
        size = os.fstat(self.fd).st_size
        return f"it became {size} bytes long while it was sent" if size < self.size else ""

    def close(self) -> None:
        """Close it."""
        os.close(self.fd)


class Storage:
    """The replicas of one keeper.

    Parameters
    ----------
    directory : Path
        Made if it is not there.
    keeper : str
        Whose it is.
    gate : Gate
        Checked at each step, so that a killed keeper publishes nothing.

    Attributes
    ----------
    is_full : bool
        Set it, and the disk behaves as one without room: nothing new is written, what is there stays.
    strays : list of str
        Files among the replicas that are none of a keeper's, found at the start and left alone.

    Raises
    ------
    DirectoryInUse
        Another keeper works there.
    WrongDirectory
        It belongs to another keeper.
    UnsafeDirectory
        A symbolic link is where the replicas should be.
    StorageFailed
        The disk does not let itself be read or written.
    """

    def __init__(self, directory: Path, keeper: str, gate: Gate) -> None:
        self.directory, self.keeper = directory.resolve(), keeper
        self.is_full = False
        self.replicas = self.directory / "replicas"
        try:
            self._lock = DirectoryLock(self.directory)
        except OSError as error:
            raise error if isinstance(error, DirectoryInUse) else self.failed(error) from None
        try:
            self._claim()
            self._shelf = ShelfDirectory(self.replicas, gate)
            self.strays = self._sweep()
        except BaseException as error:
            self._lock.release()
            if isinstance(error, OSError) and not isinstance(error, DfsError):
                raise self.failed(error) from None
            raise

    def _claim(self) -> None:
        identity = self.directory / "keeper.json"
        if identity.exists():
            owner = read_identity(identity, "keeper")
            if owner != self.keeper:
                raise WrongDirectory(path=str(self.directory), owner=owner, wanted=self.keeper)
            return
        write_identity(identity, {"keeper": self.keeper})

    def _sweep(self) -> list[str]:
        names = self._shelf.names()
        for name in shelf.leftovers(names):
            self._shelf.unlink(name)
        # A process that was killed between its last rename and its sync has left a name that may not be durable.
        self._shelf.take(Step.SYNC_DIRECTORY, self._shelf.sync)
        return shelf.strays(names)

    def failed(self, error: OSError) -> StorageFailed:
        """Return the typed error for a failure of the disk."""
        return StorageFailed(keeper=self.keeper, reason=reason_of(error))

    def check_is_the_disk(self, error: OSError) -> None:
        """Raise StorageFailed when the machine is short of something: nothing is wrong with what is stored."""
        if error.errno in SHORTAGES:
            raise self.failed(error) from None

    def check_room(self) -> None:
        """Fail as the kernel does when the disk is full."""
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def free_bytes(self) -> int:
        """Return the room left on the disk."""
        if self.is_full:
            return 0
        disk = os.statvfs(self.directory)
        return disk.f_bavail * disk.f_frsize

    def scan(self) -> Iterator[StoredReplica]:
        """Yield what is on the disk, by version; without good checksums, with a digest that fits no version."""
        for version in shelf.replicas(self._shelf.names()):
            try:
                fd = self._shelf.open(version + DATA)
            except OSError as error:  # it is there and can't be read: whoever asks for it is told so
                self.check_is_the_disk(error)
                yield StoredReplica(version, 0, UNKNOWN_DIGEST, self._shelf.path(version + DATA))
                continue
            if fd is not None:
                size = os.fstat(fd).st_size
                os.close(fd)
                yield StoredReplica(version, size, self._digest(version, size), self._shelf.path(version + DATA))

    def _digest(self, version: str, size: int) -> int:
        try:
            noted = self.checksums(version)
        except OSError as error:
            self.check_is_the_disk(error)
            return UNKNOWN_DIGEST
        if noted is None:
            return UNKNOWN_DIGEST
        return shelf.stored_digest(version, size, noted.version, noted.size, digest(noted.checksums))

    def checksums(self, version: str) -> pb.ReplicaChecksums | None:
        """Return what the checksums file of a replica says, or None when it is missing or damaged."""
        fd = self._shelf.open(version + CHECKSUMS)
        return None if fd is None else checksums_file.read(fd)

    def create(self, version: str, size: int, block_size: int) -> ReplicaWriter:
        """Start writing a replica; room for it is allocated at once. Raises StorageFailed when there is none."""
        return ReplicaWriter(self, self._shelf, check_version(version), size, block_size)

    def open(self, version: str) -> OpenReplica:
        """Open a replica for reading.

        Raises
        ------
        NoSuchReplica, BadReplica
            There is none, or the disk does not let it be read.
        StorageFailed
            This process is short of descriptors or memory: that says nothing of the replica.
        """
        name = check_version(version) + DATA
        try:
            fd = self._shelf.open(name)
        except OSError as error:
            self.check_is_the_disk(error)
            raise BadReplica(keeper=self.keeper, version=version, reason=reason_of(error)) from None
        if fd is None:
            raise NoSuchReplica(keeper=self.keeper, version=version)
        return OpenReplica(fd, os.fstat(fd).st_size)

    def delete(self, version: str) -> None:
        """Remove a replica, data first, durably; one that is not there is no error.

        Raises
        ------
        ReplicaNotDeleted
            A step failed; `remains` says whether there is still a replica.
        """
        check_version(version)
        steps = {
            Step.UNLINK_DATA: lambda: self._shelf.unlink(version + DATA),
            Step.UNLINK_CHECKSUMS: lambda: self._shelf.unlink(version + CHECKSUMS),
            Step.SYNC_DIRECTORY: self._shelf.sync,
        }
        try:
            for step in shelf.DELETE:
                self._shelf.take(step, steps[step])
        except OSError as error:
            raise ReplicaNotDeleted(keeper=self.keeper, version=version, reason=reason_of(error)) from None

    def remains(self, version: str) -> bool:
        """Return True unless a replica is certainly gone, after a deletion that failed."""
        try:
            return version + DATA in self._shelf.names()
        except OSError:
            return True

    def close(self) -> None:
        """Let the directory go."""
        if not self._lock.is_released:
            self._shelf.close()
            self._lock.release()
