"""A benchmark of uploads: what it costs to wait for more copies."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dfslab.cluster import Cluster
from dfslab.core.checks import check_count
from dfslab.core.links import Link
from dfslab.core.options import Options
from dfslab.core.predict import upload_s
from dfslab.lab.bench import plan
from dfslab.lab.bench.plan import MB
from dfslab.lab.bench.runs import Runs, runs_of


@dataclass(frozen=True)
class Setting:
    """What one run uploads, and how many copies it waits for."""

    ack_replicas: int
    size_mb: float
    link: Link
    client: Link

    def row(self) -> dict[str, Any]:
        """Return its columns."""
        return {
            "ack_replicas": self.ack_replicas,
            "size_mb": self.size_mb,
            **plan.link_columns("keeper", self.link),
            **plan.link_columns("client", self.client),
        }


def upload(
    ack_replicas: Sequence[int] = (1, 2, 3),
    sizes_mb: Sequence[float] = (16,),
    *,
    repeats: int = 5,
    links: Sequence[Link | None] = (None,),
    clients: Sequence[Link | None] = (None,),
    repair: str = "eager",
    replicas: int = 3,
    seed: int = 0,
    progress: bool = True,
) -> Runs:
    """Measure uploads that wait for so many durable copies, in every combination of the settings.

    Parameters
    ----------
    ack_replicas : sequence of int
        1 to `replicas`.
    sizes_mb : sequence of float
        MB (10^6 bytes).
    repeats : int
        Runs of each combination, all of them in turn, in an order that `seed` decides.
    links, clients : sequence of Link or None
        Every keeper's link, the client's; None: as fast as the machine.
    repair : {"eager", "scan"}
        Whether all copies are made at once, or only those that are waited for.
    replicas : int
        Copies of each file, and keepers of the cluster.
    seed : int
    progress : bool
        Show a bar.

    Returns
    -------
    Runs
        One row a run; `plot()` draws the seconds over the copies waited for.

        ==================== ======= ====================================================================
        `benchmark`          string  "upload"
        `run`, `repeat`      int64   its place in the order of the runs, and in which round it was
        `ack_replicas`       int64
        `size_mb`            float64
        `keeper_link`        string  in words, "20 MB/s, 5 ms" or "no limit"; so is `client_link`
        `keeper_rate_mb_s`   float64 NaN: no limit; so is `client_rate_mb_s`
        `client_link`        string
        `client_rate_mb_s`   float64
        `repair`             string
        `seed`               int64
        `seconds`            float64 from the call until it was acknowledged
        `predicted_low_s`    float64 see `dfslab.predict.upload_s`; NaN where no link sets a rate, as
                                     `predicted_s` and `predicted_high_s`
        `predicted_s`        float64
        `predicted_high_s`   float64
        ==================== ======= ====================================================================

    Raises
    ------
    InvalidOption
        Naming the argument; nothing was started.
    """
    check_count("replicas", replicas)
    few = plan.count_up_to(replicas, f"every file has replicas={replicas} copies")
    settings = [
        Setting(*one)
        for one in itertools.product(
            plan.several("ack_replicas", ack_replicas, few),
            plan.several("sizes_mb", sizes_mb, plan.size_mb),
            plan.links("links", links),
            plan.links("clients", clients),
        )
    ]
    options = Options(replicas=replicas, repair=repair)  # type: ignore[arg-type]  # checked by Options
    order = plan.in_fair_order(settings, repeats, seed)
    with plan.cluster_of_its_own("upload", n=replicas, replicas=replicas, repair=repair, seed=seed) as cluster:
        _upload(cluster, settings[0], options, seed)  # the first one imports what it needs

        def measure(setting: Setting, number: int) -> dict[str, Any]:
            return {"repair": repair, **_upload(cluster, setting, options, seed + number)}

        rows = plan.rows_of("upload", order, seed, measure, progress=progress)
    return runs_of("upload", rows)


def _upload(cluster: Cluster, setting: Setting, options: Options, seed: int) -> dict[str, Any]:
    """Upload a file, let its other copies be made too, and take it away again."""
    keepers = (setting.link,) * options.replicas
    content = plan.random_bytes(setting.size_mb, seed)
    plan.give_links(cluster, keepers, setting.client)
    info = cluster.upload(content, name="upload.bin", ack_replicas=setting.ack_replicas)
    plan.give_links(cluster, (Link(),) * options.replicas, Link())
    cluster.scan_now()
    cluster.wait_for_replicas("upload.bin", timeout_s=plan.UPLOAD_TIMEOUT_S)
    cluster.delete("upload.bin")
    predicted = upload_s(
        int(setting.size_mb * MB), setting.ack_replicas, client=setting.client, keepers=keepers, options=options
    )
    return {"seconds": info.seconds, **plan.predicted_columns(predicted)}
