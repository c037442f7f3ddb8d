"""Every policy of the library, by name, in the simulator's trouble: whatever one decides, no guarantee may break."""

from __future__ import annotations

import pytest

from dfslab.core.policies import POLICIES
from dfslab.sim import Settings, simulate

RACKS = {f"keeper-{number}": f"rack-{number % 2}" for number in range(1, 7)}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, known in POLICIES.items() for name in known])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_guarantee_breaks_under_a_policy_of_the_library(kind: str, name: str, seed: int) -> None:
    outcome = simulate(Settings(seed=seed, steps=1500, policies={kind: name}, racks=RACKS))

    assert outcome.broken is None, outcome.broken
    assert outcome.acknowledged > 0
    assert not [event for event in outcome.trace if "policy" in str(event.detail.get("reason", ""))]


@pytest.mark.parametrize("name", list(POLICIES["placement"]))
def test_a_history_under_a_placement_is_replayed_by_its_seed(name: str) -> None:
    settings = Settings(seed=5, steps=800, policies={"placement": name}, racks=RACKS)

    assert simulate(settings).trace == simulate(settings).trace
