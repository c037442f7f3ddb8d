"""A benchmark of repair: from a keeper's death until every file has its copies again."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dfslab.cluster import Cluster
from dfslab.core.checks import check_count, check_positive
from dfslab.core.errors import WaitTimedOut
from dfslab.core.links import Link
from dfslab.core.options import Options
from dfslab.lab.bench import plan
from dfslab.lab.bench.runs import Runs, runs_of

TRIES = 3


@dataclass(frozen=True)
class Setting:
    """What one run repairs, and when repair begins. The timers are those before `speed` divides them."""

    mode: str
    link: Link
    files: int
    size_mb: float
    keepers: int
    options: Options
    speed: float

    @property
    def start(self) -> dict[str, Any]:
        """The arguments that start its cluster."""
        return {
            "n": self.keepers,
            "replicas": self.options.replicas,
            "repair": self.mode,
            "link": self.link,
            "heartbeat_interval_s": self.options.heartbeat_interval_s,
            "heartbeat_timeout_s": self.options.heartbeat_timeout_s,
            "replication_interval_s": self.options.replication_interval_s,
            "speed": self.speed,
        }

    @property
    def period_s(self) -> float:
        """The timer that a kill must not be in step with, in effect."""
        options = self.options.at_speed(self.speed)
        return options.heartbeat_interval_s if self.mode == "eager" else options.replication_interval_s

    def row(self) -> dict[str, Any]:
        """Return its columns."""
        return {
            "repair": self.mode,
            "keepers": self.keepers,
            "files": self.files,
            "size_mb": self.size_mb,
            **plan.link_columns("keeper", self.link),
            "speed": self.speed,
        }


def repair(
    modes: Sequence[str] = ("eager", "scan"),
    *,
    files: int = 6,
    size_mb: float = 2,
    repeats: int = 5,
    links: Sequence[Link | None] = (Link(rate_mb_s=20),),  # a frozen value
    keepers: int = 6,
    replicas: int = 3,
    heartbeat_interval_s: float = 1.0,
    heartbeat_timeout_s: float = 3.0,
    replication_interval_s: float = 10.0,
    speed: float = 5.0,
    seed: int = 0,
    progress: bool = True,
) -> Runs:
    """Measure how long it takes after a kill until every file has its copies again.

    Each run starts a cluster, fills it, and kills the keeper that holds most at a moment that has
    nothing to do with its timers.

    Parameters
    ----------
    modes : sequence of {"eager", "scan"}
    files : int
        Files in the cluster.
    size_mb : float
        Size of each, MB (10^6 bytes).
    repeats : int
        Runs of each combination, all of them in turn, in an order that `seed` decides.
    links : sequence of Link or None
        Every keeper's link; None: as fast as the machine.
    keepers, replicas : int
        At least one keeper more than copies, for a lost one to have somewhere to go.
    heartbeat_interval_s, heartbeat_timeout_s, replication_interval_s, speed : float
        As in `dfslab.cluster.start`: the three timers are divided by `speed`.
    seed : int
    progress : bool
        Show a bar.

    Returns
    -------
    Runs
        One row a run; `plot()` draws the seconds of each mode.

        ==================== ======= ====================================================================
        `benchmark`          string  "repair"
        `run`, `repeat`      int64   its place in the order of the runs, and in which round it was
        `repair`             string  the mode
        `keepers`, `files`   int64
        `copies_lost`        int64   copies that the dead keeper held
        `size_mb`            float64
        `keeper_link`        string  in words, "20 MB/s, 5 ms" or "no limit"
        `keeper_rate_mb_s`   float64 NaN: no limit
        `speed`              float64
        `detection_s`        float64 from the kill to "dead" in the lookup table
        `seed`               int64
        `seconds`            float64 from the kill to full replication
        `predicted_low_s`    float64 see `dfslab.predict.recovery_s`; NaN where no link sets a rate, as
                                     `predicted_s` and `predicted_high_s`
        `predicted_s`        float64
        `predicted_high_s`   float64
        ==================== ======= ====================================================================

    Raises
    ------
    InvalidOption
        Naming the argument; nothing was started.
    WaitTimedOut
        The machine is too busy for this speed: keepers are taken for dead while they live.
    """
    room = f"a copy that one of keepers={keepers} loses needs another to go to"
    options = Options(
        replicas=plan.count_up_to(check_count("keepers", keepers) - 1, room)("replicas", replicas),
        heartbeat_interval_s=heartbeat_interval_s,
        heartbeat_timeout_s=heartbeat_timeout_s,
        replication_interval_s=replication_interval_s,
    )
    usual = (check_count("files", files), plan.size_mb("size_mb", size_mb), keepers, options)
    settings = [
        Setting(mode, link, *usual, check_positive("speed", speed))
        for mode, link in itertools.product(
            plan.several("modes", modes, plan.one_of("eager", "scan")), plan.links("links", links)
        )
    ]
    order, rng = plan.in_fair_order(settings, repeats, seed), random.Random(seed)
    rows = plan.rows_of("repair", order, seed, lambda setting, _: _measure(setting, seed, rng), progress=progress)
    return runs_of("repair", rows)


def _measure(setting: Setting, seed: int, rng: random.Random) -> dict[str, Any]:
    """Kill a keeper of a fresh cluster and return what came of it.

    On a busy machine a keeper may have been taken for dead before it was killed; that is tried again.
    """
    for _ in range(TRIES):
        with plan.cluster_of_its_own("repair", seed=seed, **setting.start) as cluster:
            _fill(cluster, setting, rng.randrange(2**32))
            measured = _kill_and_wait(cluster, rng.random() * setting.period_s)
            if measured is not None:
                return measured
    missing = [f"a death after a kill: {TRIES} times the keeper was taken for dead before; try a lower speed"]
    raise WaitTimedOut(waited_s=0.0, missing=missing)


def _fill(cluster: Cluster, setting: Setting, seed: int) -> None:
    """Upload the files over links without limits, then give the keepers theirs back."""
    plan.give_links(cluster, (Link(),) * setting.keepers, Link())
    for number in range(setting.files):
        cluster.upload(plan.random_bytes(setting.size_mb, seed + number), name=f"{number}.bin")
    cluster.scan_now()
    cluster.wait_for_replicas(timeout_s=plan.UPLOAD_TIMEOUT_S)
    plan.give_links(cluster, (setting.link,) * setting.keepers, Link())


def _kill_and_wait(cluster: Cluster, after_s: float) -> dict[str, Any] | None:
    """Kill the keeper that holds most, and return what the trace says of its repair; None if it says nothing."""
    victim, lost = Counter(cluster.lookup_table().data_node).most_common(1)[0]
    time.sleep(after_s)
    cluster.kill(victim)
    cluster.wait_for_dead(victim, timeout_s=plan.UPLOAD_TIMEOUT_S)
    cluster.wait_for_replicas(timeout_s=plan.UPLOAD_TIMEOUT_S)
    rows = cluster.compare()
    rows = rows[rows.subject == victim].set_index("quantity")
    if "recovery" not in rows.index:
        return None
    recovery = rows.loc["recovery"]
    return {
        "copies_lost": lost,
        "detection_s": rows.loc["detection", "observed"],
        "seconds": recovery.observed,
        "predicted_low_s": recovery.predicted_low,
        "predicted_s": recovery.predicted,
        "predicted_high_s": recovery.predicted_high,
    }
