"""Reads a cluster's directories while nobody works in them, every replica byte for byte, and changes nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfslab.core.blocks import MAX_BLOCK_BYTES, block_count, first_difference
from dfslab.core.errors import CatalogDamaged, DirectoryInUse, NothingToCheck
from dfslab.core.fsck import KeeperLook, ReadReplica, Report, Trouble, judge
from dfslab.core.keeper import shelf
from dfslab.core.keeper.shelf import CHECKSUMS, DATA
from dfslab.core.master.master import CatalogImage
from dfslab.runtime import checksums_file
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.catalog import CATALOG
from dfslab.runtime.catalog_mark import mark_path
from dfslab.runtime.catalog_reading import read_catalog
from dfslab.runtime.checksum import block_crcs
from dfslab.runtime.identity import identity_path, read_keeper_identity
from dfslab.runtime.shelf_directory import open_regular

READ_BYTES = 4 << 20
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""A link is not followed, and nobody writes into a pipe that lies in the place of a file: it is not waited for."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Places:
    """The directories to look at."""

    masters: tuple[Path, ...]
    keepers: tuple[Path, ...]


def find_places(directories: Sequence[Path]) -> Places:
    """Return what the given directories are: a master's, a keeper's, or the root of a cluster with both.

    Raises NothingToCheck for one that is none of these.
    """
    masters: list[Path] = []
    keepers: list[Path] = []
    for directory in directories:
        inside = sorted(path for path in directory.glob("*") if path.is_dir() and not path.is_symlink())
        candidates = [directory, *inside]
        found_masters = [path for path in candidates if _is_masters(path)]
        found_keepers = [path for path in candidates if _is_keepers(path)]
        if not found_masters and not found_keepers:
            raise NothingToCheck(path=str(directory))
        masters += found_masters
        keepers += found_keepers
    return Places(tuple(dict.fromkeys(masters)), tuple(dict.fromkeys(keepers)))


def _is_masters(path: Path) -> bool:
    catalog = path / CATALOG
    return catalog.exists() or mark_path(catalog).exists()


def _is_keepers(path: Path) -> bool:
    return identity_path(path).exists() or (path / "replicas").is_dir()


def check(directories: Sequence[Path], wanted: int, progress: Progress = lambda done, total: None) -> Report:
    """Read everything in these directories and judge it.

    Parameters
    ----------
    directories : sequence of Path
        A cluster's root, or directories of nodes.
    wanted : int
        Good copies that every file should have.
    progress : callable
        Told bytes read so far and in all.

    Raises
    ------
    NothingToCheck, DirectoryInUse
        And OSError when a directory can't be read.
    """
    places = find_places(directories)
    with contextlib.ExitStack() as stack:
        for path in (*places.masters, *places.keepers):
            stack.enter_context(_held(path))
        total = sum(_bytes_in(path) for path in places.keepers)
        done = _Counter(total, progress)
        image, damage = _read_catalogs(places)
        report = judge(image, [_look(path, done) for path in places.keepers], wanted)
    for catalog, reason in damage:
        report.add(Trouble.CATALOG, catalog, "", reason)
    report.findings.sort(key=lambda finding: finding.trouble is not Trouble.CATALOG)
    return report


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Keep nodes out of a directory meanwhile, without leaving a lock file where there was none."""
    try:
        fd = os.open(directory / "lock", _READ)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise DirectoryInUse(path=str(directory)) from None
    finally:
        os.close(fd)


def _read_catalogs(places: Places) -> tuple[CatalogImage | None, list[tuple[str, str]]]:
    image: CatalogImage | None = None
    damage = []
    for path in places.masters:
        try:
            image = read_catalog(path / CATALOG).image
        except CatalogDamaged as error:
            damage.append((str(path / CATALOG), str(error.fields["reason"])))
    return image, damage


class _Counter:
    """Adds up what was read, for whoever watches."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def add(self, size: int) -> None:
        """Count some more bytes."""
        self._done += size
        self._progress(self._done, self._total)


def _bytes_in(directory: Path) -> int:
    files = (path for path in (directory / "replicas").glob(f"*{DATA}") if not path.is_symlink())
    return sum(path.stat().st_size for path in files)


def _look(directory: Path, done: _Counter) -> KeeperLook:
    keeper, cluster, problem = "", "", ""
    try:
        identity = read_keeper_identity(directory)
        keeper, cluster = identity.keeper, identity.cluster
    except FileNotFoundError:
        problem = "its keeper.json is missing"
    except ValueError as error:
        problem = f"its keeper.json is damaged ({error})"
    folder = directory / "replicas"
    if folder.is_symlink():
        return KeeperLook(str(directory), keeper, cluster, symlinks=("replicas",), problem=problem)
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name) if folder.is_dir() else []
    links = tuple(entry.name for entry in entries if entry.is_symlink())
    names = tuple(entry.name for entry in entries if not entry.is_symlink() and entry.is_file(follow_symlinks=False))
    replicas = tuple(_read_replica(folder, version, done) for version in shelf.replicas(names))
    return KeeperLook(str(directory), keeper, cluster, replicas, names, links, problem)


def _read_replica(folder: Path, version: str, done: _Counter) -> ReadReplica:
    path = folder / f"{version}{DATA}"
    try:
        size = path.stat().st_size
        noted = _read_checksums(path.with_suffix(CHECKSUMS))
        if noted is None or not 1 <= noted.block_size <= MAX_BLOCK_BYTES:
            done.add(size)
            return ReadReplica(version, size, b"", "its checksums file is missing or damaged")
        checksums = _checksums_of(path, noted.block_size, done)
    except OSError as error:
        return ReadReplica(version, 0, b"", f"it can't be read: {error.strerror or error}")
    return ReadReplica(version, size, checksums, _own_problem(version, size, checksums, noted))


def _own_problem(version: str, size: int, checksums: bytes, noted: pb.ReplicaChecksums) -> str:
    if noted.version != version:
        return f"its checksums file is that of {noted.version}"
    if noted.size != size:
        return f"it has {size} bytes, its checksums are of {noted.size}"
    block = first_difference(checksums, noted.checksums)
    return "" if block is None else f"block {block} of {block_count(size, noted.block_size)} fails its CRC32C"


def _read_checksums(path: Path) -> pb.ReplicaChecksums | None:
    fd = open_regular(str(path))
    return None if fd is None else checksums_file.read(fd)


def _checksums_of(path: Path, block_size: int, done: _Counter) -> bytes:
    step = max(1, READ_BYTES // block_size) * block_size
    buffer = memoryview(bytearray(step))
    found = bytearray()
    fd = os.open(path, _READ)
    with open(fd, "rb") as file:
        while count := file.readinto(buffer):
            found += block_crcs(buffer[:count], block_size)
            done.add(count)
    return bytes(found)
