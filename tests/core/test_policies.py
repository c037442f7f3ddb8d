"""The policies: what each decides, and how one of somebody's own is plugged in."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from dfslab.core.blocks import Chunk
from dfslab.core.errors import InvalidOption, PolicyFailed
from dfslab.core.liveness import Liveness
from dfslab.core.policies import POLICIES, Policies, resolve
from dfslab.core.policies.chunk_scheduler import InFlight, WorkStealing
from dfslab.core.policies.failure_detector import TimeoutDetector
from dfslab.core.policies.placement import Balanced, KeeperLoad
from dfslab.core.policies.repair_order import FewestCopiesFirst, Shortage
from dfslab.core.trace import Kind

from .worlds import Copy, InOrder, Refused, lab, orders, value_of

CHUNKS = tuple(Chunk(index, index * 10, 10) for index in range(4))


def load(keeper: str, stored_bytes: int = 0, replicas: int = 0) -> KeeperLoad:
    return KeeperLoad(keeper, stored_bytes, 10**9, replicas)


def test_balanced_places_where_the_fewest_bytes_are() -> None:
    """GFS §4.3: on servers with below-average disk use."""
    candidates = [load("a", 30), load("b", 10), load("c", 20)]

    assert Balanced().choose(candidates, 5, random.Random(1)) == "b"


def test_balanced_takes_the_one_with_fewer_replicas_among_equals() -> None:
    assert Balanced().choose([load("a", 10, 3), load("b", 10, 2)], 5, random.Random(1)) == "b"


def test_balanced_leaves_ties_to_chance_and_a_seed_replays() -> None:
    candidates = [load("a"), load("b"), load("c", 1)]

    def choices(seed: int) -> list[str]:
        rng = random.Random(seed)
        return [Balanced().choose(candidates, 5, rng) for _ in range(100)]

    assert choices(1) == choices(1)
    assert set(Counter(choices(1))) == {"a", "b"}


def test_the_timeout_detector_gives_up_after_its_silence_and_not_before() -> None:
    detector = TimeoutDetector(3.0)
    detector.heard("a", 10.0)

    assert not detector.is_overdue("a", 12.999)
    assert detector.is_overdue("a", 13.0)
    detector.heard("a", 13.0)
    assert not detector.is_overdue("a", 15.0)


def test_the_timeout_detector_has_no_opinion_of_strangers() -> None:
    detector = TimeoutDetector(3.0)
    assert not detector.is_overdue("a", 1000.0)

    detector.heard("a", 0.0)
    detector.forget("a")
    detector.forget("never heard of")

    assert not detector.is_overdue("a", 1000.0)


def test_fewest_copies_first_and_then_who_has_waited_longest() -> None:
    """GFS §4.3."""

    def shortage(name: str, live: int, since_s: float) -> Shortage:
        return Shortage(name, name, 1, live, 3, since_s)

    waiting = [shortage("c", 2, 0.0), shortage("b", 1, 5.0), shortage("a", 1, 4.0), shortage("lost", 0, 9.0)]

    assert [one.name for one in sorted(waiting, key=FewestCopiesFirst().key)] == ["lost", "a", "b", "c"]


def test_work_stealing_gives_the_head_of_the_queue() -> None:
    assert WorkStealing().next_chunk("a", CHUNKS[1:], {0: InFlight(CHUNKS[0], ("b",), 0.0)}, 0.1, 99.0) == CHUNKS[1]


def test_work_stealing_rests_when_there_is_nothing_to_do() -> None:
    assert WorkStealing().next_chunk("a", (), {}, None, 0.0) is None


@pytest.mark.parametrize(
    ("mean_s", "patience_s"), [(None, 0.5), (0.1, 0.2), (0.001, 0.02)], ids=["no mean yet", "twice the mean", "floor"]
)
def test_work_stealing_hedges_the_chunk_that_is_late(mean_s: float | None, patience_s: float) -> None:
    """Dean & Barroso, "The Tail at Scale", CACM 2013."""
    flights = {index: InFlight(CHUNKS[index], ("b",), float(index)) for index in (1, 2)}

    assert WorkStealing().next_chunk("a", (), flights, mean_s, 1.0 + patience_s - 1e-6) is None
    assert WorkStealing().next_chunk("a", (), flights, mean_s, 1.0 + patience_s + 1e-6) == CHUNKS[1]


def test_no_hedging_takes_from_the_queue_and_never_asks_twice() -> None:
    scheduler = resolve("chunk_scheduler", "no-hedging")
    late = {0: InFlight(CHUNKS[0], ("b",), 0.0)}

    assert scheduler.next_chunk("a", CHUNKS[1:], late, 0.1, 1e9) == CHUNKS[1]
    assert scheduler.next_chunk("a", (), late, 0.1, 1e9) is None
    assert scheduler.next_chunk("a", (), late, None, 1e9) is None


def test_work_stealing_hedges_nobodys_own_chunk_and_none_twice() -> None:
    flights = {0: InFlight(CHUNKS[0], ("a",), 0.0), 1: InFlight(CHUNKS[1], ("b", "c"), 0.0)}

    assert WorkStealing().next_chunk("a", (), flights, 0.1, 99.0) is None
    flights[2] = InFlight(CHUNKS[2], ("b",), 0.0)
    assert WorkStealing().next_chunk("a", (), flights, 0.1, 99.0) == CHUNKS[2]


# -- plugging one in ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, known in POLICIES.items() for name in known])
def test_every_registered_policy_can_be_named(kind: str, name: str) -> None:
    made = Policies.of(**{kind: name})  # type: ignore[arg-type]

    assert type(getattr(made, kind)) is POLICIES[kind][name]


def test_the_failure_detector_gets_the_clusters_timeout() -> None:
    detector = Policies.of(heartbeat_timeout_s=7.5).failure_detector

    assert isinstance(detector, TimeoutDetector)
    assert detector.timeout_s == 7.5


@pytest.mark.parametrize("kind", list(POLICIES))
def test_a_name_that_is_not_registered_is_refused_and_the_known_ones_are_told(kind: str) -> None:
    known = ", ".join(sorted(POLICIES[kind]))
    with pytest.raises(InvalidOption, match=f"{kind}='mine' is refused: known are {known};"):
        resolve(kind, "mine")


@pytest.mark.parametrize("kind", list(POLICIES))
def test_an_object_without_the_methods_is_refused_and_told_which(kind: str) -> None:
    with pytest.raises(InvalidOption, match=r"it has no method \w+"):
        resolve(kind, object())


def test_a_class_or_an_object_of_ones_own_is_taken() -> None:
    class Last:
        def choose(self, candidates: list[KeeperLoad], size: int, rng: random.Random) -> str:
            return candidates[-1].keeper

    mine = Last()

    assert isinstance(resolve("placement", Last), Last)
    assert resolve("placement", mine) is mine


class Faulty:
    """A placement, an order and a detector that fail while `broken`."""

    broken = True

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: random.Random) -> str:
        return "keeper-99" if Faulty.broken else candidates[0].keeper

    def key(self, shortage: Shortage) -> tuple[float, ...]:
        raise ZeroDivisionError("no key")

    def heard(self, keeper: str, now: float) -> None:
        raise KeyError(keeper)

    def forget(self, keeper: str) -> None:
        pass

    def is_overdue(self, keeper: str, now: float) -> bool:
        raise KeyError(keeper)


def test_a_placement_that_fails_is_named_in_the_trace_once_and_copies_go_on_when_it_is_mended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A student's policy may fail at every scan; the master lives on, and says so once."""
    monkeypatch.setattr(Faulty, "broken", False)
    world = lab(keepers=2, replicas=2, policies=Policies.of(placement=Faulty()))
    slot = value_of(world.begin("a.mp4"))
    monkeypatch.setattr(Faulty, "broken", True)
    world.finish(slot)

    assert orders(world.run(60.0)) == []
    failures = [event for event in world.trace.events() if event.kind is Kind.NODE_ERROR]
    assert ["it chose 'keeper-99', which is not a candidate" in event.detail["reason"] for event in failures] == [True]
    assert world.begin("b.mp4") == [Refused(world.request, PolicyFailed)]
    assert world.scan() == [Refused(world.request, PolicyFailed)]
    assert world.scan(dry_run=True) == [Refused(world.request, PolicyFailed)]

    monkeypatch.setattr(Faulty, "broken", False)
    assert orders(world.run(80.0)) == [Copy(slot.version, "keeper-1", "keeper-2")]


@pytest.mark.parametrize("kind", ["repair_order", "failure_detector"])
def test_an_order_or_a_detector_that_fails_stops_nothing_else(kind: str) -> None:
    world = lab(keepers=2, replicas=2, policies=Policies.of(**{"placement": InOrder(), kind: Faulty()}))  # type: ignore[arg-type]

    world.upload("a.mp4")
    world.run(30.0)

    failures = {event.detail["reason"] for event in world.trace.events() if event.kind is Kind.NODE_ERROR}
    assert failures
    assert all(kind in reason for reason in failures)
    assert world.master.stat("a.mp4").holders[0] == "keeper-1"
    assert [world.liveness(keeper) for keeper in ("keeper-1", "keeper-2")] == [Liveness.ALIVE] * 2


def test_a_fresh_set_of_policies_remembers_nothing_of_an_earlier_run() -> None:
    policies = Policies.of(heartbeat_timeout_s=3.0)
    first = policies.fresh()
    first.failure_detector.heard("a", 0.0)

    assert first.failure_detector.is_overdue("a", 10.0)
    assert not policies.fresh().failure_detector.is_overdue("a", 10.0)
