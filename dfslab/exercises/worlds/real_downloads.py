"""A download from three real keepers by a submitted chunk scheduler."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import dfslab.cluster
from dfslab.client.results import Download
from dfslab.exercises.model import Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.downloads import Watched

SIZE = 6_000_000
"""Of the file, bytes."""
PATIENCE_S = 60.0
"""Divided by the speed: longer than a client waits for a keeper that is frozen."""


def really_download(trial: Trial, spoil: Callable[[dfslab.cluster.Cluster], object]) -> Download:
    """Download a file of which all of three keepers have a copy, once `spoil` has been done to them.

    Raises
    ------
    Wrong
        It is not the file that was uploaded.
    """
    content = random.Random(6).randbytes(SIZE)
    watched = Watched(trial.policy("chunk_scheduler"))
    with (
        tempfile.TemporaryDirectory() as folder,
        dfslab.cluster.start(n=3, replicas=3, name="judged", speed=10, heartbeat_timeout_s=PATIENCE_S) as cluster,
    ):
        cluster.upload(content, name="lecture.mp4")
        cluster.wait_for_replicas()
        spoil(cluster)
        done = cluster.download("lecture.mp4", to=Path(folder), scheduler=watched)
        if done.path.read_bytes() != content:
            raise Wrong("on a real cluster, the file that arrived is not the one that was uploaded")
    return done
