"""The values that the layers hand each other: plain, frozen, free of behaviour."""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.pretty import size_text, table


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `host:port`; raise ValueError when it is not that."""
        host, colon, port = text.rpartition(":")
        host = host.strip("[]")
        if not colon or not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"{text!r} is not host:port")
        return cls(host, int(port))


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable content of a file.

    Attributes
    ----------
    id : str
        Unique for the life of the catalog; every path on a keeper is made from it.
    name : str
        The file's name at the moment (a rename keeps the version).
    size : int
        Bytes.
    block_size : int
        Bytes a checksum covers.
    checksums : bytes
        CRC32C of each block, 4 bytes each, big-endian, made by the uploading client.
    created_at : float
        Unix time of the commit, seconds.
    deleted : bool
        True once the name is deleted or points to a newer version; its replicas are being dropped.
    """

    id: str
    name: str
    size: int
    block_size: int
    checksums: bytes
    created_at: float
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class StoredReplica:
    """What a keeper reports of one replica on its disk."""

    version: str
    size: int
    digest: int
    path: str


@dataclass(frozen=True, slots=True)
class CheckedReplica:
    """What reading a replica again has shown.

    Attributes
    ----------
    version : str
    bytes : int
        Its size as it was stored.
    problem : str
        What is wrong with it; empty when it is as it was stored.
    """

    version: str
    bytes: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """A live keeper that serves a replica, and where; `ticket` is the master's leave to read it there."""

    keeper: str
    address: Address
    ticket: bytes = b""


@dataclass(frozen=True, slots=True, repr=False)
class FileInfo:
    """What the file system knows of one file.

    Attributes
    ----------
    name, version : str
        The file and the version that is current.
    size : int
        Bytes.
    holders : tuple of str
        Live keepers with a verified copy, by name.
    created_at : float
        Unix time at which this version was committed, seconds.
    seconds : float or None
        For the result of an upload, how long it took; None from `stat`.
    """

    name: str
    version: str
    size: int
    holders: tuple[str, ...]
    created_at: float
    seconds: float | None = None

    @property
    def throughput_mb_s(self) -> float | None:
        """Rate of the upload in MB/s (10^6 bytes); None when this is not the result of one."""
        return self.size / 1e6 / self.seconds if self.seconds else None

    def __repr__(self) -> str:
        upload = f", uploaded in {self._upload_text()}" if self.seconds else ""
        return f"FileInfo({self.name!r}, {self.version}, {size_text(self.size)} on {self._where()}{upload})"

    def _repr_html_(self) -> str:
        rows = [("name", self.name), ("version", self.version), ("size", size_text(self.size)), ("on", self._where())]
        if self.seconds:
            rows.append(("upload", self._upload_text()))
        return table("file", rows)

    def _where(self) -> str:
        return ", ".join(self.holders) or "no live keeper"

    def _upload_text(self) -> str:
        return f"{self.seconds:.3f} s, {self.throughput_mb_s:.0f} MB/s"


@dataclass(frozen=True, slots=True)
class Location:
    """What the master answers a download with: the version, its checksums and who serves it."""

    version: Version
    holders: tuple[Holder, ...]
