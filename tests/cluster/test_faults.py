"""Nodes die, freeze, come back; the files stay."""

import random
import threading
from pathlib import Path

import pytest

from dfslab.cluster import Cluster
from dfslab.core.errors import CatalogDamaged, FileUnavailable, UploadUnconfirmed, WaitTimedOut, WrongState
from dfslab.core.trace import Kind
from tests.cluster.conftest import Starter, cell


def content(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def stored(cluster: Cluster, size: int = 2_000_000, name: str = "clip") -> bytes:
    data = content(size)
    cluster.upload(data, name=name)
    cluster.wait_for_replicas(name)
    return data


def test_a_killed_holder_is_declared_dead_and_its_files_are_copied_again(cluster: Cluster) -> None:
    data = stored(cluster)
    victim = cluster.stat("clip").holders[0]

    cluster.kill(victim)
    cluster.wait_for_dead(victim)
    rows = cluster.lookup_table().set_index("data_node")
    assert not rows.loc[victim, "is_alive"]
    cluster.wait_for_replicas("clip")

    assert victim not in cluster.stat("clip").holders
    assert len(cluster.stat("clip").holders) == 3
    assert cluster.download("clip").path.read_bytes() == data


def test_waiting_for_replicas_right_after_a_kill_does_not_count_the_dead_keeper(cluster: Cluster) -> None:
    stored(cluster)
    victim = cluster.stat("clip").holders[0]
    cluster.kill(victim)

    cluster.wait_for_replicas("clip")

    assert victim not in cluster.stat("clip").holders


def test_a_download_goes_on_when_a_holder_is_killed_in_the_middle(cluster: Cluster) -> None:
    data = stored(cluster, 30_000_000)
    victim = cluster.stat("clip").holders[1]
    killed: list[int] = []

    def kill_once(done: int, total: int) -> None:
        if done and not killed:
            killed.append(done)
            cluster.kill(victim)

    download = cluster.download("clip", progress=kill_once)

    assert 0 < killed[0] < len(data)
    assert download.path.read_bytes() == data


def test_an_upload_goes_to_another_keeper_when_the_first_is_killed_in_the_middle(cluster: Cluster) -> None:
    """FAULTS row 1."""
    data = content(30_000_000)
    killed: list[str] = []

    def kill_the_first(done: int, total: int) -> None:
        if not killed and done < total:
            granted = [event for event in cluster._recorder.events() if event.kind is Kind.SLOT_GRANTED]
            killed.append(cluster.kill(granted[-1].detail["keeper"]))

    info = cluster.upload(data, name="clip", progress=kill_the_first)

    assert killed
    assert killed[0] not in info.holders
    assert cluster.download("clip").path.read_bytes() == data
    kinds = [event.kind for event in cluster._recorder.events()]
    assert kinds.count(Kind.UPLOAD_RETRIED) == 1
    assert kinds.count(Kind.FILE_COMMITTED) == 1
    cluster.restart(killed[0])
    assert list(cluster.root.glob(f"{killed[0]}/replicas/*.tmp")) == []


def test_a_returning_keeper_makes_a_surplus_that_is_trimmed_to_the_goal(start: Starter) -> None:
    """FAULTS row 25."""
    cluster = start(replication_interval_s=4)
    data = stored(cluster)
    victim = cluster.stat("clip").holders[0]
    cluster.kill(victim)
    cluster.wait_for_replicas("clip")

    cluster.restart(victim)

    assert len(cluster.stat("clip").holders) == 4
    with pytest.raises(WaitTimedOut, match=r"'clip' has 4 copies .*3 are wanted"):
        cluster.wait_for_replicas("clip", exactly=True, timeout_s=0)
    cluster.wait_for_replicas(exactly=True)
    assert len(cluster.lookup_table()) == 3
    assert cluster.download("clip").path.read_bytes() == data


def wait_for(cluster: Cluster, condition, timeout_s: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    deadline = cluster.now_s + timeout_s
    while not condition():
        assert cluster.now_s < deadline, "the condition did not come true in time"
        cluster._recorder.wait_for_change(0.1)


def test_a_keeper_that_returns_with_a_wiped_disk_is_not_believed_to_hold_anything(cluster: Cluster) -> None:
    """FAULTS row 26."""
    data = stored(cluster)
    victim = cluster.stat("clip").holders[0]
    cluster.kill(victim)

    cluster.restart(victim, wipe=True)
    cluster.wait_for_replicas("clip")

    assert cluster.download("clip").path.read_bytes() == data
    assert list(cluster.root.glob("keeper-*/replicas/*.data")) != []


def test_a_restarted_keeper_keeps_its_name_its_ports_and_its_disk(cluster: Cluster) -> None:
    stored(cluster)
    victim = cluster.stat("clip").holders[0]
    before = cluster.keepers().set_index("keeper").loc[victim]

    cluster.kill(victim)
    cluster.restart(victim)

    after = cluster.keepers().set_index("keeper").loc[victim]
    assert (after.address, after.data_address, after.directory) == (
        before.address,
        before.data_address,
        before.directory,
    )
    assert after.incarnation == before.incarnation + 1
    assert victim in cluster.stat("clip").holders


def test_a_paused_keeper_is_declared_dead_and_comes_back_as_a_new_incarnation(cluster: Cluster) -> None:
    """FAULTS row 21."""
    data = stored(cluster)
    victim = cluster.stat("clip").holders[0]
    before = cell(cluster, victim, "incarnation")

    cluster.pause(victim)
    cluster.wait_for_dead(victim)
    cluster.wait_for_replicas("clip")
    cluster.resume(victim)
    cluster.wait_for_alive(victim)

    assert cell(cluster, victim, "incarnation") == before + 1
    assert cluster.download("clip").path.read_bytes() == data


def test_a_download_is_not_held_up_by_a_paused_holder(cluster: Cluster) -> None:
    """FAULTS row 20: its chunks are hedged on the other holders."""
    data = stored(cluster, 6_000_000)
    victim = cluster.stat("clip").holders[0]
    cluster.pause(victim)

    download = cluster.download("clip")

    assert download.path.read_bytes() == data
    assert download.seconds < 5.0, "it waited for the stall timeout instead of hedging"
    assert victim not in download.bytes_by_keeper()
    cluster.resume(victim)


def test_when_all_holders_are_dead_the_file_is_unavailable_and_they_are_named(cluster: Cluster) -> None:
    """FAULTS row 12."""
    data = stored(cluster, 100_000)
    holders = cluster.stat("clip").holders
    for keeper in holders:
        cluster.kill(keeper)
    for keeper in holders:
        cluster.wait_for_dead(keeper)

    with pytest.raises(FileUnavailable) as caught:
        cluster.download("clip")
    assert isinstance(caught.value, ConnectionError)
    for keeper in holders:
        assert keeper in str(caught.value)

    cluster.restart(holders[0])
    assert cluster.download("clip").path.read_bytes() == data


def test_a_killed_master_comes_back_with_every_acknowledged_file(cluster: Cluster) -> None:
    """DESIGN §3.5."""
    acknowledged = {f"file-{number}": content(50_000 + number, number) for number in range(8)}
    for name, data in acknowledged.items():
        cluster.upload(data, name=name)

    cluster.kill_master()
    cluster.restart_master()

    assert set(cluster.files().file_name) == set(acknowledged)
    for name, data in acknowledged.items():
        assert cluster.download(name).path.read_bytes() == data
    cluster.wait_for_replicas()


def test_an_upload_survives_a_restart_of_the_master_in_its_middle(cluster: Cluster) -> None:
    """FAULTS row 5: the slot is lost with the master; the same upload id gets a new one."""
    data = content(20_000_000)
    restarted: list[int] = []

    def restart_once(done: int, total: int) -> None:
        if not restarted:
            restarted.append(done)
            cluster.kill_master()
            cluster.restart_master()

    info = cluster.upload(data, name="clip", progress=restart_once)

    assert restarted
    assert cluster.download("clip").path.read_bytes() == data
    assert cluster.stat("clip").version == info.version
    assert len(cluster.files()) == 1


def test_reads_and_writes_say_so_while_the_master_is_dead_and_work_afterwards(cluster: Cluster) -> None:
    stored(cluster, 1000)
    cluster.kill_master()
    cluster._client._master.patience_s = 0.3

    for call in (lambda: cluster.stat("clip"), lambda: cluster.upload(b"x", name="x"), lambda: cluster.delete("clip")):
        with pytest.raises(ConnectionError, match=r"restart_master\(\)"):
            call()

    cluster.restart_master()
    assert cluster.stat("clip").size == 1000


def test_no_copy_and_no_deletion_happens_until_all_have_reported_to_a_restarted_master(cluster: Cluster) -> None:
    """FAULTS row 36: one keeper is dead while the master restarts; its files are not copied in safe mode."""
    stored(cluster, 100_000)
    victim = cluster.stat("clip").holders[0]
    cluster.kill(victim)
    cluster.kill_master()
    cluster.restart_master()

    events = cluster._recorder.events()
    started = next(event for event in reversed(events) if event.kind is Kind.MASTER_STARTED)
    wait_for(cluster, lambda: any(event.kind is Kind.SAFE_MODE_ENDED for event in cluster._recorder.events()))
    events = cluster._recorder.events()
    ended = next(event for event in reversed(events) if event.kind is Kind.SAFE_MODE_ENDED)

    orders = (Kind.COPY_ORDERED, Kind.REPLICA_DROP_ORDERED)
    assert [e for e in events if e.kind in orders and started.time_s <= e.time_s < ended.time_s] == []
    cluster.wait_for_replicas("clip")


def test_a_decommissioned_keeper_is_emptied_first_and_leaves_the_table(start: Starter) -> None:
    cluster = start(n=5)
    data = stored(cluster)
    leaver = cluster.stat("clip").holders[0]

    cluster.decommission(leaver)

    table = cluster.lookup_table()
    assert len(table) == 3
    assert leaver not in set(table.data_node)
    assert cluster.download("clip").path.read_bytes() == data
    with pytest.raises(WrongState, match="decommissioned"):
        cluster.kill(leaver)


def test_an_added_keeper_takes_the_next_number_and_gets_the_missing_copies(start: Starter) -> None:
    cluster = start(n=3)
    stored(cluster)
    victim = cluster.stat("clip").holders[0]
    cluster.kill(victim)
    cluster.wait_for_dead(victim)

    assert cluster.add_keeper() == "keeper-4"
    cluster.wait_for_replicas("clip")

    assert "keeper-4" in cluster.stat("clip").holders


def test_a_heartbeat_can_be_sent_and_a_scan_run_at_will(start: Starter) -> None:
    cluster = start(heartbeat_interval_s=1000, heartbeat_timeout_s=4000)
    before = cell(cluster, "keeper-2", "last_heartbeat_s")

    cluster.heartbeat_now(2)

    assert cell(cluster, "keeper-2", "last_heartbeat_s") > before
    assert cluster.scan_now().empty


class FirstOnlyFrom:
    """Lets one keeper serve alone for a while, so that its bad block is sure to be read."""

    def __init__(self, keeper: str) -> None:
        self.keeper = keeper
        self.until: float | None = None

    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):  # type: ignore[no-untyped-def]
        self.until = self.until or now + 0.5
        return waiting[0] if waiting and (keeper == self.keeper or now > self.until) else None


def test_a_bit_flipped_on_a_disk_is_never_delivered_and_its_replica_is_replaced(cluster: Cluster) -> None:
    """FAULTS row 16."""
    data = stored(cluster, 3_000_000)
    row = cluster.lookup_table().iloc[0]
    with open(row.file_path, "r+b") as file:
        file.seek(1_000_000)
        flipped = file.read(1)[0] ^ 0x10
        file.seek(1_000_000)
        file.write(bytes([flipped]))

    download = cluster.download("clip", scheduler=FirstOnlyFrom(row.data_node))

    assert download.path.read_bytes() == data
    failed = download.chunks[download.chunks.outcome == "failed"]
    assert list(failed.keeper) == [row.data_node]
    assert "fails its CRC32C" in failed.reason.iloc[0]
    assert any(event.kind is Kind.REPLICA_CORRUPT for event in cluster._recorder.events())
    cluster.wait_for_replicas("clip")
    wait_for(cluster, lambda: len(cluster.lookup_table()) == 3)
    assert cluster.download("clip").path.read_bytes() == data


@pytest.mark.parametrize("damage", ["truncated", "lengthened", "checksums lost"])
def test_a_replica_damaged_while_its_keeper_was_down_does_not_count(cluster: Cluster, damage: str) -> None:
    """FAULTS rows 17 and 18."""
    data = stored(cluster, 700_000)
    row = cluster.lookup_table().iloc[0]
    cluster.kill(row.data_node)
    path = next(cluster.root.glob(f"{row.data_node}/replicas/*.data"))
    if damage == "truncated":
        path.write_bytes(data[:-1])
    elif damage == "lengthened":
        path.write_bytes(data + b"x")
    else:
        path.with_suffix(".crc").unlink()

    cluster.restart(row.data_node)

    assert any(event.kind is Kind.REPLICA_CORRUPT for event in cluster._recorder.events())
    cluster.wait_for_replicas("clip")
    for path in cluster.lookup_table().query("state == 'valid'").file_path:
        assert Path(path).read_bytes() == data


def test_two_live_keepers_and_a_goal_of_three_is_reported_and_not_fought(start: Starter) -> None:
    """FAULTS row 37."""
    cluster = start(n=3, replication_interval_s=2)
    stored(cluster, 1000)
    cluster.kill(1)
    cluster.wait_for_dead(1)
    wait_for(cluster, lambda: any(event.kind is Kind.DEGRADED for event in cluster._recorder.events()))

    assert list(cluster.files().state) == ["degraded"]
    copies = sum(1 for event in cluster._recorder.events() if event.kind is Kind.COPY_ORDERED)
    assert copies == 2, "copies were ordered that could not be made"


def test_files_survive_a_storm_of_kills_and_restarts_one_at_a_time(start: Starter) -> None:
    cluster = start(n=5)
    files: dict[str, bytes] = {}
    stop = threading.Event()

    def keep_uploading() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            data = content(200_000 + number, number)
            cluster.upload(data, name=f"storm-{number}")
            files[f"storm-{number}"] = data
            stop.wait(0.02)

    uploader = threading.Thread(target=keep_uploading)
    uploader.start()
    rng = random.Random(11)
    kills = 0
    try:
        while kills < 6 or len(files) < 25:
            kills += 1
            victim = rng.randint(1, 5)
            cluster.wait_for_replicas()
            cluster.kill(victim)
            cluster.restart(victim)
    finally:
        stop.set()
        uploader.join(30)

    cluster.wait_for_replicas()
    for name, data in files.items():
        assert cluster.download(name).path.read_bytes() == data


def test_a_replica_that_the_master_never_heard_of_is_collected_after_the_grace_period(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAULTS rows 4 and 5: stored, and the master dead before the record; the keeper reports it as an orphan."""
    monkeypatch.setattr("dfslab.core.keeper.insisting.PATIENCE_S", 0.3)
    cluster = start(n=3, speed=12, heartbeat_timeout_s=20)
    cluster._client._master.patience_s = 0.5
    data = content(3_000_000)

    def kill_the_master(done: int, total: int) -> None:
        if done == total:
            cluster.kill_master()

    with pytest.raises(UploadUnconfirmed) as caught:
        cluster.upload(data, name="unheard", progress=kill_the_master)
    assert not caught.value.definite, "the keeper has it: nobody can say yet that it is not stored"
    orphans = list(cluster.root.glob("keeper-*/replicas/*.data"))
    assert len(orphans) == 1
    assert orphans[0].read_bytes() == data

    cluster.restart_master()
    assert cluster.files().empty
    wait_for(cluster, lambda: not orphans[0].exists())
    assert any(event.kind is Kind.ORPHAN_FOUND for event in cluster._recorder.events())


def test_a_replica_cut_short_under_a_running_keeper_is_reported_and_replaced(cluster: Cluster) -> None:
    """FAULTS row 17: the first reader tells the master, which has it copied again."""
    data = stored(cluster, 3_000_000)
    row = cluster.lookup_table().iloc[0]
    Path(row.file_path).write_bytes(data[:1_000_000])

    download = cluster.download("clip", scheduler=FirstOnlyFrom(row.data_node))

    assert download.path.read_bytes() == data
    wait_for(cluster, lambda: any(event.kind is Kind.REPLICA_CORRUPT for event in cluster._recorder.events()))
    cluster.wait_for_replicas("clip")
    for path in cluster.lookup_table().query("state == 'valid'").file_path:
        assert Path(path).read_bytes() == data


def test_a_replica_that_vanished_is_found_by_its_first_reader_and_replaced(cluster: Cluster) -> None:
    """FAULTS row 39: the keeper says that it stored what it has not."""
    data = stored(cluster, 1_000_000)
    row = cluster.lookup_table().iloc[0]
    Path(row.file_path).unlink()

    download = cluster.download("clip", scheduler=FirstOnlyFrom(row.data_node))

    assert download.path.read_bytes() == data
    wait_for(cluster, lambda: all(Path(path).exists() for path in cluster.lookup_table().file_path))
    cluster.wait_for_replicas("clip")
    assert len(cluster.lookup_table()) == 3


def test_a_repair_reports_a_bad_source_and_takes_another(start: Starter) -> None:
    """FAULTS row 19, and a holder dead besides: the last good copy is the one that is copied."""
    cluster = start(n=5)
    data = stored(cluster, 1_000_000)
    bad, victim, _good = cluster.lookup_table().itertuples()
    Path(str(bad.file_path)).write_bytes(data[:500_000])

    cluster.kill(str(victim.data_node))
    cluster.wait_for_dead(str(victim.data_node))
    good_rows = "state == 'valid' and is_alive"
    wait_for(
        cluster,
        lambda: [Path(path).read_bytes() for path in cluster.lookup_table().query(good_rows).file_path] == [data] * 3,
    )

    assert cluster.download("clip").path.read_bytes() == data


def test_a_replica_that_was_found_bad_stays_bad_when_the_master_restarts(start: Starter) -> None:
    """There is no spare keeper, and no scan yet, so it is still there."""
    cluster = start(n=3, repair="scan", replication_interval_s=3600)
    data = content(1_000_000)
    cluster.upload(data, name="clip", ack_replicas=3)
    row = cluster.lookup_table().iloc[0]
    Path(row.file_path).write_bytes(bytes(len(data)))
    cluster.download("clip", scheduler=FirstOnlyFrom(row.data_node))
    assert row.data_node not in cluster.stat("clip").holders

    cluster.kill_master()
    cluster.restart_master()

    assert row.data_node not in cluster.stat("clip").holders
    assert cluster.download("clip").path.read_bytes() == data


def test_an_empty_catalog_beside_keepers_that_hold_files_is_refused_and_nothing_is_deleted(
    start: Starter, tmp_path: Path
) -> None:
    """FAULTS row 8."""
    cluster = start(root=tmp_path)
    stored(cluster, 1000)
    cluster.close()
    (tmp_path / "master" / "catalog.sqlite").write_bytes(b"")
    before = sorted(tmp_path.glob("keeper-*/replicas/*"))

    with pytest.raises(CatalogDamaged, match="missing or empty"):
        start(root=tmp_path)

    assert sorted(tmp_path.glob("keeper-*/replicas/*")) == before
    assert len(before) == 6


def test_a_decommission_that_was_not_waited_for_is_finished_by_calling_again(start: Starter, tmp_path: Path) -> None:
    cluster = start(n=4, root=tmp_path)
    stored(cluster)
    leaver = cluster.stat("clip").holders[0]
    with pytest.raises(TimeoutError, match=leaver):
        cluster.decommission(leaver, timeout_s=0)
    wait_for(cluster, lambda: cell(cluster, leaver, "state") == "decommissioned")

    assert cluster.decommission(leaver) == leaver
    cluster.close()

    again = start(n=4, root=tmp_path)
    assert leaver not in {name for name, state in again._nodes.states().items() if state == "running"}
    assert again.download("clip").path.read_bytes() == content(2_000_000)
