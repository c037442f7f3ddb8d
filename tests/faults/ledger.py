"""The oracle: a cluster's files, through books that know what must be there.

After every case, whatever it was about (`Ledger.judge`):

- what was acknowledged reads back byte for byte, or, where the case says so, gives a clear error;
- what was not acknowledged is whole or absent, and what was refused for certain is absent;
- what was deleted stays deleted;
- `replicas` copies are back by the deadline: counted by reading them on the disks;
- no call outlived its time;
- after garbage collection nothing is left on the disks: no orphan, no temporary file.

Threads, ports and processes are counted by `Case`, when the cluster is closed.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from dfslab import DfsError
from dfslab.client import Download
from dfslab.client.progress import ProgressArgument
from dfslab.cluster import Cluster
from dfslab.core.errors import DownloadFailed, FileUnavailable, NoSuchFile
from dfslab.core.model import FileInfo
from dfslab.core.trace import Kind
from tests.faults import disks
from tests.faults.changes import GONE, Change, Changes, Outcome
from tests.faults.waiting import until_none

CALL_LIMIT_S = 10.0
"""A question or a deletion: the client's patience is 5 s; the rest is for a busy machine."""
TRANSFER_LIMIT_S = 45.0
"""An upload waits 30 s for its acknowledgement; before that, a transfer that stalls ends after 5 s."""
RECOVERY_LIMIT_S = 30.0
"""How long after the last fault is healed every file may take to have its copies back."""


class Ledger:
    """A cluster's files; what is asked of them goes into the books.

    Parameters
    ----------
    cluster : Cluster
    folder : Path
        For what is downloaded.
    rng : Random
        Draws the contents.

    Attributes
    ----------
    unavailable : dict of str to str
        Names of acknowledged files that the case has destroyed for good, and how.
    excused : set of str
        Parts of what a node may complain of in the trace; by default nothing.
    recovery_limit_s : float
        How long all may take to be well again.
    """

    def __init__(self, cluster: Cluster, folder: Path, rng: Random, replicas: int) -> None:
        self.cluster, self.replicas = cluster, replicas
        self._folder, self._rng = folder, rng
        self._changes = Changes()
        self._late: list[str] = []
        self._wrong: list[str] = []
        self._downloads = 0
        self._lock = threading.Lock()
        self.unavailable: dict[str, str] = {}
        self.excused: set[str] = set()
        self.recovery_limit_s = RECOVERY_LIMIT_S

    # -- calls --------------------------------------------------------------------------------

    def content(self, size: int) -> bytes:
        """Draw a content."""
        with self._lock:
            return self._rng.randbytes(size)

    def upload(
        self,
        name: str,
        content: bytes | int,
        ack_replicas: int | None = None,
        progress: ProgressArgument = None,
        *,
        limit_s: float = TRANSFER_LIMIT_S,
    ) -> FileInfo:
        """Upload bytes, or so many that are drawn, and return once acknowledged; errors are noted and raised."""
        data = self.content(content) if isinstance(content, int) else content
        change = self._changes.begin(name, hashlib.sha256(data).hexdigest())
        with self._timed(f"upload({name!r})", limit_s), self._noted(change):
            return self.cluster.upload(data, name=name, ack_replicas=ack_replicas, progress=progress)

    def begin(self, name: str, content: bytes | Path) -> Change:
        """Note an upload that somebody else makes: it may happen until `end`, or for ever."""
        if isinstance(content, Path):
            return self._changes.begin(name, disks.digest_of(content))
        return self._changes.begin(name, hashlib.sha256(content).hexdigest())

    def end(self, change: Change, outcome: Outcome) -> None:
        """Note what became of it."""
        self._changes.end(change, outcome)

    def acknowledged(self) -> int:
        """Return how many uploads and deletions were acknowledged so far."""
        return self._changes.acknowledged()

    def delete(self, name: str) -> None:
        """Delete a file; errors are noted and raised."""
        change = self._changes.begin(name, GONE)
        with self._timed(f"delete({name!r})", CALL_LIMIT_S), self._noted(change):
            self.cluster.delete(name)

    def download(
        self,
        name: str,
        scheduler: object = None,
        progress: ProgressArgument = None,
        *,
        limit_s: float = TRANSFER_LIMIT_S,
    ) -> Download:
        """Download a file and check that it is one that may be there; errors are raised."""
        with self._lock:
            self._downloads += 1
            target = self._folder / f"download-{self._downloads}"
        began = time.monotonic()
        with self._timed(f"download({name!r})", limit_s):
            got = self.cluster.download(name, target, scheduler=scheduler, progress=progress)
        self._check(name, disks.digest_of(target), began)
        target.unlink()
        return got

    def is_there(self, name: str) -> bool:
        """Return whether a file has that name, and check that this may be so."""
        began = time.monotonic()
        try:
            with self._timed(f"stat({name!r})", CALL_LIMIT_S):
                self.cluster.stat(name)
        except NoSuchFile:
            self._check(name, GONE, began)
            return False
        return True

    def version(self, name: str) -> str:
        """Return the version that a name means."""
        return self.cluster.stat(name).version

    def holders(self, name: str) -> list[str]:
        """Return the live keepers with a copy of a file, as the master has them."""
        return list(self.cluster.stat(name).holders)

    def _check(self, name: str, found: str, began: float) -> None:
        possible = self._changes.possible(name, began, time.monotonic())
        if found in possible:
            return
        wanted = "it should be gone" if possible == {GONE} else "it is none of the contents that it may have"
        wrong = f"{name!r} is lost: it was acknowledged" if found == GONE else f"{name!r} is wrong: {wanted}"
        self._wrong.append(wrong)
        raise AssertionError(wrong)

    @contextlib.contextmanager
    def _noted(self, change: Change) -> Iterator[None]:
        try:
            yield
        except DfsError as error:
            self._changes.end(change, Outcome.REFUSED if error.definite else Outcome.UNKNOWN)
            raise
        self._changes.end(change, Outcome.ACKNOWLEDGED)

    @contextlib.contextmanager
    def _timed(self, call: str, limit_s: float) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            took_s = time.monotonic() - began
            if took_s > limit_s:
                self._late.append(f"{call} took {took_s:.1f} s, {limit_s:.0f} s are allowed")

    # -- the trace ----------------------------------------------------------------------------

    def events(self, kind: Kind, **detail: Any) -> list[Any]:
        """Return the lines of a kind in the trace, those with these details."""
        return [
            event
            for event in self.cluster._recorder.events()
            if event.kind is kind and all(event.detail.get(key) == value for key, value in detail.items())
        ]

    def count(self, kind: Kind, **detail: Any) -> int:
        """Return how many there are."""
        return len(self.events(kind, **detail))

    # -- the verdict --------------------------------------------------------------------------

    def judge(self) -> None:
        """Heal every fault, and hold the cluster to all that this module promises."""
        self.cluster.heal_all()
        self.cluster.wait_for_recovery(self.recovery_limit_s)
        until_none("copies on the disks", self._not_as_wanted, self.recovery_limit_s)
        for name in self._changes.names():
            self._judge_file(name)
        errors = [str(event.detail.get("reason", "")) for event in self.events(Kind.NODE_ERROR)]
        errors = [error for error in errors if not any(part in error for part in self.excused)]
        for what, problems in (("errors of nodes", errors), ("late", self._late), ("wrong", self._wrong)):
            assert not problems, f"{what}: {'; '.join(problems)}"

    def _judge_file(self, name: str) -> None:
        if not self.is_there(name):
            return
        if name not in self.unavailable:
            self.download(name)
            return
        try:
            self.download(name)
        except (FileUnavailable, DownloadFailed) as error:
            if name not in str(error):
                raise

    def _not_as_wanted(self) -> Iterator[str]:
        """Yield each file that has not its verified copies, and each thing on the disks that belongs to no file."""
        client = self.cluster._client
        wanted: set[tuple[str, str]] = set()
        copies: Counter[str] = Counter()
        for row in client.lookup_rows():
            wanted.add((row.data_node, row.version))
            if row.file_name in self.unavailable:
                continue
            problem = self._wrong_with(disks.Copy(Path(row.file_path)), row.file_name, row.state)
            if problem:
                yield problem
            else:
                copies[row.file_name] += 1
        goal = min(self.replicas, sum(keeper.is_alive for keeper in client.keeper_infos()))
        for file in client.list():
            if file.name not in self.unavailable and copies[file.name] != goal:
                yield f"{file.name!r} has {copies[file.name]} verified copies, {goal} are wanted"
        yield from disks.strangers(self.cluster.root, wanted)

    def _wrong_with(self, copy: disks.Copy, name: str, state: str) -> str:
        where = f"the copy of {name!r} on {copy.keeper}"
        if state != "valid":
            return f"{where} is {state}"
        now = time.monotonic()
        if not copy.data.is_file():
            return f"{where} is not there"
        if copy.digest() not in self._changes.possible(name, now, now):
            return f"{where} has bytes that nobody uploaded"
        problem = copy.wrong()
        return problem and f"{where}: {problem}"
