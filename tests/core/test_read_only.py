"""FAULTS row 14, in the core: while the catalog takes nothing, files can be read, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dfslab.core.errors import CatalogFull
from dfslab.core.liveness import Liveness
from dfslab.core.master import Master, events
from dfslab.core.master.instructions import AppendCatalog, Recorded, Reply
from dfslab.core.trace import Kind

from .worlds import Lab, Refused, lab, value_of

FULL = CatalogFull(path="/m/catalog.sqlite")


def full(world: Lab) -> None:
    world.handle(events.WritesFailed(FULL))


CHANGES: dict[str, Callable[[Lab], Any]] = {
    "an upload": lambda world: world.begin("new.mp4"),
    "a delete": lambda world: world.delete("a.mp4"),
    "a rename": lambda world: world.rename("a.mp4", "b.mp4"),
    "a registration": lambda world: world.register("keeper-1"),
    "a bad replica": lambda world: world.bad("a.mp4", "keeper-1"),
    "a scan": lambda world: world.scan(),
    "a decommissioning": lambda world: world.decommission("keeper-1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_refused_and_has_changed_nothing(change: str) -> None:
    world = lab(keepers=4)
    world.store("a.mp4")
    full(world)
    before = (world.master.rows(), [(k.id, k.liveness, k.incarnation) for k in world.master.keepers()])

    said = CHANGES[change](world)

    assert said == [Refused(world.request, CatalogFull)]
    assert (world.master.rows(), [(k.id, k.liveness, k.incarnation) for k in world.master.keepers()]) == before
    world.master.validate()


def test_files_are_found_heartbeats_are_heard_and_deaths_are_noticed() -> None:
    world = lab(keepers=3)
    version = world.store("a.mp4")
    full(world)

    said = world.run(10.0, silent=["keeper-3"])

    assert not [one for one in said if isinstance(one, AppendCatalog)]
    assert world.liveness("keeper-3") is Liveness.DEAD
    assert world.locate("a.mp4").version == version
    assert [info.name for info in world.master.files()] == ["a.mp4"]


def test_what_was_recorded_before_is_said_again() -> None:
    """The reply to step 4 was lost; the keeper must not delete what the table has."""
    world = lab(keepers=3)
    slot = value_of(world.begin("a.mp4", on="keeper-1"))
    world.finish(slot)
    full(world)

    assert Reply(world.request + 1, Recorded(keep=True)) in world.finish(slot)


def test_a_replica_that_was_turned_away_does_not_count_when_it_is_told_of_again_late() -> None:
    """Its keeper has deleted it by then (simulator, a repeated step 4): the name would have meant a file of no copy."""
    world = lab(keepers=3)
    before = world.store("a.mp4")
    slot = value_of(world.begin("a.mp4", upload="another", on="keeper-1"))
    full(world)
    assert Refused(world.request + 1, CatalogFull) in world.finish(slot)
    world.handle(events.WritesWork())

    said = world.finish(slot)

    assert said == [Reply(world.request, Recorded(keep=False, reason="there was no room for its record"))]
    assert world.version("a.mp4") == before


def test_its_beginning_and_its_end_are_in_the_trace_once_and_repairs_that_waited_start_at_its_end() -> None:
    world = lab(keepers=4)
    world.store("a.mp4")
    full(world)
    assert (world.note(Kind.MASTER_READ_ONLY).detail["reason"], len(world.kinds())) == (str(FULL), 1)
    full(world)
    assert world.kinds() == []
    world.run(10.0, silent=["keeper-1"])
    assert Kind.COPY_ORDERED not in [event.kind for event in world.trace.events()[-20:]]

    world.handle(events.WritesWork())

    assert world.kinds()[0] is Kind.MASTER_WRITABLE
    assert Kind.COPY_ORDERED in world.kinds()


def test_a_core_that_goes_back_to_its_catalog_knows_who_was_alive_and_lets_the_upload_go_on() -> None:
    """The commit of an upload did not become durable: it is taken back, its slot is not."""
    world = lab(keepers=3)
    version = world.store("a.mp4")
    world.run(8.0, silent=["keeper-3"])
    slot = value_of(world.begin("b.mp4", on="keeper-1"))
    before, image = world.master, world.catalog.image()
    number = len(world.catalog.versions)
    lost = before.handle(stored(world, slot), world.now)
    assert isinstance(lost[0], AppendCatalog)

    world.master = Master(world.options, world.policies, before._state.rng, "again")
    world._take(world.master.start(image, world.now, before))
    full(world)

    assert {keeper.id: keeper.liveness for keeper in world.master.keepers()} == {
        "keeper-1": Liveness.ALIVE,
        "keeper-2": Liveness.ALIVE,
        "keeper-3": Liveness.DEAD,
    }
    assert not world.master.safe_mode
    assert world.locate("a.mp4").version == version
    assert [info.name for info in world.master.files()] == ["a.mp4"]
    world.master.validate()

    world.handle(events.WritesWork())
    world.finish(slot)
    assert len(world.catalog.versions) == number + 1
    assert [info.name for info in world.master.files()] == ["a.mp4", "b.mp4"]


def test_an_acknowledgement_that_hung_on_what_did_not_become_durable_is_taken_back() -> None:
    """Found by the simulator (seed 80): a delete that was lost had settled an upload that was still short of copies."""
    world = lab(keepers=3)
    slot = value_of(world.begin("a.mp4", on="keeper-1", upload="up", ack_replicas=3))
    world.finish(slot)
    assert world.wait("up", hold_s=60.0) == []
    before, image = world.master, world.catalog.image()
    lost = before.handle(events.Delete(99, "a.mp4"), world.now)
    assert any(isinstance(one, Reply) and one.request == world.request for one in lost), "it is settled by its end"

    world.master = Master(world.options, world.policies, before._state.rng, "again")
    world._take(world.master.start(image, world.now, before))
    full(world)

    assert value_of(world.wait("up", hold_s=0.0)).acknowledged is None


def stored(world: Lab, slot: Any) -> events.ReplicaStored:
    """Return step 4 of an upload, as `finish` tells it."""
    told: list[events.ReplicaStored] = []
    handle = world.handle

    def listen(event: Any, at: float | None = None) -> Any:
        told.append(event)
        raise StopIteration

    world.handle = listen  # type: ignore[method-assign]
    with pytest.raises(StopIteration):
        world.finish(slot)
    world.handle = handle  # type: ignore[method-assign]
    return told[0]
