"""A small real cluster under a submitted policy; what the policy does wrong there is the submission's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dfslab.cluster
from dfslab.core.errors import PolicyFailed, WaitTimedOut
from dfslab.exercises.model import Wrong
from dfslab.exercises.trial import Trial

PATIENCE_S = 50.0
"""Divided by the speed: on a machine that thirty judges share, nobody is to be taken for dead who is only slow."""
WAIT_S = 6.0
"""How long copies may take that take a few hundredths of a second."""


@contextmanager
def small_cluster(trial: Trial, n: int, **options: Any) -> Iterator[dfslab.cluster.Cluster]:
    """Start a cluster, ten times as fast, whose policies are the submission's; close it in the end.

    Raises
    ------
    Wrong
        The policy failed, or what was waited for did not come.
    """
    with dfslab.cluster.start(n, speed=10, heartbeat_timeout_s=PATIENCE_S, name="judged", **options) as cluster:
        try:
            yield cluster
        except (PolicyFailed, WaitTimedOut) as error:
            trial.check_alive()
            reason = getattr(error, "reason", "")
            raise Wrong(f"on a cluster of {n} keepers: {reason or error}") from error
        trial.check_alive()
