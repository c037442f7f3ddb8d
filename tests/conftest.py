"""What every test shares."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _no_leftover_clusters() -> Iterator[None]:
    """A test that fails in the middle must not leave a cluster to the next one."""
    yield
    import dfslab

    dfslab.cluster.close_all()
