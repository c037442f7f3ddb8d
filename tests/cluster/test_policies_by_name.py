"""Real clusters under every policy of the library, and racks."""

from __future__ import annotations

import sys
from itertools import cycle, islice

import pytest

import dfslab
from dfslab.core.errors import InvalidOption
from dfslab.core.policies import POLICIES
from tests.cluster.conftest import Starter
from tests.cluster.test_faults import content

RACKS = {"keeper-1": "a", "keeper-2": "a", 3: "a", 4: "b", "keeper-5": "b"}
SETS = [
    dict(zip(POLICIES, names, strict=True))
    for names in islice(zip(*(cycle(known) for known in POLICIES.values()), strict=True), 6)
]
"""Six clusters are enough for each name to have its turn."""
ISOLATIONS = [
    "thread",
    pytest.param("process", marks=pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")),
]


def test_every_name_has_its_turn() -> None:
    assert {(kind, name) for one in SETS for kind, name in one.items()} == {
        (kind, name) for kind, known in POLICIES.items() for name in known
    }


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("policies", SETS, ids=lambda policies: policies["placement"])
def test_files_survive_a_death_under_any_policy(start: Starter, policies: dict[str, str], isolation: str) -> None:
    cluster = start(5, replicas=2, racks=RACKS, isolation=isolation, **policies)
    for number in range(6):
        cluster.upload(content(200_000 + number), name=f"file-{number}")
    cluster.wait_for_replicas(timeout_s=30)

    cluster.kill(cluster.stat("file-0").holders[0])
    cluster.wait_for_recovery(timeout_s=30)

    for number in range(6):
        assert cluster.download(f"file-{number}").path.read_bytes() == content(200_000 + number)


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_rack_aware_files_survive_the_loss_of_a_rack(start: Starter, isolation: str) -> None:
    cluster = start(5, replicas=2, racks=RACKS, placement="rack-aware", isolation=isolation)

    for number in range(10):
        cluster.upload(b"x" * number, name=f"file-{number}")
    cluster.wait_for_replicas(timeout_s=30)

    racks = {"keeper-1": "a", "keeper-2": "a", "keeper-3": "a", "keeper-4": "b", "keeper-5": "b"}
    assert {len({racks[holder] for holder in cluster.stat(f"file-{number}").holders}) for number in range(10)} == {2}


def test_racks_may_be_given_in_the_order_of_the_keepers_and_for_those_that_come_later(start: Starter) -> None:
    cluster = start(3, replicas=2, racks=["a", "a", "a", "b"], placement="rack-aware")
    cluster.add_keeper()

    info = cluster.upload(b"x", name="x", ack_replicas=2)

    assert "keeper-4" in info.holders


@pytest.mark.parametrize(
    ("racks", "told"),
    [
        ("abcd", "a mapping"),
        (5, "a mapping"),
        (["a", "b"], "2 racks for 4 keepers"),
        (["a", "b", "c", 4], "the rack of keeper-4 is 4"),
        ({"keeper-1": None}, "the rack of keeper-1 is None"),
        ({"keeper1": "a"}, "keepers are named"),
        ({0: "a"}, "keepers are named"),
        ({True: "a"}, "keepers are named"),
    ],
)
def test_racks_that_are_none_are_refused_before_anything_is_started(racks: object, told: str) -> None:
    with pytest.raises(InvalidOption, match=told) as refused:
        dfslab.cluster.start(4, name="refused-racks", racks=racks)  # type: ignore[arg-type]

    assert "racks=" in str(refused.value)
