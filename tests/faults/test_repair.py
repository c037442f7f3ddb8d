"""Deaths, returns and the copies that follow (rows 9 to 12, 25, 26, 36, 37)."""

from __future__ import annotations

import shutil

import pytest

from dfslab.core.errors import FileUnavailable
from dfslab.core.trace import Kind, TraceEvent
from tests.faults import disks
from tests.faults.case import Case
from tests.faults.ledger import Ledger
from tests.faults.plugin import row
from tests.faults.waiting import until

KB, MB = 1000, 1000 * 1000


def stored(case: Case, files: Ledger, count: int = 1) -> list[str]:
    """Upload files of drawn sizes, and return their names once all have their copies."""
    names = [f"clip-{number}" for number in range(count)]
    for name in names:
        files.upload(name, case.rng.randrange(50 * KB, 500 * KB))
    files.cluster.wait_for_replicas()
    return names


def kill(case: Case, files: Ledger, *keepers: str) -> None:
    """Kill keepers, and return once the master knows."""
    for keeper in keepers:
        files.cluster.kill(keeper)
    for keeper in keepers:
        files.cluster.wait_for_dead(keeper)
        case.strike("keepers killed")


def since(files: Ledger, moment_s: float, *kinds: Kind) -> list[TraceEvent]:
    """Return the lines of these kinds in the trace from a moment on."""
    return [event for kind in kinds for event in files.events(kind) if event.time_s >= moment_s]


@row(11)
def test_with_two_of_three_holders_dead_reads_go_on_and_files_with_one_copy_come_first(case: Case) -> None:
    files = case.start(n=5, repair="scan", replication_interval_s=600.0)
    names = [f"clip-{number}" for number in range(8)]
    for name in names:
        files.upload(name, case.rng.randrange(50 * KB, 200 * KB), ack_replicas=3)
    victims = case.rng.sample(files.holders(names[0]), 2)

    kill(case, files, *victims)
    for name in names:
        files.download(name)
    reasons = list(files.cluster.scan_now().reason)

    ones = [reason for reason in reasons if reason.startswith("1 of 3")]
    assert ones, "no file with one copy was repaired"
    assert reasons[: len(ones)] == ones, reasons
    for victim in victims:
        files.cluster.restart(victim)
    until("repair and trimming, by scans at will", lambda: files.cluster.scan_now().empty and at_goal(files))


def at_goal(files: Ledger) -> bool:
    return all(len(info.holders) == files.replicas for info in files.cluster._client.list())


@row(12)
def test_with_all_three_holders_dead_a_file_is_unavailable_by_name_until_one_is_back(case: Case) -> None:
    files = case.start(n=5)
    (name,) = stored(case, files)
    holders = files.holders(name)

    kill(case, files, *holders)

    target = case.folder / "target"
    with pytest.raises(FileUnavailable) as caught:
        files.cluster.download(name, target)
    for words in (name, *holders):
        assert words in str(caught.value)
    assert not target.exists()
    assert [info.name for info in files.cluster._client.list()] == [name]

    files.cluster.restart(case.rng.choice(holders))
    files.download(name)


@row(25)
def test_when_a_dead_keeper_returns_after_the_repair_the_surplus_is_trimmed_once_its_copies_are_believed(
    case: Case,
) -> None:
    files = case.start()
    names = stored(case, files, count=3)
    victim = case.rng.choice(files.holders(names[0]))
    its = [name for name in names if victim in files.holders(name)]
    kill(case, files, victim)
    files.cluster.wait_for_replicas()

    returned_s = files.cluster.now_s
    files.cluster.restart(victim)

    until("the trimming", lambda: len(since(files, returned_s, Kind.REPLICA_DROP_ORDERED)) >= len(its))
    case.strike("surplus copies", len(its))
    believed = {event.version: event.time_s for event in since(files, 0.0, Kind.REPLICA_RECORDED, Kind.COPY_DONE)}
    for drop in since(files, returned_s, Kind.REPLICA_DROP_ORDERED):
        assert drop.time_s - believed[drop.version] >= 1.0, "it was trimmed without a calm moment"


@row(26)
def test_a_keeper_that_returns_with_a_wiped_disk_holds_nothing(case: Case) -> None:
    files = case.start()
    names = stored(case, files, count=3)
    victim = case.rng.choice(files.holders(names[0]))
    held = sum(copy.keeper == victim for copy in disks.copies(files.cluster.root))
    files.cluster.kill(victim)

    files.cluster.restart(victim, wipe=True)

    forgotten = [one for one in files.events(Kind.REPLICA_FORGOTTEN) if one.peer == victim]
    assert len(forgotten) == held
    case.strike("claims of a disk that is no more", held)


@row(26)
def test_a_keeper_that_returns_with_an_old_disk_does_not_bring_old_content_back(case: Case) -> None:
    files = case.start()
    overwritten, deleted, kept = stored(case, files, count=3)
    victim = next(keeper for keeper in files.holders(deleted) if keeper in files.holders(overwritten))
    folder, image = files.cluster.root / victim, case.folder / "image"
    files.cluster.kill(victim)
    shutil.copytree(folder, image)
    files.cluster.restart(victim)

    files.upload(overwritten, case.rng.randrange(50 * KB, 500 * KB))
    files.delete(deleted)
    files.cluster.wait_for_replicas()
    until("the old copies to go", lambda: len(disks.copies(files.cluster.root)) == 2 * files.replicas)
    files.cluster.kill(victim)
    shutil.rmtree(folder)
    shutil.copytree(image, folder)
    returned_s = files.cluster.now_s
    files.cluster.restart(victim)

    assert not files.is_there(deleted)
    for name in (overwritten, kept):
        files.download(name)
    found = [one for one in since(files, returned_s, Kind.ORPHAN_FOUND) if one.peer == victim]
    case.strike("old copies that came back", len(found))


@row(36)
def test_after_a_restart_of_everything_nothing_is_copied_or_deleted_until_the_reports_are_in(case: Case) -> None:
    files = case.start(heartbeat_timeout_s=100.0)
    names = stored(case, files, count=4)
    files.delete(names.pop())
    keepers = sorted(files.cluster.keepers().keeper)

    files.cluster.kill_master()
    for keeper in keepers:
        files.cluster.kill(keeper)
        case.strike("nodes killed")
    files.cluster.restart_master()
    for keeper in keepers:
        files.cluster.restart(keeper)

    started = files.events(Kind.MASTER_STARTED)[-1].time_s
    until("the end of safe mode", lambda: since(files, started, Kind.SAFE_MODE_ENDED))
    ended = since(files, started, Kind.SAFE_MODE_ENDED)[0]
    assert ended.detail["unseen"] == [], "every keeper has reported"
    acts = since(files, started, Kind.COPY_ORDERED, Kind.REPLICA_DROPPED)
    assert [one for one in acts if one.time_s < ended.time_s] == []
    assert since(files, started, Kind.COPY_ORDERED) == [], "nothing was missing"


@row(37)
def test_with_two_live_keepers_for_three_copies_degraded_is_reported_once_and_nothing_spins(case: Case) -> None:
    files = case.start(n=3)
    names = stored(case, files, count=2)
    kill(case, files, "keeper-3")
    dead_s = files.events(Kind.KEEPER_DEAD)[-1].time_s

    until("five scans", lambda: len(since(files, dead_s, Kind.SCAN)) >= 5)

    degraded = since(files, dead_s, Kind.DEGRADED)
    assert sorted(event.file_name for event in degraded) == names
    assert {event.detail["live"] for event in degraded} == {2}
    pulse = (Kind.HEARTBEAT, Kind.SCAN, Kind.DEGRADED)
    others = [event for event in files.cluster._recorder.events() if event.time_s > dead_s and event.kind not in pulse]
    assert others == [], "the master does what can't succeed"
