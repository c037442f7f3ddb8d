"""Scrubbing on real clusters: damage that nobody reads is found, told, and repaired from a good copy."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dfslab.cluster import Cluster
from dfslab.core.errors import InvalidOption, WaitTimedOut, WrongState
from dfslab.core.trace import Kind, TraceEvent
from dfslab.lab.waits import wait_until
from dfslab.runtime import failpoints
from tests.cluster.conftest import Starter

DEADLINE_S = 60.0
DATA = random.Random(5).randbytes(700_000)
SELDOM = {"scrub_interval_s": 3600.0}


def holders(cluster: Cluster, name: str) -> list[str]:
    return list(cluster.stat(name).holders)


def uploaded(cluster: Cluster, name: str = "a.bin", data: bytes = DATA) -> list[str]:
    """Upload a file and return its holders, once there are all."""
    cluster.upload(data, name=name)
    cluster.wait_for_replicas(name, timeout_s=DEADLINE_S)
    return holders(cluster, name)


def wait_for(cluster: Cluster, found: Callable[[TraceEvent], bool]) -> TraceEvent:
    """Return the first event that fits, once there is one."""
    wait_until(cluster._recorder, lambda _: [] if any(map(found, cluster._recorder.events())) else ["it"], DEADLINE_S)
    return next(event for event in cluster._recorder.events() if found(event))


def of_kind(cluster: Cluster, kind: Kind) -> list[TraceEvent]:
    return [event for event in cluster._recorder.events() if event.kind is kind]


def path_on(cluster: Cluster, name: str, keeper: str) -> Path:
    table = cluster.lookup_table()
    return Path(table[(table.file_name == name) & (table.data_node == keeper)].file_path.item())


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def bad_then_whole(cluster: Cluster, keeper: str, name: str = "a.bin") -> TraceEvent:
    """Wait until the damage on a keeper is found and replaced; return the master's line about it."""
    found = wait_for(cluster, lambda event: event.kind is Kind.REPLICA_CORRUPT and event.peer == keeper)
    wait_for(cluster, lambda event: event.kind is Kind.REPLICA_DROPPED and event.node == keeper)
    cluster.wait_for_replicas(name, timeout_s=DEADLINE_S)
    return found


@pytest.mark.parametrize("how", ["bitflip", "truncate", "swap", "checksum"])
def test_damage_that_nobody_reads_is_found_within_the_interval_and_repaired(start: Starter, how: str) -> None:
    """FAULTS rows 16 to 18: the last good copy is not waited for."""
    cluster = start(scrub_interval_s=1.0)
    keeper = uploaded(cluster)[0]

    cluster.corrupt("a.bin", keeper, how=how)
    found = bad_then_whole(cluster, keeper)

    (damage,) = [event for event in of_kind(cluster, Kind.DAMAGE_FOUND) if event.id == found.cause]
    assert (damage.node, damage.detail["finder"]) == (keeper, "scrubber")
    assert found.detail["reason"] == f"{keeper}: {damage.detail['reason']}"
    ordered = next(event for event in of_kind(cluster, Kind.COPY_ORDERED) if event.cause == found.id)
    assert ordered.detail["source"] != keeper
    assert cluster.download("a.bin").path.read_bytes() == DATA


@pytest.mark.parametrize("change", ["too long", "checksums missing"])
def test_what_the_laboratory_has_no_name_for_is_found_too(start: Starter, change: str) -> None:
    """FAULTS rows 17 and 18."""
    cluster = start(**SELDOM)
    keeper = uploaded(cluster)[0]
    path = path_on(cluster, "a.bin", keeper)
    if change == "too long":
        with path.open("ab") as file:
            file.write(b"x")
    else:
        path.with_suffix(".crc").unlink()

    (problem,) = cluster.scrub_now(keeper).problem

    assert problem.startswith("its data are 700001 bytes" if change == "too long" else "its checksums file is")
    bad_then_whole(cluster, keeper)


@pytest.mark.skipif(sys.platform != "linux", reason="isolation='process' is Linux's")
def test_a_keeper_that_is_a_process_scrubs_and_answers_as_well(start: Starter) -> None:
    cluster = start(3, isolation="process", speed=1.0, **SELDOM)
    keeper = uploaded(cluster)[0]
    flip(path_on(cluster, "a.bin", keeper), 300_000)

    (problem,) = cluster.scrub_now(keeper).problem

    assert problem == "block 1 of 3 (counted from 0) fails its checksum"
    bad_then_whole(cluster, keeper)


def test_a_scrub_that_is_asked_for_tells_what_it_checked_and_what_it_found(start: Starter) -> None:
    cluster = start(**SELDOM)
    keeper = uploaded(cluster)[0]
    cluster.upload(b"small", name="b.bin")
    cluster.wait_for_replicas("b.bin", timeout_s=DEADLINE_S)
    clean = cluster.scrub_now(keeper)
    assert list(clean.columns) == ["keeper", "file_name", "version", "size_bytes", "problem"]
    assert set(clean.problem) == {""}
    assert set(clean.file_name) <= {"a.bin", "b.bin"}

    flip(path_on(cluster, "a.bin", keeper), 300_000)
    checked = cluster.scrub_now(int(keeper.removeprefix("keeper-"))).set_index("file_name")

    assert checked.loc["a.bin", "size_bytes"] == len(DATA)
    assert checked.loc["a.bin", "problem"] == "block 1 of 3 (counted from 0) fails its checksum"
    assert set(checked.keeper) == {keeper}
    line = of_kind(cluster, Kind.SCRUB_DONE)[-1]
    assert (line.node, line.detail["bad"], line.detail["replicas"]) == (keeper, 1, len(checked))
    bad_then_whole(cluster, keeper)


def test_two_bad_copies_of_three_are_both_replaced_from_the_third(start: Starter) -> None:
    """FAULTS row 19."""
    cluster = start(6, **SELDOM)
    good, *bad = uploaded(cluster)

    for keeper in bad:
        cluster.corrupt("a.bin", keeper)
    for keeper in bad:
        cluster.scrub_now(keeper)
    for keeper in bad:
        bad_then_whole(cluster, keeper)

    sources = {event.detail["source"] for event in of_kind(cluster, Kind.COPY_ORDERED)[2:]}
    assert not sources & set(bad), "a copy was made from a bad one"
    assert good in sources
    assert cluster.download("a.bin").path.read_bytes() == DATA


def test_the_last_copies_are_kept_even_when_all_are_bad_and_what_is_good_of_them_is_read(start: Starter) -> None:
    """FAULTS row 19: no holder has checksums left, and only one has good bytes; the reader tells which."""
    cluster = start(3, **SELDOM)
    keepers = uploaded(cluster)
    paths = [path_on(cluster, "a.bin", keeper) for keeper in keepers]
    for keeper in keepers:
        cluster.kill(keeper)
        cluster.wait_for_dead(keeper, timeout_s=DEADLINE_S)
    for path in paths:
        path.with_suffix(".crc").unlink()
    for path in paths[1:]:
        flip(path, 300_000)
    for keeper in keepers:
        cluster.restart(keeper)
    cluster.scan_now()

    assert set(cluster.lookup_table().state) == {"corrupt"}
    assert cluster.download("a.bin").path.read_bytes() == DATA
    assert of_kind(cluster, Kind.REPLICA_DROPPED) == []
    assert all(path.is_file() for path in paths)
    cluster.close()  # the oracle, which goes by the checksums beside, finds no good copy


def test_a_corrupt_copy_is_not_served_while_a_good_one_is_live_and_no_repair_takes_it(start: Starter) -> None:
    cluster = start(4, **SELDOM)
    keeper = uploaded(cluster)[0]
    cluster.fill_disk(next(name for name in cluster.keepers().keeper if name not in holders(cluster, "a.bin")))
    cluster.corrupt("a.bin", keeper)
    cluster.scrub_now(keeper)
    wait_for(cluster, lambda event: event.kind is Kind.REPLICA_CORRUPT)

    download = cluster.download("a.bin")

    assert keeper not in set(download.chunks.keeper)
    assert keeper not in holders(cluster, "a.bin")


def test_a_disk_that_fails_under_a_reader_sends_it_elsewhere_and_the_replica_is_bad(start: Starter) -> None:
    """FAULTS row 15, on reading: EIO in the middle of a transfer."""
    cluster = start(**SELDOM)
    uploaded(cluster)

    with failpoints.armed("keeper.serving", "EIO") as passed:
        assert cluster.download("a.bin").path.read_bytes() == DATA
    assert passed() >= 1

    found = wait_for(cluster, lambda event: event.kind is Kind.REPLICA_CORRUPT)
    (damage,) = of_kind(cluster, Kind.DAMAGE_FOUND)
    assert damage.detail["finder"] == "reader"
    assert "Input/output error" in damage.detail["reason"]
    assert found.peer == damage.node
    bad_then_whole(cluster, found.peer)


@pytest.mark.parametrize("code", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("step", ["sync-data", "rename-data", "sync-directory"])
def test_a_disk_that_fails_an_upload_is_not_acknowledged_and_the_client_goes_elsewhere(
    start: Starter, step: str, code: str
) -> None:
    """FAULTS rows 13 and 15."""
    cluster = start(**SELDOM)

    with failpoints.armed(f"keeper.{step}", code) as passed:
        cluster.upload(DATA, name="a.bin")
        assert passed() >= 1, "the fault never fired"
    cluster.wait_for_replicas("a.bin", timeout_s=DEADLINE_S)

    retried = of_kind(cluster, Kind.UPLOAD_RETRIED)
    assert len(retried) == 1
    assert "could not store the replica" in retried[0].detail["reason"]
    assert cluster.download("a.bin").path.read_bytes() == DATA
    assert list(cluster.root.glob("keeper-*/replicas/*.tmp")) == []
    assert len(list(cluster.root.glob("keeper-*/replicas/*"))) == 6, "something of the failed attempt was left"


def test_a_deletion_that_the_disk_refuses_is_repeated_by_the_next_scan(start: Starter) -> None:
    cluster = start(**SELDOM, replication_interval_s=3600.0)
    keepers = uploaded(cluster)

    with failpoints.armed("keeper.before.unlink-data", "EIO"):
        cluster.delete("a.bin")
        failed = wait_for(cluster, lambda event: event.kind is Kind.DISK_FAILED)
    assert failed.node in keepers
    assert "the master orders it again" in failed.detail["reason"]
    assert len(list(cluster.root.glob(f"{failed.node}/replicas/*.data"))) == 1

    cluster.scan_now()
    wait_for(cluster, lambda event: event.kind is Kind.REPLICA_DROPPED and event.node == failed.node)

    assert list(cluster.root.glob(f"{failed.node}/replicas/*")) == []


def test_a_keeper_that_is_killed_in_the_middle_of_a_scrub_says_so_and_leaves_no_thread(start: Starter) -> None:
    cluster = start(**SELDOM, scrub_rate_mb_s=0.001)
    keeper = uploaded(cluster)[0]

    with pytest.raises(WaitTimedOut, match="has not read all its replicas again"):
        cluster.scrub_now(keeper, timeout_s=0.2)
    waiting = cluster._nodes.running(keeper, "scrub").scrub_now()
    cluster.kill(keeper)

    assert type(waiting.exception(timeout=DEADLINE_S)).__name__ == "NodeDown"
    with pytest.raises(WrongState):
        cluster.scrub_now(keeper)


def test_what_lies_among_the_replicas_and_is_not_the_keepers_is_left_alone_and_named_once(start: Starter) -> None:
    cluster = start(**SELDOM)
    uploaded(cluster)
    stray = cluster.root / "keeper-2" / "replicas" / "notes.txt"
    stray.write_text("mine")

    cluster.kill(2)
    cluster.restart(2)

    (line,) = of_kind(cluster, Kind.STRAYS_FOUND)
    assert (line.node, dict(line.detail)) == ("keeper-2", {"count": 1, "names": ["notes.txt"]})
    assert stray.read_text() == "mine"


@pytest.mark.parametrize("option", ["scrub_interval_s", "scrub_rate_mb_s"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "often"])
def test_nonsense_is_refused(start: Starter, option: str, value: object) -> None:
    with pytest.raises(InvalidOption, match=option):
        start(**{option: value})


def test_the_settings_are_in_the_trace_and_the_rate_is_not_divided_by_the_speed(start: Starter) -> None:
    cluster = start(scrub_interval_s=20.0, scrub_rate_mb_s=5.0, speed=4.0)

    options = of_kind(cluster, Kind.CLUSTER_STARTED)[0].detail["options"]

    assert (options["scrub_interval_s"], options["scrub_rate_mb_s"]) == (5.0, 5.0)


def _mistake() -> None:
    raise ZeroDivisionError("a mistake of ours")


def test_a_mistake_in_the_midst_of_a_copy_is_told_and_the_copy_is_made_again(start: Starter) -> None:
    """The keeper would take the version for arriving for ever, and refuse every later order to copy it."""
    cluster = start(2, replicas=2)

    with failpoints.armed("keeper.before.allocate", _mistake, at=2):  # the first one is the upload itself
        cluster.upload(DATA, name="a.bin")
        cluster.wait_for_replicas("a.bin", timeout_s=DEADLINE_S)

    (told,) = of_kind(cluster, Kind.NODE_ERROR)
    assert told.detail["reason"] == "ZeroDivisionError: a mistake of ours"
    assert len(of_kind(cluster, Kind.COPY_FAILED)) == 1
    cluster.close()  # the oracle takes no mistakes of ours


def test_a_mistake_in_the_midst_of_a_scrub_is_told_and_holds_up_nothing(start: Starter) -> None:
    cluster = start(1, replicas=1, **SELDOM)
    (keeper,) = uploaded(cluster)

    with failpoints.armed("keeper.scrubbing", _mistake):
        assert cluster.scrub_now(keeper).empty

    (told,) = of_kind(cluster, Kind.NODE_ERROR)
    assert told.detail["reason"] == "ZeroDivisionError: a mistake of ours"
    assert list(cluster.scrub_now(keeper).problem) == [""]
    cluster.close()  # the oracle takes no mistakes of ours
