"""Benchmarks of downloads: how their rate grows with the holders, and what the chunk scheduler makes of a slow one."""

from __future__ import annotations

import copy
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfslab.cluster import Cluster
from dfslab.core.checks import check_count
from dfslab.core.errors import InvalidOption
from dfslab.core.links import Link
from dfslab.core.policies import POLICIES, resolve
from dfslab.core.predict import download_rate_mb_s
from dfslab.lab.bench import plan
from dfslab.lab.bench.plan import MB
from dfslab.lab.bench.runs import Runs, runs_of
from dfslab.lab.plan import check_link


@dataclass(frozen=True)
class Setting:
    """What one run downloads, from whom, and how."""

    holders: int
    size_mb: float
    links: tuple[Link, ...]
    client: Link
    scheduler: str
    policy: Any = field(compare=False)

    @property
    def name(self) -> str:
        """The file."""
        return f"{self.size_mb:g}-mb.bin"

    @property
    def predicted_as(self) -> str:
        """The scheduler of `dfslab.predict` that comes nearest: a stranger is taken for a queue without hedging."""
        kinds = POLICIES["chunk_scheduler"]
        names = {kind: name for name, kind in kinds.items()}
        return next((names[kind] for kind in type(self.policy).__mro__ if kind in names), "no-hedging")

    def row(self) -> dict[str, Any]:
        """Return its columns. The link of the last keeper is that of all but a slow first one."""
        return {
            "holders": self.holders,
            "size_mb": self.size_mb,
            **plan.link_columns("keeper", self.links[-1]),
            **plan.link_columns("client", self.client),
            **plan.link_columns("slow", self.links[0]),
            "scheduler": self.scheduler,
        }


def parallel_download(
    holders: Sequence[int] = (1, 2, 3),
    sizes_mb: Sequence[float] = (64,),
    *,
    repeats: int = 5,
    links: Sequence[Link | None] = (None,),
    clients: Sequence[Link | None] = (None,),
    scheduler: object = "work-stealing",
    replicas: int = 3,
    seed: int = 0,
    progress: bool = True,
) -> Runs:
    """Measure downloads from so many holders at a time, in every combination of the settings.

    Parameters
    ----------
    holders : sequence of int
        1 to `replicas`.
    sizes_mb : sequence of float
        MB (10^6 bytes).
    repeats : int
        Runs of each combination, all of them in turn, in an order that `seed` decides.
    links : sequence of Link or None
        Every keeper's link; None: as fast as the machine.
    clients : sequence of Link or None
        The client's.
    scheduler : str, class or object
        The chunk scheduler.
    replicas : int
        Keepers of the cluster, each of which holds each file.
    seed : int
    progress : bool
        Show a bar.

    Returns
    -------
    Runs
        One row a run; `plot()` draws the rate over the holders.

        ===================== ======= ===================================================================
        `benchmark`           string  "parallel_download"
        `run`, `repeat`       int64   its place in the order of the runs, and in which round it was
        `holders`             int64
        `size_mb`             float64
        `keeper_link`         string  in words, "20 MB/s, 5 ms" or "no limit"; so is `client_link`
        `keeper_rate_mb_s`    float64 NaN: no limit; so is `client_rate_mb_s`
        `client_link`         string
        `client_rate_mb_s`    float64
        `scheduler`           string
        `seed`                int64
        `seconds`             float64
        `rate_mb_s`           float64
        `predicted_low_mb_s`  float64 see `dfslab.predict.download_rate_mb_s`; NaN where no link sets a rate,
                                      as `predicted_mb_s` and `predicted_high_mb_s`
        `predicted_mb_s`      float64
        `predicted_high_mb_s` float64
        ===================== ======= ===================================================================

    Raises
    ------
    InvalidOption
        Naming the argument; nothing was started.

    Examples
    --------
    >>> runs = parallel_download(holders=(1, 2), sizes_mb=(1,), repeats=2, progress=False)
    >>> sorted(runs.holders)
    [1, 1, 2, 2]
    """
    check_count("replicas", replicas)
    few = plan.count_up_to(replicas, f"every file has replicas={replicas} copies")
    name, policy = _named_scheduler(scheduler)
    settings = [
        Setting(count, size, (link,) * replicas, client, name, policy)
        for count, size, link, client in itertools.product(
            plan.several("holders", holders, few),
            plan.several("sizes_mb", sizes_mb, plan.size_mb),
            plan.links("links", links),
            plan.links("clients", clients),
        )
    ]
    return _measure("parallel_download", settings, replicas, repeats, seed, progress=progress)


def schedulers(
    schedulers: Sequence[object] | Mapping[str, object] = ("work-stealing", "no-hedging"),
    *,
    holders: int = 3,
    size_mb: float = 32,
    repeats: int = 5,
    link: Link | None = Link(rate_mb_s=20),  # noqa: B008  # a frozen value
    slow: Link | None = Link(rate_mb_s=2),  # noqa: B008
    client: Link | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Runs:
    """Measure what chunk schedulers make of downloads from holders of which one is slow.

    Parameters
    ----------
    schedulers : sequence of str, class or object, or mapping
        A mapping gives each a name of its own.
    holders : int
        How many serve each download.
    size_mb : float
        MB (10^6 bytes).
    repeats : int
        Runs of each scheduler, in turn, in an order that `seed` decides.
    link, slow, client : Link or None
        The links of the holders, of the one that is slow, and of the client; None: as fast as the machine.
    seed : int
    progress : bool
        Show a bar.

    Returns
    -------
    Runs
        As `parallel_download` does, with `slow_link` (string) and `slow_rate_mb_s` (float64) besides.

    Raises
    ------
    InvalidOption
        Naming the argument; nothing was started.
    """
    check_count("holders", holders)
    named = schedulers.items() if isinstance(schedulers, Mapping) else map(_named_scheduler, _listed(schedulers))
    usual = check_link("link", link)
    links = (check_link("slow", slow), *(usual,) * (holders - 1))
    settings = [
        Setting(
            holders,
            plan.size_mb("size_mb", size_mb),
            links,
            check_link("client", client),
            name,
            resolve("chunk_scheduler", policy),
        )
        for name, policy in named
    ]
    if not settings:
        raise InvalidOption(option="schedulers", value=repr(schedulers), reason="there must be at least one")
    return _measure("schedulers", settings, holders, repeats, seed, progress=progress)


def _listed(schedulers: object) -> Sequence[object]:
    if isinstance(schedulers, str) or not isinstance(schedulers, Sequence):
        raise InvalidOption(option="schedulers", value=repr(schedulers), reason="it must be a sequence or a mapping")
    return schedulers


def _named_scheduler(scheduler: object) -> tuple[str, Any]:
    """Return a scheduler by its name, or that of its class, and the policy itself."""
    policy = resolve("chunk_scheduler", scheduler)
    return scheduler if isinstance(scheduler, str) else type(policy).__name__, policy


def _measure(
    benchmark: str, settings: Sequence[Setting], keepers: int, repeats: int, seed: int, *, progress: bool
) -> Runs:
    order = plan.in_fair_order(settings, repeats, seed)
    with (
        tempfile.TemporaryDirectory(prefix="dfslab-bench-") as folder,
        plan.cluster_of_its_own(benchmark, n=keepers, replicas=keepers, seed=seed) as cluster,
    ):
        _store(cluster, settings, seed)
        cluster.download(settings[0].name, folder)  # the first one imports what it needs, and connects
        rows = plan.rows_of(
            benchmark, order, seed, lambda setting, _: _download(cluster, setting, folder), progress=progress
        )
    return runs_of(benchmark, rows)


def _store(cluster: Cluster, settings: Sequence[Setting], seed: int) -> None:
    """Upload the files, before any link has a limit."""
    for setting in {setting.name: setting for setting in settings}.values():
        cluster.upload(plan.random_bytes(setting.size_mb, seed), name=setting.name)
    cluster.wait_for_replicas(timeout_s=plan.UPLOAD_TIMEOUT_S)


def _download(cluster: Cluster, setting: Setting, folder: str) -> dict[str, float]:
    plan.give_links(cluster, setting.links, setting.client)
    # A policy may remember things: each run works on a copy of its own.
    done = cluster.download(setting.name, folder, scheduler=copy.deepcopy(setting.policy), holders=setting.holders)
    size = int(setting.size_mb * MB)
    predicted = download_rate_mb_s(
        size, setting.links[: setting.holders], setting.client, scheduler=setting.predicted_as, connected=True
    )
    return {"seconds": done.seconds, "rate_mb_s": done.throughput_mb_s, **plan.predicted_columns(predicted)}
