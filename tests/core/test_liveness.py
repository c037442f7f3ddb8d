"""Who is alive: the transition table, and what a keeper's silence and return do to the lookup table."""

from __future__ import annotations

import itertools

import pytest

from dfslab.core.errors import InvalidTransition, StaleIncarnation
from dfslab.core.liveness import LIVENESS, SERVING, Liveness, Sign, next_liveness
from dfslab.core.master import events
from dfslab.core.master.instructions import Reply
from dfslab.core.trace import Kind

from .worlds import Copy, Drop, Refused, lab, orders


@pytest.mark.parametrize(("pair", "after"), list(LIVENESS.items()))
def test_every_listed_pair_leads_to_its_state(pair: tuple[Liveness, Sign], after: Liveness) -> None:
    assert next_liveness(*pair) is after


@pytest.mark.parametrize("pair", [p for p in itertools.product(Liveness, Sign) if p not in LIVENESS])
def test_a_pair_that_is_not_listed_is_a_bug_and_says_so(pair: tuple[Liveness, Sign]) -> None:
    with pytest.raises(InvalidTransition, match=f"liveness in state {pair[0]} met {pair[1]}.*report"):
        next_liveness(*pair)


def test_the_dead_and_the_decommissioned_come_back_only_by_registering_or_never() -> None:
    """Guarantee 6: a heartbeat alone resurrects nobody."""
    ways_back = {
        (state, sign) for (state, sign), after in LIVENESS.items() if state not in SERVING and after in SERVING
    }

    assert ways_back == {(Liveness.UNSEEN, Sign.REGISTERED), (Liveness.DEAD, Sign.REGISTERED)}
    assert all(state is not Liveness.DECOMMISSIONED for state, _ in LIVENESS)


def test_a_keeper_is_dead_at_its_timeout_and_not_a_moment_before() -> None:
    """DESIGN §2: heartbeats every 1 s; dead after heartbeat_timeout_s of silence."""
    world = lab(keepers=1, heartbeat_timeout_s=3.0)
    world.beat("keeper-1", at=1.5)

    assert world.tick(at=4.499) == []
    assert world.liveness("keeper-1") is Liveness.ALIVE
    assert world.tick(at=4.5) == []
    assert world.liveness("keeper-1") is Liveness.DEAD
    assert world.kinds() == [Kind.KEEPER_DEAD]
    assert world.note(Kind.KEEPER_DEAD).peer == "keeper-1"


def test_a_heartbeat_is_answered_and_keeps_a_keeper_alive() -> None:
    world = lab(keepers=1)

    for second in range(1, 31):
        assert world.beat("keeper-1", at=float(second)) == [Reply(world.request, world.clock())]
        assert orders(world.tick()) == []

    assert world.liveness("keeper-1") is Liveness.ALIVE


def test_the_free_space_of_a_keeper_is_what_its_last_heartbeat_said() -> None:
    world = lab(keepers=1)

    world.beat("keeper-1", free_bytes=123, at=1.0)

    assert world.master.keepers()[0].free_bytes == 123
    assert world.trace.table().keepers["keeper-1"].free_bytes == 123
    assert world.trace.table().keepers["keeper-1"].last_heartbeat_s == 1.0


def test_a_keeper_that_was_declared_dead_must_register_again() -> None:
    """FAULTS 21: frozen for longer than the timeout, then continued: back as a new incarnation."""
    world = lab(keepers=1)
    world.tick(at=3.0)

    assert world.beat("keeper-1", at=3.1) == [Refused(world.request, StaleIncarnation)]
    assert world.liveness("keeper-1") is Liveness.DEAD
    world.register("keeper-1", at=3.2)
    assert world.incarnation("keeper-1") == 2
    assert world.beat("keeper-1", at=3.3) == [Reply(world.request, world.clock())]
    assert world.beat("keeper-1", incarnation=1, at=3.4) == [Refused(world.request, StaleIncarnation)]


def test_a_keeper_that_the_master_never_met_must_register() -> None:
    world = lab()

    assert world.ask(lambda request: events.Heartbeat(request, "keeper-9", 1, 0)) == [
        Refused(world.request, StaleIncarnation)
    ]
    assert world.master.keepers() == []


def test_a_keeper_that_heartbeats_again_before_its_timeout_costs_no_copy() -> None:
    world = lab(keepers=4)
    world.store("a.mp4")

    assert world.run(2.0, silent=["keeper-1"]) == []
    assert world.run(4.5) == []


def test_a_keeper_that_flaps_every_two_seconds_costs_nothing() -> None:
    """FAULTS 24: silence shorter than the timeout is no death, so copies stay bounded."""
    world = lab(keepers=4)
    world.store("a.mp4")

    for second in range(0, 60, 4):
        assert world.run(second + 2.0, silent=["keeper-1"]) == []
        assert world.run(second + 4.0) == []


def test_a_keeper_that_dies_and_returns_again_and_again_costs_one_copy_in_all() -> None:
    """FAULTS 24: the copy that replaced it stays until the calm period is over, so no second one is made."""
    world = lab(keepers=4, replication_interval_s=1000.0)
    version = world.store("a.mp4")
    copies = []

    for _ in range(5):
        said = orders(world.run(world.now + 4.0, silent=["keeper-1"]))
        copies += said
        for copy in said:
            assert isinstance(copy, Copy)
            world.arrive(copy)
        world.register("keeper-1", version)
        assert not any(isinstance(order, Drop) for order in orders(world.run(world.now + 2.0)))

    assert copies == [Copy(version.id, "keeper-2", "keeper-4")]


def test_death_is_judged_by_the_clock_that_is_handed_in_alone() -> None:
    """FAULTS 35: no wall clock, no mass death: a master that no Tick reaches buries nobody."""
    world = lab(keepers=3)

    for keeper in ("keeper-1", "keeper-2", "keeper-3"):
        world.beat(keeper, at=1000.0)

    assert world.tick(at=1000.0) == []
    assert [keeper.liveness for keeper in world.master.keepers()] == [Liveness.ALIVE] * 3
