"""The cluster's files: upload, download, stat, delete, rename."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from dfslab.client import Client, Download
from dfslab.client.progress import ProgressArgument
from dfslab.client.source import Uploadable
from dfslab.core.errors import InvalidOption
from dfslab.core.model import FileInfo
from dfslab.core.names import check_name
from dfslab.core.nodes import LAB, MASTER, is_keeper
from dfslab.lab.plan import check_cluster_name
from dfslab.lab.running import Running

RESERVED = (MASTER, LAB, "trace")
"""Nodes that the trace knows besides keepers and clients."""


class Files(Running):
    """What one does with files; `Client` does the work."""

    def upload(
        self,
        source: Uploadable,
        name: str | None = None,
        ack_replicas: int | None = None,
        progress: ProgressArgument = None,
    ) -> FileInfo:
        """Store a file and return once it is acknowledged; `Client.upload` tells what it raises.

        Parameters
        ----------
        source : path or bytes
        name : str, optional
            Its name in the file system; by default the last part of the path.
        ack_replicas : int, optional
            Durable copies to wait for, 1 to `replicas`; by default the cluster's.
        progress : bool or callable, optional
            True for a progress bar, or `progress(done_bytes, total_bytes)`.
        """
        self._check_open()
        return self._client.upload(source, name, ack_replicas=ack_replicas, progress=progress)

    def download(
        self,
        name: str,
        to: str | os.PathLike[str] | None = None,
        scheduler: object = None,
        progress: ProgressArgument = None,
        holders: int | None = None,
    ) -> Download:
        """Fetch a file from all its holders in parallel; `Client.download` tells what it raises.

        Parameters
        ----------
        name : str
        to : path, optional
            A file or a folder; without it the file goes to a folder of its own under
            `root/downloads`, which a temporary cluster removes when it is closed.
        scheduler : str, class or object, optional
            The chunk scheduler of this download; by default the cluster's.
        progress : bool or callable, optional
            True for a progress bar, or `progress(done_bytes, total_bytes)`.
        holders : int, optional
            Fetch from so many holders at most; by default from all.

        Returns
        -------
        Download
            `.path`, `.size` (bytes), `.seconds`, `.throughput_mb_s` (10^6 bytes a second), and `.chunks`,
            a DataFrame of one row a chunk.
        """
        self._check_open()
        if to is None:
            check_name(name)
            self._client.stat(name)
            folder = self.root / "downloads" / f"{time.time_ns():x}-{secrets.token_hex(2)}"
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700)  # the root may be one that others can enter
            with _removed_if_empty(folder):
                return self._client.download(name, folder, scheduler=scheduler, progress=progress, holders=holders)
        return self._client.download(name, to, scheduler=scheduler, progress=progress, holders=holders)

    def client(self, name: str) -> Client:
        """Return one more client of this cluster, with a network card and lines in the trace of its own.

        `set_link`, `partition` and the pictures know it by its name. It ends with the cluster.

        Parameters
        ----------
        name : str
            The same client is returned for the same name; "client" is the cluster's own.

        Raises
        ------
        InvalidOption
            The name is not made of letters, digits, '-', '_' and '.', or another node has it.

        Examples
        --------
        >>> import dfslab
        >>> with dfslab.cluster.start(n=3, name="second-client-example") as cluster:
        ...     reader = cluster.client("reader")
        ...     _ = cluster.set_link("reader", rate_mb_s=5)
        ...     _ = cluster.upload(b"hello", name="greeting.txt")
        ...     reader.stat("greeting.txt").size
        5
        """
        self._check_open()
        check_cluster_name(name)
        if name in RESERVED or is_keeper(name):
            raise InvalidOption(option="name", value=repr(name), reason="a node of the cluster has that name")
        with self._clients_lock:
            self._check_open()  # what is made behind the back of `close` would stay open
            if name not in self._clients:
                self._clients[name] = self._make_client(name)
            return self._clients[name]

    def stat(self, name: str) -> FileInfo:
        """Return what the master knows of a file, or raise NoSuchFile."""
        self._check_open()
        return self._client.stat(name)

    def delete(self, name: str) -> None:
        """Take a file away; raise NoSuchFile when there is none."""
        self._check_open()
        self._client.delete(name)

    def rename(self, old: str, new: str) -> FileInfo:
        """Give the file `old` a name `new` that is free; raise NoSuchFile, FileAlreadyExists or InvalidName."""
        self._check_open()
        return self._client.rename(old, new)


@contextlib.contextmanager
def _removed_if_empty(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # there is a file in it, or the cluster was closed and the folder is gone
            folder.rmdir()
