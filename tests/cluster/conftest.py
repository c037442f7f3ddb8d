"""Real clusters, checked when the test is over."""

import gc
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dfslab
from dfslab.cluster import Cluster
from tests.cluster.oracle import check_cluster

_names = itertools.count(1)

Starter = Callable[..., Cluster]


def cell(cluster: Cluster, keeper: str, column: str) -> Any:
    """Return one value of the keepers' table."""
    return cluster.keepers().set_index("keeper").loc[keeper, column]


@pytest.fixture
def start() -> Iterator[Starter]:
    """Start clusters under names of their own, at four times the speed; at the end, hold each to the oracle."""
    started: list[Cluster] = []
    threads_before = set(threading.enumerate())

    def start_one(n: int = 4, **options: Any) -> Cluster:
        cluster = dfslab.cluster.start(n, **{"speed": 4.0, "name": f"test-{next(_names)}", "seed": 7, **options})
        started.append(cluster)
        return cluster

    yield start_one
    for cluster in started:
        if not cluster.closed:
            check_cluster(cluster)
            cluster.close()
    gc.collect()
    if any(not cluster.closed for cluster in dfslab.cluster._running.values()):
        return  # one that a module's tests share starts threads when it likes
    new = set(threading.enumerate()) - threads_before
    for thread in new:
        thread.join(5.0)  # one that is just ending is no leftover
    left = [thread.name for thread in new if thread.is_alive()]
    assert left == []


@pytest.fixture
def cluster(start: Starter) -> Cluster:
    """A cluster of four keepers."""
    return start()
