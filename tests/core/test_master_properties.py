"""Whatever happens, in whatever order: nothing acknowledged is forgotten, no last copy dropped, and all heals.

Chance drives one master among make-believe keepers and clients (see fake_world.py). After every event
the master's own invariants hold, its trace tells the same as its tables, and the catalog the same as
the world; an order to drop the last good copy, or an acknowledgement without the copies, fails at once.
"""

from __future__ import annotations

from collections import Counter

import pytest

from dfslab.core.trace import Kind

from .fake_world import HAPPENINGS, World

SEEDS = range(24)
ERAS = 3
STEPS = 80


def live_through(seed: int) -> World:
    """Return the world after some eras of trouble, each of which ended well."""
    world = World(seed)
    try:
        for _ in range(ERAS):
            for _ in range(STEPS):
                world.happen()
            world.heal()
            world.check_all_is_well()
    except AssertionError as failure:
        failure.add_note(f"seed {seed}:\n{world.story()}")
        raise
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_no_guarantee_is_broken_and_all_heals(seed: int) -> None:
    """DESIGN §3, guarantees 1, 3, 4, 5 and 6; FAULTS 1, 4 to 6, 9 to 12, 16, 19, 22, 24 to 26, 28, 29, 36, 37."""
    live_through(seed)


def test_a_seed_replays_its_history() -> None:
    """DESIGN §4: one seed replays one history."""
    first, second = live_through(1), live_through(1)

    assert first.lab.trace.events() == second.lab.trace.events()
    assert first.happened == second.happened


def test_the_histories_are_full_of_trouble() -> None:
    """FAULTS: a fault that never fired fails its test."""
    worlds = [live_through(seed) for seed in list(SEEDS)[:12]]
    kinds = Counter(event.kind for world in worlds for event in world.lab.trace.events())
    happened = {line.split()[1] for world in worlds for line in world.happened}

    assert happened >= set(HAPPENINGS)
    for kind, least in {
        Kind.FILE_COMMITTED: 100,
        Kind.UPLOAD_ACKNOWLEDGED: 50,
        Kind.KEEPER_DEAD: 50,
        Kind.COPY_FAILED: 50,
        Kind.REPLICA_CORRUPT: 20,
        Kind.ORPHAN_FOUND: 8,
        Kind.MASTER_STARTED: 20,
        Kind.KEEPER_DECOMMISSIONED: 3,
        Kind.FILE_RENAMED: 3,
    }.items():
        assert kinds[kind] >= least, (kind, kinds[kind])
