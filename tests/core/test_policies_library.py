"""The library of policies: each keeps its rule whatever it is asked, and a file says it in sixty lines."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import dfslab.core.policies
from dfslab.core.blocks import Chunk, split_into_chunks
from dfslab.core.download import Download
from dfslab.core.policies import POLICIES, Policies
from dfslab.core.policies.chunk_schedulers.uniform import Uniform
from dfslab.core.policies.detectors.phi_accrual import PhiAccrual
from dfslab.core.policies.detectors.timeout import TimeoutDetector
from dfslab.core.policies.facts import asked_for
from dfslab.core.policies.placement import FACTS, KeeperLoad
from dfslab.core.policies.placements.copysets import Copysets
from dfslab.core.policies.placements.rack_aware import RackAware
from dfslab.core.policies.placements.random_placement import RandomPlacement
from dfslab.core.policies.placements.round_robin import RoundRobin
from dfslab.core.policies.placements.two_choices import TwoChoices
from dfslab.core.policies.repair_order import Shortage
from dfslab.core.policies.repair_orders.oldest_first import OldestFirst
from dfslab.core.policies.repair_orders.random_order import RandomOrder
from dfslab.core.policies.repair_orders.smallest_first import SmallestFirst

from .worlds import lab, value_of

FILES = sorted(
    path
    for folder in ("placements", "detectors", "repair_orders", "chunk_schedulers")
    for path in (Path(dfslab.core.policies.__file__).parent / folder).glob("*.py")
    if path.name != "__init__.py"
)
LOADS = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 5), st.sampled_from(["", "a", "b", "c"])), min_size=1, max_size=9
).map(
    lambda rows: [
        KeeperLoad(f"k{number}", bytes_, 10**9, held, rack) for number, (bytes_, held, rack) in enumerate(rows)
    ]
)
SEEDS = st.integers(0, 1000)


def names(loads: Sequence[KeeperLoad]) -> list[str]:
    return [load.keeper for load in loads]


def keepers(count: int, racks: int = 1) -> list[KeeperLoad]:
    return [KeeperLoad(f"k{number}", 0, 10**9, 0, f"rack-{number % racks}") for number in range(count)]


def put_files(
    policy: Any, loads: Sequence[KeeperLoad], files: int, replicas: int, rng: random.Random
) -> list[list[str]]:
    """Return where a placement puts files of ten bytes, each with so many copies, one after another."""
    loads, placed = list(loads), []
    racks = {load.keeper: load.rack for load in loads}
    for _ in range(files):
        holders: list[str] = []
        for _ in range(replicas):
            free = [load for load in loads if load.keeper not in holders]
            told = {"holders": list(holders), "racks": racks}
            facts = {fact: told[fact] for fact in asked_for(policy.choose, FACTS)}
            chosen = policy.choose(free, 10, rng, **facts)
            assert chosen in names(free)
            holders.append(chosen)
            loads = [
                KeeperLoad(one.keeper, one.stored_bytes + 10, one.free_bytes, one.replicas + 1, one.rack)
                if one.keeper == chosen
                else one
                for one in loads
            ]
        placed.append(holders)
    return placed


# -- all of them --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_policy_is_a_file_of_sixty_lines_at_most_that_names_its_paper(path: Path) -> None:
    source = path.read_text("utf-8")
    paper = source.split('"""')[1]

    assert len(source.splitlines()) <= 60
    assert any(str(year) in paper for year in range(1950, 2030))
    assert "Taken:" in paper


def test_every_policy_is_registered_under_a_name() -> None:
    registered = [policy for known in POLICIES.values() for policy in known.values()]

    assert sorted(policy.__module__.rpartition(".")[2] for policy in registered) == sorted(path.stem for path in FILES)


@pytest.mark.parametrize("name", sorted(POLICIES["placement"]))
@given(loads=LOADS, seed=SEEDS, replicas=st.integers(1, 4))
def test_a_placement_answers_with_a_candidate_and_a_seed_replays_it(
    name: str, loads: list[KeeperLoad], seed: int, replicas: int
) -> None:
    replicas = min(replicas, len(loads))
    policies = Policies.of(placement=name, replicas=replicas)

    first = put_files(policies.fresh().placement, loads, 12, replicas, random.Random(seed))

    assert first == put_files(policies.fresh().placement, loads, 12, replicas, random.Random(seed))


# -- placements ---------------------------------------------------------------------------------


@given(seed=SEEDS)
def test_random_placement_looks_at_nothing(seed: int) -> None:
    full = [KeeperLoad("a", 10**9, 1, 10**6), KeeperLoad("b", 0, 10**9, 0)]
    rng = random.Random(seed)

    assert set(Counter(RandomPlacement().choose(full, 1, rng) for _ in range(100))) == {"a", "b"}


@given(loads=LOADS, rounds=st.integers(1, 5))
def test_round_robin_goes_round(loads: list[KeeperLoad], rounds: int) -> None:
    policy = RoundRobin()

    turns = [policy.choose(loads, 1, random.Random(0)) for _ in range(rounds * len(loads))]

    assert turns == names(loads) * rounds


@given(loads=LOADS, data=st.data())
def test_round_robin_never_passes_over_a_candidate_twice(loads: list[KeeperLoad], data: st.DataObject) -> None:
    policy, last = RoundRobin(), dict[str, int]()
    for turn in range(20):
        asked = data.draw(st.lists(st.sampled_from(loads), min_size=1, unique=True))
        chosen = policy.choose(asked, 1, random.Random(0))
        assert last.get(chosen, -1) == min(last.get(name, -1) for name in names(asked))
        last[chosen] = turn


@given(loads=LOADS, seed=SEEDS)
def test_two_choices_never_takes_the_one_keeper_that_is_fullest(loads: list[KeeperLoad], seed: int) -> None:
    most = max(load.stored_bytes for load in loads)
    fullest = [load for load in loads if load.stored_bytes == most]
    assume(len(loads) > 1 and len(fullest) == 1)

    assert TwoChoices().choose(loads, 1, random.Random(seed)) != fullest[0].keeper


def test_two_choices_fill_more_evenly_than_one_and_less_evenly_than_all() -> None:
    """Mitzenmacher 2001: the fullest bin of one choice is exponentially fuller than that of two."""

    def fullest(name: str) -> float:
        placed = put_files(POLICIES["placement"][name](), keepers(50), 500, 1, random.Random(3))
        return max(Counter(holders[0] for holders in placed).values())

    assert fullest("balanced") == 10
    assert fullest("balanced") <= fullest("two-choices") < fullest("random")


@given(loads=LOADS, data=st.data(), seed=SEEDS)
def test_rack_aware_puts_no_third_copy_in_a_rack_and_never_all_in_one_while_there_is_a_choice(
    loads: list[KeeperLoad], data: st.DataObject, seed: int
) -> None:
    """HDFS (MSST 2010) §III.B."""
    held = data.draw(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=4))
    racks = {f"h{number}": rack for number, rack in enumerate(held) if rack}
    holders = [f"h{number}" for number in range(len(held))]

    chosen = RackAware().choose(loads, 1, random.Random(seed), holders, racks)

    rack = {load.keeper: load.rack for load in loads}[chosen]
    if len(set(held)) == 1 and {load.rack for load in loads} != {held[0]}:
        assert rack != held[0]
    if any(held.count(load.rack) < 2 for load in loads):
        assert held.count(rack) < 2


@given(racks=st.integers(2, 5), seed=SEEDS)
def test_rack_aware_survives_the_loss_of_any_rack(racks: int, seed: int) -> None:
    placed = put_files(RackAware(), keepers(10, racks), 40, 3, random.Random(seed))

    assert all(len({int(holder[1:]) % racks for holder in holders}) >= 2 for holders in placed)


@given(count=st.integers(3, 12), replicas=st.integers(2, 3), width=st.integers(1, 6), seed=SEEDS)
def test_copysets_keep_every_file_within_one_of_few_sets(count: int, replicas: int, width: int, seed: int) -> None:
    """Cidon et al. 2013, §4: P = S/(R-1) permutations, cut into sets of R."""
    policy = Copysets(replicas, width)

    placed = put_files(policy, keepers(count), 60, replicas, random.Random(seed))

    sets = set(map(frozenset, placed))
    assert sets <= set(policy.copysets)
    assert len(sets) <= math.ceil(width / (replicas - 1)) * math.ceil(count / replicas)
    assert all(len(one) == replicas for one in policy.copysets)
    assert {name for one in policy.copysets for name in one} == set(names(keepers(count)))


def test_copysets_are_the_same_after_a_restart_of_the_master() -> None:
    before, after = Copysets(), Copysets()
    put_files(before, keepers(9), 3, 3, random.Random(1))
    put_files(after, keepers(9), 3, 3, random.Random(2))

    assert before.copysets == after.copysets


def test_a_keeper_that_dies_is_replaced_in_its_copyset_once_for_all_files() -> None:
    policy, rng = Copysets(3, 2), random.Random(1)
    placed = put_files(policy, keepers(9), 200, 3, rng)
    dead = placed[0][0]
    hit = [set(holders) - {dead} for holders in placed if dead in holders]

    def mended(left: set[str]) -> frozenset[str]:
        candidates = [load for load in keepers(9) if load.keeper not in {*left, dead}]
        return frozenset({*left, policy.choose(candidates, 1, rng, sorted(left))})

    assert len(hit) > 10
    assert len({mended(left) for left in hit}) == 1


def test_a_keeper_that_joins_gets_copysets_and_disturbs_none() -> None:
    policy = Copysets(3, 4)
    put_files(policy, keepers(9), 1, 3, random.Random(1))
    before = list(policy.copysets)
    put_files(policy, keepers(10), 1, 3, random.Random(1))

    assert policy.copysets[: len(before)] == before
    assert all("k9" in one and len(one) == 3 for one in policy.copysets[len(before) :])
    assert len(policy.copysets) == len(before) + 2


# -- failure detectors --------------------------------------------------------------------------

GAPS = st.lists(st.floats(0.05, 5.0), min_size=0, max_size=60)


@given(gaps=GAPS, timeout_s=st.floats(0.1, 10.0), silence_s=st.floats(0, 30))
def test_the_timeout_detector_looks_at_the_last_heartbeat_alone(
    gaps: list[float], timeout_s: float, silence_s: float
) -> None:
    detector, now = TimeoutDetector(timeout_s), 0.0
    for gap in gaps:
        detector.heard("a", now := now + gap)

    assert detector.is_overdue("a", now + silence_s) == (bool(gaps) and (now + silence_s) - now >= timeout_s)


@given(gaps=st.lists(st.floats(0.05, 5.0), min_size=11, max_size=40), silence_s=st.floats(0.01, 40))
def test_phi_says_dead_exactly_when_it_has_reached_its_threshold(gaps: list[float], silence_s: float) -> None:
    detector, now = PhiAccrual(threshold=5.0), 0.0
    for gap in gaps:
        detector.heard("a", now := now + gap)
    phi = detector.phi("a", now + silence_s)
    assume(abs(phi - 5.0) > 1e-6)

    assert detector.is_overdue("a", now + silence_s) == (phi > 5.0)


@given(gaps=st.lists(st.floats(0.05, 5.0), min_size=1, max_size=40))
def test_phi_grows_with_the_silence_without_end(gaps: list[float]) -> None:
    detector, now = PhiAccrual(), 0.0
    for gap in gaps:
        detector.heard("a", now := now + gap)
    phis = [detector.phi("a", now + silence_s) for silence_s in range(0, 300, 3)]

    assert all(later >= earlier for earlier, later in pairwise(phis))
    assert detector.is_overdue("a", now + 300)


def beat(detector: PhiAccrual, gaps: Sequence[float], now: float = 0.0) -> float:
    for gap in gaps:
        detector.heard("a", now := now + gap)
    return now


def patience_s(detector: PhiAccrual, now: float) -> float:
    return next(step / 100 for step in range(100_000) if detector.is_overdue("a", now + step / 100))


def test_phi_waits_longer_for_a_keeper_whose_heartbeats_come_unevenly() -> None:
    rng, even, uneven = random.Random(1), PhiAccrual(), PhiAccrual()

    calm = patience_s(even, beat(even, [1.0] * 50))
    jittery = patience_s(uneven, beat(uneven, [rng.uniform(0.2, 2.5) for _ in range(50)]))

    assert 1.5 < calm < 3.0 < jittery


def test_phi_is_a_plain_timeout_until_it_knows_enough() -> None:
    detector = PhiAccrual(timeout_s=3.0)

    assert not detector.is_overdue("a", 100.0)
    assert patience_s(detector, beat(detector, [1.0] * 5)) == 3.0
    assert detector.phi("a", 100.0) == 0.0


def test_phi_still_knows_after_a_false_alarm_what_it_has_learnt() -> None:
    """Who forgets all at each false alarm never learns that heartbeats may be late."""
    detector = PhiAccrual(timeout_s=3.0)
    now = beat(detector, [1.0] * 50)
    before_s = patience_s(detector, now)
    detector.forget("a")

    assert not detector.is_overdue("a", now + 100)
    now = beat(detector, [3.5, 1.0, 1.0], now)
    assert patience_s(detector, now) > before_s


def test_a_long_death_is_not_taken_for_a_late_heartbeat() -> None:
    detector = PhiAccrual(timeout_s=3.0)
    now = beat(detector, [1.0] * 50)
    before_s = patience_s(detector, now)
    detector.forget("a")

    assert patience_s(detector, beat(detector, [600.0], now)) == before_s


# -- repair orders ------------------------------------------------------------------------------

SHORTAGES = st.lists(
    st.builds(
        Shortage,
        version=st.text("0123456789abcdef", min_size=8, max_size=8),
        name=st.just("a"),
        size=st.integers(0, 10**9),
        live=st.integers(0, 2),
        wanted=st.just(3),
        since_s=st.floats(0, 1e4),
    ),
    min_size=2,
    max_size=8,
)


@given(shortages=SHORTAGES)
def test_each_order_begins_with_what_its_name_says(shortages: list[Shortage]) -> None:
    fewest = POLICIES["repair_order"]["fewest-copies-first"]()

    assert min(shortages, key=fewest.key).live == min(one.live for one in shortages)
    assert min(shortages, key=OldestFirst().key).since_s == min(one.since_s for one in shortages)
    assert min(shortages, key=SmallestFirst().key).size == min(one.size for one in shortages)


@given(shortages=SHORTAGES)
def test_the_random_order_hangs_on_the_version_and_the_seed_alone(shortages: list[Shortage]) -> None:
    for one in shortages:
        moved = replace(one, live=0, size=1, since_s=0.0)
        assert RandomOrder(3).key(one) == RandomOrder(3).key(moved)
        assert RandomOrder(3).key(one) != RandomOrder(4).key(one)


# -- chunk schedulers ---------------------------------------------------------------------------


def download(scheduler: Any, size: int, rate: dict[str, float], failing: str = "") -> Download:
    """Play a download in which each holder serves so many bytes a second, and return how it went."""
    machine = Download(size, 16, list(rate), scheduler)
    now, busy = 0.0, dict[str, tuple[float, Chunk]]()
    for _ in range(10_000):
        for keeper in machine.holders:
            if keeper not in busy and (chunk := machine.next_chunk(keeper, now)) is not None:
                busy[keeper] = now + chunk.length / rate[keeper], chunk
        if not busy or machine.finished:
            break
        keeper = min(busy, key=lambda one: busy[one][0])
        now, chunk = busy.pop(keeper)
        if keeper == failing:
            machine.failed(keeper, chunk, "broken", now, fatal=True)
        else:
            machine.arrived(keeper, chunk, now)
    return machine


@pytest.mark.parametrize("name", sorted(POLICIES["chunk_scheduler"]))
@given(size=st.integers(1, 5000), rates=st.lists(st.floats(1, 100), min_size=2, max_size=4), fails=st.booleans())
def test_every_scheduler_brings_the_file_home_even_when_a_holder_fails(
    name: str, size: int, rates: list[float], fails: bool
) -> None:
    rate = {f"k{number}": one for number, one in enumerate(rates)}

    machine = download(POLICIES["chunk_scheduler"][name](), size, rate, "k0" if fails else "")

    assert machine.finished


@given(rates=st.lists(st.floats(1, 100), min_size=1, max_size=4))
def test_uniform_gives_fast_and_slow_holders_the_same_bytes(rates: list[float]) -> None:
    size = 16 * 1000
    machine = download(Uniform(), size, {f"k{number}": one for number, one in enumerate(rates)})

    served = Counter[str]()
    for fetched in machine.requests:
        served[fetched.keeper] += fetched.chunk.length
    longest = max(chunk.length for chunk in split_into_chunks(size, 16, len(rates)))
    assert max(served.values()) - min(served.values()) <= 2 * longest


def test_a_scheduler_that_was_written_before_is_asked_as_before() -> None:
    class Plain:
        def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):  # type: ignore[no-untyped-def]
            return waiting[0] if waiting else None

    assert download(Plain(), 1000, {"a": 1.0, "b": 2.0}).finished


# -- what the master tells ----------------------------------------------------------------------


Told = tuple[list[str], list[str], dict[str, str]]


class Curious:
    """Notes what it is told, and takes the first."""

    def __init__(self, told: list[Told]) -> None:
        self.told = told

    def __deepcopy__(self, memo: object) -> Curious:
        return self

    def choose(self, candidates, size, rng, *, holders, racks):  # type: ignore[no-untyped-def]
        self.told.append((list(holders), [load.rack for load in candidates], dict(racks)))
        return candidates[0].keeper


def test_placement_is_told_of_the_holders_and_of_racks() -> None:
    racks = {"keeper-1": "a", "keeper-3": "b"}
    told: list[Told] = []
    world = lab(keepers=4, replicas=3, policies=Policies.of(placement=Curious(told)), racks=racks)

    world.finish(value_of(world.begin("a.mp4")))

    assert told == [
        ([], ["a", "", "b", ""], racks),
        (["keeper-1"], ["", "b", ""], racks),
        (["keeper-1", "keeper-2"], ["b", ""], racks),
    ]


@pytest.mark.parametrize("how", ["dies", "leaves"])
def test_a_keeper_that_dies_or_leaves_is_no_holder(how: str) -> None:
    told: list[Told] = []
    world = lab(keepers=4, replicas=2, policies=Policies.of(placement=Curious(told)))
    world.upload("a.mp4")
    (copy,) = world.copies
    world.arrive(copy)
    told.clear()

    if how == "leaves":
        world.decommission("keeper-1")
    world.run(10.0, silent=["keeper-1"] if how == "dies" else [])

    assert [holders for holders, _, _ in told][:1] == [["keeper-2"]]


def test_a_dry_run_leaves_no_trace_in_a_placement_with_a_memory() -> None:
    world = lab(keepers=5, replicas=2, repair="scan", policies=Policies.of(placement="round-robin"))
    world.upload("a.mp4")
    world.upload("b.mp4")

    foretold = value_of(world.scan(dry_run=True))

    assert foretold
    assert value_of(world.scan(dry_run=True)) == foretold
    assert value_of(world.scan()) == foretold
