"""Histories that have found a bug, with what it was. Each ran into it before it was mended.

The histories have changed since, as the simulator has learnt more; the scenarios in tests/core are what
stays of those bugs.
"""

from __future__ import annotations

import pytest

from dfslab.sim import Settings, simulate

FOUND = {
    11: "a keeper killed between its last rename and its sync reported a replica whose name was not durable",
    17: "step 4, answered by a master whose disk was full, left a replica on the keeper of which nobody knew",
    20: "step 4 was repeated until the keeper had died: the copy counted all the same",
    28: "an upload ended with 'nothing was changed' while an attempt of it was being recorded",
    31: "the same, with a master that had no room for the slot of the second attempt",
    32: "a keeper said of an upload that it had recorded, before the master's disk was full, that nothing was changed",
    80: "a master that went back to its catalog took an acknowledgement along that had not become durable",
    33: "a reader saw an upload that had failed for certain",
    100: "an upload that was given up after eight attempts had been stored by one of them",
}


@pytest.mark.parametrize("seed", FOUND, ids=FOUND.values())
def test_a_history_that_found_a_bug_holds(seed: int) -> None:
    assert simulate(Settings(seed=seed, steps=5000)).broken is None
