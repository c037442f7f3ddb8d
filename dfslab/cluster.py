"""The front door: `start()` and `Cluster`."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType

from dfslab.core.checks import check_flag, check_positive
from dfslab.core.links import Link
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.lab import at_exit
from dfslab.lab.faults import Faults
from dfslab.lab.files import Files
from dfslab.lab.launching import check_isolation
from dfslab.lab.looks import Looks
from dfslab.lab.plan import (
    Plan,
    check_cluster_name,
    check_link,
    check_n,
    check_port,
    check_racks,
    check_root,
    check_seed,
)
from dfslab.lab.policy_names import loaded, names_of
from dfslab.lab.steering import Steering

_running: dict[str, Cluster] = {}
_running_lock = threading.RLock()


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
    scrub_interval_s: float = 60.0,
    scrub_rate_mb_s: float = 16.0,
    link: Link | None = None,
    isolation: str = "thread",
    placement: object = "balanced",
    failure_detector: object = "timeout",
    repair_order: object = "fewest-copies-first",
    chunk_scheduler: object = "work-stealing",
    speed: float = 1.0,
    racks: Mapping[int | str, str] | Sequence[str] = (),
    seed: int | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: bool = False,
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
    scrub_interval_s, scrub_rate_mb_s : float
        How often each keeper reads all its replicas again to find damage, and how fast at most, in MB/s
        (which `speed` does not change); `cluster.scrub_now` does it at once.
    link : dfslab.Link, optional
        Each keeper's emulated network card, such as `dfslab.Link(rate_mb_s=20, delay_ms=5)`; by default
        as fast as the machine. `cluster.set_link` changes it, also the master's and the client's.
    isolation : {"thread", "process"}
        Each node is a set of threads of this process, or, on Linux, a process of its own: then `kill` is
        SIGKILL, `pause` SIGSTOP and `resume` SIGCONT; a start takes a second or two, and each node some
        40 MB. Everything else is the same. The processes end with this one, however it ends.
    placement, failure_detector, repair_order, chunk_scheduler : str, class or object
        The policies: a registered name, one's own, or where that can be imported ("module:Class"). With
        `isolation="process"` the first three are the master's process's: an object, or what was defined in
        the notebook, can't be handed to it.
    speed : float
        Every timer is divided by it: a 60 s lesson takes 6 s with 10.
    racks : mapping of str or int to str, or sequence of str
        The racks that keepers stand in, for a placement that heeds them ("rack-aware"): by keeper, or in the order
        keeper-1, keeper-2, ... and at least `n` of them. Those of keepers that are added later may be among them.
    seed : int, optional
        Makes the master's choices (placement, ids) repeatable.
    host, port : str, int
        Where the servers listen; port 0 takes any free one for the master. Keepers take free ones.
    tls : bool
        Encrypt everything, control and data, and have every node show a certificate of the cluster's own
        authority, made for this start; `cluster.ca_file` is what a client elsewhere needs. Transfers take
        more of the processor (docs/security.md).

    Returns
    -------
    Cluster
        Also a context manager.

    Raises
    ------
    InvalidOption
        Nothing was started, and a running cluster of that name goes on.
    PortTaken, DirectoryInUse, WrongDirectory, CatalogDamaged, ProcessDied
        Nothing is left running.

    Examples
    --------
    >>> with start(n=3, name="start-example") as cluster:
    ...     info = cluster.upload(b"some bytes", name="a.bin")
    ...     _ = cluster.wait_for_replicas("a.bin")
    ...     len(cluster.stat("a.bin").holders)
    3
    """
    speed = check_positive("speed", speed)
    policies = {
        "placement": placement,
        "failure_detector": failure_detector,
        "repair_order": repair_order,
        "chunk_scheduler": chunk_scheduler,
    }
    plan = Plan(
        check_n(n, replicas),
        check_cluster_name(name),
        check_root(root),
        Options(
            replicas=replicas,
            ack_replicas=ack_replicas,
            heartbeat_interval_s=heartbeat_interval_s,
            heartbeat_timeout_s=heartbeat_timeout_s,
            replication_interval_s=replication_interval_s,
            repair=repair,  # type: ignore[arg-type]  # checked by Options
            scrub_interval_s=scrub_interval_s,
            scrub_rate_mb_s=scrub_rate_mb_s,
            racks=check_racks(racks, n),
        ).at_speed(speed),
        Policies.of(
            **{kind: loaded(kind, policy) for kind, policy in policies.items()},
            heartbeat_timeout_s=heartbeat_timeout_s / speed,
            replicas=replicas,
        ),
        check_seed(seed),
        host,
        check_port(port),
        speed,
        check_link("link", link),
        check_isolation(isolation, sys.platform),
        check_flag("tls", tls),
        names_of(policies) if isolation == "process" else {},
    )
    with _running_lock:
        earlier = _running.get(plan.name)
        if earlier is not None:
            earlier.close()  # it is forgotten by that, once it is closed: an interrupt may come in between
        cluster = Cluster(plan)
        _running[plan.name] = cluster
        return cluster


def close_all() -> None:
    """Close every cluster of this process. Called at exit."""
    with _running_lock:
        clusters = list(_running.values())
    for cluster in clusters:
        cluster.close()


at_exit.register(close_all)


def _let_go() -> None:
    """In a forked child, forget the clusters: their threads, ports and folders are the parent's, who goes on."""
    global _running_lock
    _running_lock = threading.RLock()  # somebody who is not here may have held it
    for cluster in _running.values():
        cluster._abandon()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


class Cluster(Files, Faults, Steering, Looks):
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

    def close(self) -> None:
        """Stop every node, close every port, and remove the temporary folder. May be called again."""
        super().close()
        with _running_lock:
            if _running.get(self.name) is self:
                del _running[self.name]

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


__all__ = ["Cluster", "close_all", "start"]
