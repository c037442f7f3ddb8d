"""One case: its seed, the clusters that it starts, the faults that struck, and the verdict at its end."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import dfslab
from tests.faults import disks
from tests.faults.ledger import Ledger
from tests.faults.leftovers import Before
from tests.faults.waiting import until_none

QUICK: dict[str, Any] = {
    "speed": 20.0,
    "heartbeat_interval_s": 5.0,
    "heartbeat_timeout_s": 40.0,
    "replication_interval_s": 15.0,
    "scrub_interval_s": 20_000.0,
}
"""Heartbeats every 0.25 s, death after 2 s, a scan every 0.75 s, orphans collected after 3 s, scrubs at will."""
LEFTOVER_LIMIT_S = 10.0
PART_BYTES = 1 << 22

_names = itertools.count(1)


class Case:
    """What a test of the matrix works with.

    Parameters
    ----------
    seed : int
        Of sizes, contents and moments.

    Attributes
    ----------
    rng : Random
    folder : Path
        The case's own; it goes when the case is over.
    struck : Counter
        How often each fault really struck. A case in which none did has failed.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.rng = seed, Random(seed)
        self.struck: Counter[str] = Counter()
        self._before = Before()
        self._ports: set[int] = set()
        self._ledgers: list[Ledger] = []
        self._undo = contextlib.ExitStack()
        self.folder = Path(self._undo.enter_context(tempfile.TemporaryDirectory(prefix="dfslab-fault-"))).resolve()

    def start(self, n: int = 4, *, replicas: int = 3, **options: Any) -> Ledger:
        """Start a cluster with quick timers, and return the books of its files."""
        name = f"fault-{next(_names)}"
        given = {**QUICK, "root": self.folder / name, "seed": self.seed, **options}
        cluster = dfslab.cluster.start(n, name=name, replicas=replicas, **given)
        self._undo.callback(cluster.close)
        got = self.folder / f"{name}-downloads"
        got.mkdir()
        ledger = Ledger(cluster, got, self.rng, replicas)
        self._ledgers.append(ledger)
        return ledger

    def strike(self, what: str, times: int = 1) -> None:
        """Note that a fault has really struck; for 0 times, that it has not."""
        self.struck[what] += times

    def finally_(self, undo: Callable[[], object]) -> None:
        """Have something done at the end, whatever happens; what was begun last ends first."""
        self._undo.callback(undo)

    def write(self, path: Path, size: int) -> None:
        """Write a file of so many bytes, drawn a part at a time."""
        with path.open("wb") as file:
            for at in range(0, size, PART_BYTES):
                file.write(self.rng.randbytes(min(PART_BYTES, size - at)))

    def process(self, command: Sequence[str | Path], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program that ends with the case at the latest; `options` are those of Popen."""
        started = self._undo.enter_context(subprocess.Popen(command, **options))
        self._undo.callback(started.kill)
        return started

    def judge(self) -> None:
        """Fail unless a fault struck and the oracle is content; then nothing of the case is left but its folder."""
        assert self.struck.total(), "no fault struck in this case, so it has shown nothing"
        for ledger in self._ledgers:
            if not ledger.cluster.closed:
                ledger.judge()
                self._ports |= _ports_of(ledger)
                ledger.cluster.close()
        until_none("leftovers", self.leftovers, LEFTOVER_LIMIT_S)

    def leftovers(self) -> list[str]:
        """Return, in words, what the case has left in this process, on this machine and in its folder."""
        files = [f"the file {path.relative_to(self.folder)}" for path in disks.temporary_files(self.folder)]
        return [*self._before.left(self._ports), *files]

    def close(self) -> None:
        """Undo what is still standing, in case the test failed in its middle."""
        self._undo.close()


def _ports_of(ledger: Ledger) -> set[int]:
    keepers = ledger.cluster._client.keeper_infos()
    theirs = [address.port for keeper in keepers for address in (keeper.address, keeper.data_address)]
    return {int(ledger.cluster.address.rpartition(":")[2]), *theirs}
