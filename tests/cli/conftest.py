"""Clusters of real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.by_hand import ByHand, by_hand


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[ByHand]:
    """Starts nodes by hand, in a folder of the test's own."""
    with by_hand(tmp_path) as hand:
        yield hand


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByHand]:
    """A master and three keepers that the tests of a module share."""
    with by_hand(tmp_path_factory.mktemp("cluster")) as hand:
        hand.cluster(3, "--heartbeat-timeout-s", "5")  # on a busy machine too, nobody is taken for dead
        yield hand
