"""The front door: `start()` and `Cluster`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dfslab.client import Client, Download
from dfslab.client.progress import ProgressArgument
from dfslab.client.source import Uploadable
from dfslab.core.errors import ClusterClosed, InvalidOption, NotEnoughKeepers, WrongDirectory
from dfslab.core.history import Table
from dfslab.core.model import Address, FileInfo
from dfslab.core.names import check_name
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.trace import TraceEvent
from dfslab.lab import at_exit
from dfslab.lab.nodes import Nodes, NodeState
from dfslab.lab.waits import short_of_replicas, wait_until
from dfslab.runtime.clock import Clock
from dfslab.runtime.keeper_node import KeeperSettings
from dfslab.runtime.master_node import MasterSettings
from dfslab.runtime.recorder import Recorder

if TYPE_CHECKING:
    import pandas as pd

    from dfslab.views.plots import Plots

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_running: dict[str, Cluster] = {}
_running_lock = threading.RLock()


@dataclass(frozen=True)
class _Plan:
    """The checked arguments of `start`."""

    n: int
    name: str
    root: Path | None
    options: Options
    policies: Policies
    seed: int | None
    host: str
    port: int


def start(
    n: int = 6,
    *,
    replicas: int = 3,
    ack_replicas: int = 1,
    name: str = "lab",
    root: str | os.PathLike[str] | None = None,
    heartbeat_interval_s: float = 1.0,
    heartbeat_timeout_s: float = 3.0,
    replication_interval_s: float = 10.0,
    repair: str = "eager",
    isolation: str = "thread",
    placement: object = "balanced",
    failure_detector: object = "timeout",
    repair_order: object = "fewest-copies-first",
    chunk_scheduler: object = "work-stealing",
    speed: float = 1.0,
    seed: int | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Cluster:
    """Start a master tracker and `n` data keepers, and return when all of them are registered.

    A cluster of the same name that runs in this process is closed first, so that a notebook cell
    can be run again. When the start fails, whatever had been started is stopped again.

    Parameters
    ----------
    n : int
        Data keepers, named keeper-1 to keeper-n.
    replicas : int
        Live copies that every file is kept at; at most `n`.
    ack_replicas : int
        Durable copies before an upload is acknowledged, 1 to `replicas`.
    name : str
        Several clusters may run at once under different names.
    root : path, optional
        Where the nodes keep their files. A folder of an earlier cluster is taken up again, with its
        files. By default a temporary folder, removed by `close()`.
    heartbeat_interval_s, heartbeat_timeout_s, replication_interval_s : float
        Heartbeat period, silence after which a keeper is dead, period of the replication scan.
    repair : {"eager", "scan"}
        Repair at once after a commit and a death, or only by the periodic scan.
    isolation : {"thread"}
        Each node is a set of threads of this process.
    placement, failure_detector, repair_order, chunk_scheduler : str, class or object
        The policies: a registered name, or one's own.
    speed : float
        Every timer is divided by it: a 60 s lesson takes 6 s with 10.
    seed : int, optional
        Makes the master's choices (placement, ids) repeatable.
    host, port : str, int
        Where the servers listen; port 0 takes any free one for the master. Keepers take free ones.

    Returns
    -------
    Cluster
        Also a context manager.

    Raises
    ------
    InvalidOption
        Nothing was started, and a running cluster of that name goes on.
    PortTaken, DirectoryInUse, WrongDirectory, CatalogDamaged
        Nothing is left running.

    Examples
    --------
    >>> with start(n=3, name="start-example") as cluster:
    ...     info = cluster.upload(b"some bytes", name="a.bin")
    ...     _ = cluster.wait_for_replicas("a.bin")
    ...     len(cluster.stat("a.bin").holders)
    3
    """
    plan = _Plan(
        _check_n(n, replicas),
        _check_cluster_name(name),
        None if root is None else Path(root).expanduser().absolute(),
        Options(
            replicas=replicas,
            ack_replicas=ack_replicas,
            heartbeat_interval_s=heartbeat_interval_s,
            heartbeat_timeout_s=heartbeat_timeout_s,
            replication_interval_s=replication_interval_s,
            repair=repair,  # type: ignore[arg-type]  # checked by Options
        ).at_speed(speed),
        Policies.of(
            placement=placement,
            failure_detector=failure_detector,
            repair_order=repair_order,
            chunk_scheduler=chunk_scheduler,
            heartbeat_timeout_s=heartbeat_timeout_s / speed,
        ),
        seed,
        host,
        port,
    )
    if isolation != "thread":
        reason = (
            "this version runs its nodes as threads; use isolation='thread', or `dfslab master` and `dfslab keeper`"
        )
        raise InvalidOption(option="isolation", value=repr(isolation), reason=reason)
    with _running_lock:
        earlier = _running.pop(plan.name, None)
        if earlier is not None:
            earlier.close()
        cluster = Cluster(plan)
        _running[plan.name] = cluster
        return cluster


def _check_n(n: int, replicas: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InvalidOption(option="n", value=repr(n), reason="a cluster has at least 1 keeper")
    if isinstance(replicas, int) and replicas > n:
        reason = f"{n} keepers can hold at most {n} replicas; start more keepers, or pass replicas={n}"
        raise InvalidOption(option="replicas", value=str(replicas), reason=reason)
    return n


def _check_cluster_name(name: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidOption(option="name", value=repr(name), reason="it must be letters, digits, '-', '_' and '.'")
    return name


def close_all() -> None:
    """Close every cluster of this process. Called at exit."""
    with _running_lock:
        clusters = list(_running.values())
    for cluster in clusters:
        cluster.close()


at_exit.register(close_all)


class Cluster:
    """A running distributed file system: made by `start`, ended by `close`.

    Keepers are named by their name ("keeper-3") or their number (3) everywhere.

    Attributes
    ----------
    name : str
    address : str
        The master tracker's `host:port`, for `dfslab.Client`.
    token : str
        What a client in another process must show.
    root : Path
        Where the nodes keep their files.
    """

    def __init__(self, plan: _Plan) -> None:
        self.name = plan.name
        self._options, self._seed = plan.options, plan.seed
        self._is_temporary = plan.root is None
        self._closed = False
        self._close_lock = threading.Lock()
        with contextlib.ExitStack() as undo:
            self.root = self._make_root(plan, undo)
            self.token = _token_of(self.root)
            self._clock = Clock()
            self._recorder = Recorder(self.root / "trace.jsonl")
            undo.callback(self._recorder.close)
            self._nodes = Nodes(
                self.root, self._master_settings(plan), self._keeper_settings(plan), self._clock, self._recorder
            )
            undo.callback(self._nodes.close)
            for _ in range(plan.n):
                self._nodes.add()
            self._client = Client(
                self._nodes.master.address,
                token=self.token,
                chunk_scheduler=plan.policies.chunk_scheduler,
                stall_timeout_s=plan.options.stall_timeout_s,
                ack_timeout_s=plan.options.ack_timeout_s,
                clock=self._clock,
                trace=self._recorder.add,
            )
            undo.pop_all()

    @staticmethod
    def _make_root(plan: _Plan, undo: contextlib.ExitStack) -> Path:
        if plan.root is None:
            root = Path(tempfile.mkdtemp(prefix=f"dfslab-{plan.name}-")).resolve()
            undo.callback(shutil.rmtree, root, ignore_errors=True)
            return root
        try:
            plan.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidOption(option="root", value=repr(str(plan.root)), reason=str(error)) from None
        return plan.root.resolve()

    def _master_settings(self, plan: _Plan) -> MasterSettings:
        return MasterSettings(
            directory=self.root / "master",
            token=self.token,
            options=plan.options,
            policies=plan.policies,
            host=plan.host,
            port=plan.port,
            seed=plan.seed,
        )

    def _keeper_settings(self, plan: _Plan) -> Callable[[int, Address], KeeperSettings]:
        return lambda number, master: KeeperSettings(
            name=f"keeper-{number}",
            directory=self.root / f"keeper-{number}",
            master=master,
            token=self.token,
            host=plan.host,
            heartbeat_interval_s=plan.options.heartbeat_interval_s,
            heartbeat_timeout_s=plan.options.heartbeat_timeout_s,
            stall_timeout_s=plan.options.stall_timeout_s,
        )

    # -- the cluster itself -------------------------------------------------------------------

    @property
    def address(self) -> str:
        """The master tracker's `host:port`."""
        self._check_open()
        return str(self._nodes.master.address)

    @property
    def closed(self) -> bool:
        """True after `close()`."""
        return self._closed

    @property
    def now_s(self) -> float:
        """Seconds since the cluster started: the clock of the trace."""
        return self._clock.now()

    def _check_open(self) -> None:
        if self._closed:
            raise ClusterClosed(name=self.name)

    def close(self) -> None:
        """Stop every node, close every port, and remove the temporary folder. May be called again."""
        with self._close_lock:
            if self._closed:
                return
            self._closed = True
            self._client.close()
            self._nodes.close()
            self._recorder.close()
            if self._is_temporary:
                shutil.rmtree(self.root)
        with _running_lock:
            if _running.get(self.name) is self:
                del _running[self.name]

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- files --------------------------------------------------------------------------------

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

    # -- faults -------------------------------------------------------------------------------

    def kill(self, keeper: str | int) -> str:
        """Crash a keeper: its links are cut, then its threads end; it says nothing to anybody. Return its name.

        Raises UnknownKeeper, or WrongState when it is dead already.
        """
        self._check_open()
        return self._nodes.kill(keeper)

    def restart(self, keeper: str | int, wipe: bool = False) -> str:
        """Start a killed keeper again with its name, ports and disk (`wipe`: an empty one). Return its name."""
        self._check_open()
        return self._nodes.restart(keeper, wipe=wipe)

    def pause(self, keeper: str | int) -> str:
        """Freeze a keeper, as SIGSTOP would: connections stay open, nothing is answered. Return its name."""
        self._check_open()
        return self._nodes.pause(keeper)

    def resume(self, keeper: str | int) -> str:
        """Let a paused keeper go on; if it was declared dead meanwhile, it registers anew. Return its name."""
        self._check_open()
        return self._nodes.resume(keeper)

    def add_keeper(self) -> str:
        """Start one more keeper and return its name once it is registered."""
        self._check_open()
        name = self._nodes.add()
        self._nodes.note("add", name)
        return name

    def decommission(self, keeper: str | int, timeout_s: float = 60.0) -> str:
        """Empty a keeper and stop it: its files are copied elsewhere first, then it leaves the table. Return its name.

        Raises
        ------
        NotEnoughKeepers
            The others could not hold every file; nothing was changed.
        WaitTimedOut
            It is still being emptied, and goes on; call again to wait longer.
        """
        self._check_open()
        name = self._nodes.name_of(keeper)
        self._nodes.running(name, "be decommissioned")
        self._client.decommission(name)
        wait_until(self._recorder, lambda table: _not_yet_drained(table, name), timeout_s)
        self._nodes.retire(name)
        return name

    def kill_master(self) -> None:
        """Crash the master tracker. Keepers go on and keep trying to reach it."""
        self._check_open()
        self._nodes.kill_master()

    def restart_master(self, timeout_s: float = 10.0) -> None:
        """Start the master again on its port and catalog; return when the running keepers have registered with it.

        Raises WaitTimedOut when one of them has not within `timeout_s`; the master runs all the same.
        """
        self._check_open()
        self._nodes.restart_master()
        for name in self._running_keepers():
            self._nodes.running(name, "register").beat_now()
        wait_until(self._recorder, self._not_registered, timeout_s)

    def _running_keepers(self) -> list[str]:
        return [name for name, state in self._nodes.states().items() if state is NodeState.RUNNING]

    def _not_registered(self, table: Table) -> list[str]:
        rows = table.keepers
        return [
            f"{name} has not registered"
            for name in self._running_keepers()
            if name not in rows or not rows[name].is_alive
        ]

    # -- steering time ------------------------------------------------------------------------

    def heartbeat_now(self, keeper: str | int) -> None:
        """Have a running keeper send a heartbeat at once; return when the master has heard it."""
        self._check_open()
        self._nodes.running(keeper, "send a heartbeat").beat_now()

    def scan_now(self, dry_run: bool = False) -> pd.DataFrame:
        """Run the replication scan at once, or with `dry_run` only say what it would do.

        Returns
        -------
        DataFrame
            One row an action: `action` ("copy" or "drop"), `file_name`, `version`, `source`,
            `target`, `reason` (all string).
        """
        self._check_open()
        from dfslab.views import tables

        return tables.planned_actions(self._client.scan(dry_run=dry_run))

    def wait_for_replicas(self, name: str | None = None, count: int | None = None, timeout_s: float = 30.0) -> float:
        """Wait until a file, or every file, has `count` live copies; return the seconds it took.

        A copy on a keeper that was killed or paused does not count, also while the master has not
        noticed yet.

        Parameters
        ----------
        name : str, optional
            By default all files.
        count : int, optional
            By default the cluster's `replicas`.

        Raises
        ------
        WaitTimedOut
            Naming each file that is short, and where its copies are.
        """
        self._check_open()
        wanted = self._options.replicas if count is None else count
        if name is not None:
            self._client.stat(name)

        def missing(table: Table) -> list[str]:
            self._check_open()
            running = set(self._running_keepers())
            rows = table.keepers
            return short_of_replicas(
                table, lambda keeper: keeper in running and keeper in rows and rows[keeper].is_alive, name, wanted
            )

        return wait_until(self._recorder, missing, timeout_s)

    def wait_for_dead(self, keeper: str | int, timeout_s: float | None = None) -> float:
        """Wait until the master has declared a keeper dead; return the seconds it took."""
        return self._wait_for_liveness(keeper, timeout_s, alive=False)

    def wait_for_alive(self, keeper: str | int, timeout_s: float | None = None) -> float:
        """Wait until the master counts a keeper as alive; return the seconds it took."""
        return self._wait_for_liveness(keeper, timeout_s, alive=True)

    def _wait_for_liveness(self, keeper: str | int, timeout_s: float | None, *, alive: bool) -> float:
        self._check_open()
        name = self._nodes.name_of(keeper)
        limit_s = self._options.heartbeat_timeout_s + 10.0 if timeout_s is None else timeout_s

        def missing(table: Table) -> list[str]:
            self._check_open()
            row = table.keepers.get(name)
            if (row is not None and row.is_alive) == alive:
                return []
            return [f"the master has {name} as {row.state if row else 'unknown'}"]

        return wait_until(self._recorder, missing, limit_s)

    # -- tables -------------------------------------------------------------------------------

    def lookup_table(self, at: float | None = None) -> pd.DataFrame:
        """Return the lookup table, one row a replica; see `dfslab.views.tables.lookup_table` for its columns.

        `at` asks for a past moment, in seconds since the cluster started.
        """
        self._check_open()
        from dfslab.views import tables

        return tables.lookup_table(self._table(at))

    def keepers(self, at: float | None = None) -> pd.DataFrame:
        """Return one row a keeper; see `dfslab.views.tables.keepers`."""
        self._check_open()
        from dfslab.views import tables

        return tables.keepers(self._table(at))

    def files(self) -> pd.DataFrame:
        """Return one row a file; see `dfslab.views.tables.files`."""
        self._check_open()
        from dfslab.views import tables

        return tables.files(self._recorder.table(), self._options.replicas)

    def events(self) -> pd.DataFrame:
        """Return the trace, one row an event; see `dfslab.views.tables.events`."""
        self._check_open()
        from dfslab.views import tables

        return tables.events(self._recorder.events())

    def transfers(self) -> pd.DataFrame:
        """Return one row an upload, download or copy; see `dfslab.views.tables.transfers`."""
        self._check_open()
        from dfslab.views import tables

        return tables.transfers(self._recorder.events())

    def _table(self, at: float | None) -> Table:
        if at is not None and not 0 <= at <= self._clock.now():
            raise InvalidOption(option="at", value=str(at), reason=f"the cluster has run {self._clock.now():.1f} s")
        return self._recorder.table(at)

    @property
    def plot(self) -> Plots:
        """The pictures: `plot.lookup_table()`, `plot.replication_timeline()`, `plot.download_throughput()`."""
        self._check_open()
        from dfslab.views.plots import Plots

        return Plots(self._recorder.events, self._recorder.table, self._clock.now, self._options.replicas)

    # -- how it looks -------------------------------------------------------------------------

    def __repr__(self) -> str:
        if self._closed:
            return f"<dfslab cluster {self.name!r}: closed>"
        table, states = self._recorder.table(), self._nodes.states()
        alive = sum(1 for row in table.keepers.values() if row.is_alive)
        master = f"master at {self.address}" if self._nodes.master_state is NodeState.RUNNING else "master dead"
        short = sum(1 for file in table.files if table.live_copies(file) < self._options.replicas)
        health = f", {short} short of {self._options.replicas} copies" if short else ""
        return (
            f"<dfslab cluster {self.name!r}: {master}, {alive} of {len(states)} keepers alive, "
            f"{len(table.files)} files{health}>"
        )

    def _repr_html_(self) -> str:
        from dfslab.views.html import cluster_html

        if self._closed:
            return cluster_html(self.name, "closed", None, {}, self._options.replicas)
        running = self._nodes.master_state is NodeState.RUNNING
        where = f"master tracker at {self.address}" if running else "master tracker dead"
        return cluster_html(self.name, where, self._recorder.table(), self._nodes.states(), self._options.replicas)

    def _trace_events(self) -> list[TraceEvent]:
        return self._recorder.events()


@contextlib.contextmanager
def _removed_if_empty(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


def _not_yet_drained(table: Table, name: str) -> list[str]:
    row = table.keepers.get(name)
    if row is not None and row.state == "decommissioned":
        return []
    left = sum(1 for rows in table.replicas.values() if name in rows)
    return [f"{name} is {row.state if row else 'unknown'} and holds {left} replicas"]


def _token_of(root: Path) -> str:
    """Return the token of the cluster in `root`, drawn at its first start; only its owner can read the file."""
    path = root / "cluster.json"
    if path.exists():
        token: Any = json.loads(path.read_text()).get("token")
        if not isinstance(token, str):
            raise WrongDirectory(path=str(root), owner="something else", wanted="a dfslab cluster")
        return token
    token = secrets.token_urlsafe(32)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(json.dumps({"token": token, "format": 1}) + "\n")
    return token


__all__ = ["Cluster", "NotEnoughKeepers", "close_all", "start"]
