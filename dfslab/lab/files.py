"""The cluster's files: upload, download, stat, delete, rename."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from dfslab.client import Download
from dfslab.client.progress import ProgressArgument
from dfslab.client.source import Uploadable
from dfslab.core.model import FileInfo
from dfslab.core.names import check_name
from dfslab.lab.running import Running


class Files(Running):
    """What one does with files; `Client` does the work."""

    def upload(
        self,
        source: Uploadable,
        name: str | None = None,
        ack_replicas: int | None = None,
        progress: ProgressArgument = None,
    ) -> FileInfo:
        """Store a file (a path or bytes); see `Client.upload`."""
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
        """Fetch a file from all its holders in parallel; see `Client.download`.

        Without `to` it goes to a folder of its own under `root/downloads`, which a temporary
        cluster removes when it is closed.
        """
        self._check_open()
        if to is None:
            check_name(name)
            self._client.stat(name)
            folder = self.root / "downloads" / f"{time.time_ns():x}-{secrets.token_hex(2)}"
            folder.mkdir(parents=True)
            with _removed_if_empty(folder):
                return self._client.download(name, folder, scheduler=scheduler, progress=progress, holders=holders)
        return self._client.download(name, to, scheduler=scheduler, progress=progress, holders=holders)

    def stat(self, name: str) -> FileInfo:
        """Return what the master knows of a file, or raise NoSuchFile."""
        self._check_open()
        return self._client.stat(name)

    def delete(self, name: str) -> None:
        """Take a file away; raise NoSuchFile when there is none."""
        self._check_open()
        self._client.delete(name)

    def rename(self, old: str, new: str) -> FileInfo:
        """Give a file a new name that is free; raise NoSuchFile or FileAlreadyExists."""
        self._check_open()
        return self._client.rename(old, new)


@contextlib.contextmanager
def _removed_if_empty(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # there is a file in it, or the cluster was closed and the folder is gone
            folder.rmdir()
