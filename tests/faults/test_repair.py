"""Deaths, returns and the copies that follow (rows 9 to 12, 25 to 27, 36, 37)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dfslab.core.errors import FileUnavailable
from dfslab.core.trace import Kind, TraceEvent
from tests.faults import disks
from tests.faults.case import Case
from tests.faults.dying import arm, emptiest, wait_for_death
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
    files = case.start(isolation="process", heartbeat_timeout_s=200.0)
    names = stored(case, files, count=4)
    files.delete(names.pop())
    keepers = sorted(one.keeper for one in files.cluster._client.keeper_infos())

    files.cluster.kill_master()
    for keeper in keepers:
        files.cluster.kill(keeper)
    case.strike("nodes killed", 1 + len(keepers))
    files.cluster.restart_master()
    *early, late = keepers
    for keeper in early:
        files.cluster.restart(keeper)
    started = files.events(Kind.MASTER_STARTED)[-1].time_s
    until("the late one to be missed for a while", lambda: files.cluster.now_s >= started + 2.0)
    assert not since(files, started, Kind.SAFE_MODE_ENDED), "one keeper has not reported, and still has its time to"
    files.cluster.restart(late)

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


# -- nodes that are processes -----------------------------------------------------------------


def start_processes(case: Case, n: int, count: int = 1, size: int = 200 * KB) -> Ledger:
    """Start keepers with files on all but one of them."""
    files = case.start(n, replicas=n - 1, isolation="process")
    for number in range(count):
        files.upload(f"clip-{number}", size + case.rng.randrange(50 * KB))
    files.cluster.wait_for_replicas()
    return files


@row(9)
@pytest.mark.parametrize("moment", [Kind.COPY_STARTED, Kind.PROGRESS])
def test_a_repair_whose_source_is_killed_goes_on_from_another_source(case: Case, moment: Kind) -> None:
    files = start_processes(case, 4, size=6 * MB)
    target, holders = emptiest(files), files.holders("clip-0")
    for keeper in holders:
        files.cluster.set_link(keeper, rate_mb_s=4)
    began_s = files.cluster.now_s

    files.cluster.kill(holders[0])
    until("the copy to be under way", lambda: at_target(files, began_s, moment, target))
    source = at_target(files, began_s, Kind.COPY_STARTED, target)[0].peer
    files.cluster.kill(source)
    files.cluster.wait_for_dead(source)
    case.strike("sources killed in the middle of a copy")

    files.cluster.wait_for_replicas("clip-0", count=2)
    done = [event for event in since(files, began_s, Kind.COPY_DONE) if event.peer == target]
    assert [event.detail["source"] for event in done] == [one for one in holders[1:] if one != source]


def at_target(files: Ledger, since_s: float, kind: Kind, target: str) -> list[TraceEvent]:
    return [event for event in since(files, since_s, kind) if event.node == target]


@row(10)
def test_a_copy_whose_target_is_killed_in_its_middle_never_counts_in_part(case: Case) -> None:
    files = start_processes(case, 3, count=1, size=3 * MB)
    target, version = emptiest(files), files.version("clip-0")
    source = case.rng.choice(files.holders("clip-0"))
    for point in ("before.write", "before.rename-data", "rename-data"):
        began_s = files.cluster.now_s
        arm(files, target, f"keeper.{point}", at=2 if point == "before.write" else 1)

        files.cluster.kill(source)
        wait_for_death(case, files, target, f"at {point} of a copy")

        assert target not in files.holders("clip-0")
        assert not [event for event in since(files, began_s, Kind.COPY_DONE) if event.peer == target]
        whole = [copy for copy in disks.copies(files.cluster.root, version) if copy.keeper == target]
        assert bool(whole) == (point == "rename-data"), "it has its name before it is whole"
        files.cluster.restart(source)
        files.cluster.wait_for_replicas("clip-0")
        files.cluster.restart(target)
    until("what was left to go", lambda: len(disks.copies(files.cluster.root, version)) == files.replicas)


@row(27)
def test_a_second_keeper_on_the_same_directory_is_refused_by_its_lock(case: Case) -> None:
    files = start_processes(case, 3)
    for keeper in ("keeper-1", "keeper-2"):
        before = contents(files.cluster.root / keeper)
        command = [sys.executable, "-m", "dfslab.cli", "keeper", "--name", keeper]
        second = case.process(
            [*command, "--root", files.cluster.root / keeper, "--master", files.cluster.address],
            env={**os.environ, "DFSLAB_TOKEN": files.cluster.token},
            stderr=subprocess.PIPE,
        )
        _, complaint = second.communicate(timeout=30.0)

        assert second.returncode != 0
        assert "is in use by another node and was not touched" in complaint.decode()
        assert contents(files.cluster.root / keeper) == before
        case.strike("second keepers on a directory")
    assert files.count(Kind.KEEPER_DEAD) == files.count(Kind.KEEPER_FENCED) == 0


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a keeper's but its trace, which anybody may append to."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl"}
