"""Slow links, cuts in one direction, and a keeper that comes and goes (rows 20, 22 to 24)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from dfslab import DfsError
from dfslab.core.trace import Kind
from tests.faults.case import Case
from tests.faults.ledger import Ledger
from tests.faults.plugin import row
from tests.faults.waiting import until

KB, MB = 1000, 1000 * 1000


@row(20)
@pytest.mark.parametrize("slow", [1, 2])
def test_a_download_does_not_wait_for_keepers_at_10_kb_a_second(case: Case, slow: int) -> None:
    files = case.start()
    size = case.rng.randrange(2 * MB, 4 * MB)
    files.upload("clip", size)
    files.cluster.wait_for_replicas("clip")
    holders = files.holders("clip")
    victims = case.rng.sample(holders, slow)
    for keeper in holders:
        files.cluster.set_link(keeper, rate_mb_s=0.01 if keeper in victims else 10.0)

    got = files.download("clip", limit_s=10.0)

    late = got.chunks[got.chunks.keeper.isin(victims)]
    case.strike("requests at 10 KB/s", len(late))
    hedged = got.chunks[~got.chunks.keeper.isin(victims) & (got.chunks.outcome == "ok")]
    assert set(late[late.outcome != "ok"].offset) & set(hedged.offset), "no late chunk was asked for a second time"


@row(22)
def test_nothing_is_committed_on_a_registration_that_has_lapsed(case: Case) -> None:
    """The client reaches the keeper, the keeper hears the master, and the master hears nothing of it."""
    files = case.start(n=3, replicas=2)
    cut: list[str] = []

    def cut_the_keeper_off(done: int, total: int) -> None:
        if not cut:
            cut.append(files.events(Kind.SLOT_GRANTED)[-1].detail["keeper"])
            files.cluster.partition(cut[0], "master", one_way=True)

    uploading = threading.Thread(target=upload_whatever_comes, args=(files, 3 * MB, cut_the_keeper_off))
    uploading.start()
    until("the cut", lambda: cut)
    files.cluster.wait_for_dead(cut[0])
    until("the keeper to have stored it", lambda: stored_by(files, cut[0]))
    files.cluster.heal()
    uploading.join()

    files.cluster.wait_for_alive(cut[0])
    events = files.cluster._recorder.events()
    dead = next(event.time_s for event in events if event.kind is Kind.KEEPER_DEAD and event.peer == cut[0])
    back = next(
        event.time_s
        for event in events
        if event.kind is Kind.KEEPER_REGISTERED and event.peer == cut[0] and event.time_s > dead
    )
    recorded = (Kind.FILE_COMMITTED, Kind.REPLICA_RECORDED)
    assert [one for one in events if one.kind in recorded and one.peer == cut[0] and one.time_s < back] == []
    case.strike("a replica stored under a lapsed registration")


def upload_whatever_comes(files: Ledger, size: int, progress: Callable[[int, int], None]) -> None:
    try:
        files.upload("clip", size, progress=progress)
    except DfsError as error:
        print(f"the client heard: {error}")  # the books have it


def stored_by(files: Ledger, keeper: str) -> bool:
    return any(event.node == keeper for event in files.events(Kind.REPLICA_STORED))


@row(23)
def test_copies_go_elsewhere_when_a_keeper_is_heard_but_takes_no_orders(case: Case) -> None:
    files = case.start(n=4)
    for number in range(3):
        files.upload(f"clip-{number}", case.rng.randrange(100 * KB, 300 * KB))
    files.cluster.wait_for_replicas()
    deaf = files.cluster.add_keeper()  # empty, so placement wants it for every copy
    files.cluster.partition("master", deaf, one_way=True)

    files.cluster.kill(dead := case.rng.choice(files.holders("clip-0")))
    files.cluster.wait_for_dead(dead)
    files.cluster.wait_for_replicas()

    assert deaf in [keeper.keeper for keeper in files.cluster._client.keeper_infos() if keeper.is_alive]
    failed = [event for event in files.events(Kind.COPY_FAILED) if event.peer == deaf]
    case.strike("copies that the deaf keeper did not make", len(failed))


@row(24)
def test_a_keeper_that_comes_and_goes_does_not_multiply_copies(case: Case) -> None:
    files = case.start(n=5)
    names = [f"clip-{number}" for number in range(6)]
    for name in names:
        files.upload(name, case.rng.randrange(10 * KB, 300 * KB))
    files.cluster.wait_for_replicas()
    victim = case.rng.choice(files.holders(names[0]))
    before = files.count(Kind.COPY_ORDERED)

    for _ in range(4):
        files.cluster.drop_heartbeats(victim)
        files.cluster.wait_for_dead(victim)
        case.strike("deaths of a keeper that flaps")
        files.cluster.restore_heartbeats(victim)
        files.cluster.wait_for_alive(victim)

    files.cluster.wait_for_recovery()
    made = Counter(event.file_name for event in files.events(Kind.COPY_ORDERED)[before:])
    assert max(made.values(), default=0) <= 2, "one death, one copy: those that are back count again"
    assert len(made) <= len(names)
