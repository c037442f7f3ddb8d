"""Keepers' disks, looked at from outside: which copies are really there, and what does not belong there.

This reads the formats of proto/dfs.proto by itself, so that a mistake of the keeper's own code can't hide here.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import crc32c
import pytest
from google.protobuf.message import DecodeError

from dfslab.runtime import dfs_pb2 as pb

CHUNK_BYTES, PAGE_BYTES = 1 << 20, 4096


@dataclass(frozen=True)
class Copy:
    """A replica's two files."""

    data: Path

    @property
    def crc(self) -> Path:
        """Where its checksums are."""
        return self.data.with_suffix(".crc")

    @property
    def version(self) -> str:
        """Whose content it is."""
        return self.data.stem

    @property
    def keeper(self) -> str:
        """On whose disk it is."""
        return self.data.parent.parent.name

    def digest(self) -> str:
        """Return the SHA-256 of its bytes."""
        return digest_of(self.data)

    def wrong(self) -> str:
        """Say what is wrong between its bytes and the checksums beside it; nothing when all is well."""
        try:
            noted, content = self.crc.read_bytes(), self.data.read_bytes()
            message = pb.ReplicaChecksums.FromString(noted[4:])
        except (OSError, DecodeError) as error:
            return str(error)
        if noted[:4] != struct.pack(">I", crc32c.crc32c(noted[4:])):
            return "its checksum file is damaged"
        if (message.version, message.size) != (self.version, len(content)):
            return f"its checksum file is {message.version}'s, of {message.size} bytes"
        blocks = (content[at : at + message.block_size] for at in range(0, len(content), message.block_size))
        if message.checksums != b"".join(struct.pack(">I", crc32c.crc32c(block)) for block in blocks):
            return "its bytes are not those of its checksums"
        return ""


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copies(root: Path, version: str = "*") -> list[Copy]:
    """Return every copy (of a version) that lies under its final name, whatever the master knows of it."""
    return [Copy(path) for path in sorted(root.glob(f"keeper-*/replicas/{version}.data"))]


def copy_on(root: Path, keeper: str, version: str) -> Copy:
    """Return a keeper's copy of a version; it must be there."""
    copy = Copy(root / keeper / "replicas" / f"{version}.data")
    assert copy.data.is_file(), f"{keeper} has no copy of {version}"
    return copy


def temporary_files(root: Path) -> list[Path]:
    """Return what is being written, or was left in the middle of it."""
    return [path for suffix in ("tmp", "part") for path in sorted(root.rglob(f"*.{suffix}"))]


def strangers(root: Path, wanted: set[tuple[str, str]]) -> Iterator[str]:
    """Yield, in words, each file in the keepers' stores that is not one of the wanted (keeper, version) copies."""
    for path in sorted(root.glob("keeper-*/replicas/*")):
        keeper = path.parent.parent.name
        if path.suffix not in (".data", ".crc") or (keeper, path.stem) not in wanted:
            yield f"{keeper} has {path.name} left over"


class Tmpfs:
    """A small file system of its own over a folder, so that a disk can be really full.

    Needs the superuser's rights; without them the test is skipped.
    """

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "dfslab-fault", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a small disk can't be mounted here ({done.stderr.strip()}): run as root")
        self._ballast = folder / "ballast"

    @property
    def is_full(self) -> bool:
        """True from `fill` to `free`."""
        return self._ballast.exists()

    def fill(self) -> int:
        """Write until the disk takes nothing more; return the bytes that it took."""
        taken = 0
        with self._ballast.open("wb", buffering=0) as file:
            for step in (CHUNK_BYTES, PAGE_BYTES):
                try:
                    while True:
                        taken += file.write(bytes(step))
                except OSError:
                    continue
        return taken

    def free(self) -> None:
        """Take away what `fill` wrote."""
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Let the folder be as it was."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, capture_output=True)
