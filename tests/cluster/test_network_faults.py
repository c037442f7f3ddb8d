"""Partitions, dropped heartbeats and lossy links as the file system meets them."""

import threading
import time

import pytest

import dfslab
from dfslab.cluster import Cluster
from dfslab.core.errors import DownloadFailed, MasterUnavailable
from dfslab.core.trace import Kind
from tests.cluster.conftest import Starter, cell
from tests.cluster.test_faults import FirstOnlyFrom, content, stored, wait_for


def unheard(cluster: Cluster) -> list[tuple[str, str]]:
    return [(event.detail["call"], event.node) for event in cluster._recorder.events() if event.kind is Kind.UNHEARD]


def test_a_keeper_that_is_cut_off_is_declared_dead_replaced_and_comes_back(start: Starter) -> None:
    cluster = start(n=5)
    data = stored(cluster)
    victim = cluster.stat("clip").holders[0]
    others = [name for name in cluster._nodes.states() if name != victim]
    before = cell(cluster, victim, "incarnation")

    with cluster.partition([victim], [*others, "master", "client"]):
        cluster.wait_for_dead(victim)
        wait_for(cluster, lambda: len(set(cluster.stat("clip").holders) - {victim}) == 3)
        assert cluster.download("clip").path.read_bytes() == data

    assert cell(cluster, victim, "is_alive")
    assert cell(cluster, victim, "incarnation") == before + 1
    assert cluster.download("clip").path.read_bytes() == data


def test_leaving_a_partition_waits_until_the_master_has_everybody_back(start: Starter) -> None:
    cluster = start(n=4)
    stored(cluster)

    with cluster.partition([1, 2], ["master"]):
        cluster.wait_for_dead(1)
        cluster.wait_for_dead(2)

    table = cluster.keepers()
    assert table.is_alive.all()
    assert cluster.files().live_copies.iloc[0] >= 3


@pytest.mark.parametrize("one_way", ["to the master", "from the master"])
def test_a_cut_in_one_direction_is_enough_to_lose_the_keeper_only_when_it_can_not_be_heard(
    cluster: Cluster, one_way: str
) -> None:
    """A heartbeat whose answer is lost was heard: the master counts on the keeper, which takes no more files."""
    heard = one_way == "from the master"
    cut = cluster.partition("master", 2, one_way=True) if heard else cluster.partition(2, "master", one_way=True)
    with cut:
        if heard:
            last = cell(cluster, "keeper-2", "last_heartbeat_s")
            wait_for(cluster, lambda: cell(cluster, "keeper-2", "last_heartbeat_s") > last + 1.0)
            assert cell(cluster, "keeper-2", "is_alive")
        else:
            cluster.wait_for_dead(2)

    assert cell(cluster, "keeper-2", "is_alive")


def test_a_keeper_whose_heartbeats_are_dropped_is_taken_for_dead_though_it_serves(cluster: Cluster) -> None:
    data = stored(cluster)
    victim = cluster.stat("clip").holders[0]

    with cluster.drop_heartbeats(victim):
        cluster.wait_for_dead(victim)
        cluster.wait_for_replicas("clip")
        assert victim not in cluster.stat("clip").holders
        assert (cluster.root / victim / "replicas").exists()

    assert cell(cluster, victim, "is_alive")
    assert cluster.download("clip").path.read_bytes() == data


def test_a_restarted_master_does_not_wait_for_keepers_that_it_can_not_hear(cluster: Cluster) -> None:
    cluster.partition([1], ["master"])
    cluster.drop_heartbeats(2)
    cluster.kill_master()

    started = time.monotonic()
    cluster.restart_master()

    assert time.monotonic() - started < 5.0
    assert cell(cluster, "keeper-3", "is_alive")
    cluster.heal_all()
    cluster.wait_for_recovery()


def test_a_keeper_restarted_behind_a_partition_comes_back_when_it_heals(cluster: Cluster) -> None:
    cluster.kill(2)
    with cluster.partition([2], ["master"]):
        cluster.wait_for_dead(2)
        cluster.restart(2)
        assert not cell(cluster, "keeper-2", "is_alive")

    assert cell(cluster, "keeper-2", "is_alive")


def test_a_keeper_that_does_not_come_up_is_dead_again_in_the_trace(start: Starter, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    cluster = start(n=3)
    cluster.kill(2)

    def refuse(node: object) -> None:
        raise MasterUnavailable(address="h:1", reason="no answer")

    with monkeypatch.context() as patch:
        patch.setattr("dfslab.runtime.keeper_node.KeeperNode.start", refuse)
        with pytest.raises(MasterUnavailable):
            cluster.restart(2)

    actions = [event.detail["action"] for event in cluster._recorder.events() if event.kind is Kind.FAULT]
    assert actions == ["kill", "restart", "kill"]
    assert cluster.restart(2) == "keeper-2"


def test_a_client_that_is_cut_off_from_a_keeper_fetches_from_the_others(cluster: Cluster) -> None:
    data = stored(cluster, 1_000_000)
    holder = cluster.stat("clip").holders[0]

    with cluster.partition("client", holder):
        download = cluster.download("clip")

    assert download.path.read_bytes() == data
    assert holder not in download.bytes_by_keeper()


def test_a_download_that_can_not_report_a_bad_holder_is_served_by_the_others(cluster: Cluster) -> None:
    data = stored(cluster)
    holder = cluster.stat("clip").holders[0]
    cluster.corrupt("clip", holder, "truncate")

    class Cutting(FirstOnlyFrom):
        def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):  # type: ignore[no-untyped-def]
            if self.until is None:
                cluster.partition("client", "master")
            return super().next_chunk(keeper, waiting, in_flight, chunk_s, now)  # type: ignore[no-untyped-call]

    got = cluster.download("clip", scheduler=Cutting(holder))

    assert got.path.read_bytes() == data
    assert list(got.chunks[got.chunks.outcome == "failed"].keeper) == [holder]
    assert unheard(cluster) == [("ReportBadReplica", "client")]
    cluster.heal_all()
    cluster.wait_for_recovery()


def test_a_copy_of_which_the_master_hears_nothing_is_no_error_of_the_keepers_and_counts_in_the_end(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dfslab.core.keeper.insisting.PATIENCE_S", 0.5)
    cluster = start(n=2, replicas=2)
    source, target = "keeper-1", "keeper-2"
    cluster.set_link(target, rate_mb_s=2)
    cluster.kill(target)
    cluster.upload(content(2_000_000), name="clip")
    cluster.restart(target)
    wait_for(
        cluster, lambda: any(one.kind is Kind.PROGRESS and one.node == target for one in cluster._recorder.events())
    )

    with cluster.partition(target, "master"):
        wait_for(cluster, lambda: ("ReplicaStored", target) in unheard(cluster))

    assert set(cluster.stat("clip").holders) == {source, target}


def test_a_file_whose_holders_lose_everything_is_an_error_and_comes_back(start: Starter) -> None:
    cluster = start(n=3)
    data = stored(cluster, 100_000)
    for keeper in (1, 2, 3):
        cluster.set_link(keeper, loss=1)
    assert list(cluster._standing().broken().values()) == ["loses everything"] * 3

    with pytest.raises(DownloadFailed):
        cluster.download("clip")
    cluster.heal_all()

    assert cluster.download("clip").path.read_bytes() == data


def test_links_partitions_and_dropped_heartbeats_survive_a_restart(cluster: Cluster) -> None:
    cluster.set_link(2, rate_mb_s=7)
    cluster.fill_disk(2)
    cluster.drop_heartbeats(2)
    cluster.kill(2)
    cluster.restart(2)

    standing = cluster._standing()
    assert (standing.full, standing.muted, standing.links) == (("keeper-2",), ("keeper-2",), (("keeper-2", ""),))
    assert cell(cluster, "keeper-2", "free_bytes") == 0
    cluster.wait_for_dead(2)
    cluster.heal_all()
    cluster.wait_for_recovery()


def test_a_slow_link_slows_a_download_until_the_block_is_left(start: Starter) -> None:
    cluster = start(n=3)
    data = stored(cluster, 4_000_000)

    with cluster.set_link("client", rate_mb_s=8):
        slow = cluster.download("clip")
    fast = cluster.download("clip")

    assert slow.path.read_bytes() == fast.path.read_bytes() == data
    assert slow.throughput_mb_s < 10
    assert fast.throughput_mb_s > 2 * slow.throughput_mb_s


def test_closing_does_not_wait_for_what_a_partition_holds_up(start: Starter) -> None:
    cluster = start(n=3)
    cluster.upload(content(100_000), name="clip")
    cluster.partition(["client"], [1, 2, 3])
    failed = threading.Event()

    def download() -> None:
        try:
            cluster.download("clip")
        except (dfslab.DfsError, OSError):
            failed.set()

    thread = threading.Thread(target=download)
    thread.start()
    wait_for(cluster, lambda: any(event.kind is Kind.DOWNLOAD_STARTED for event in cluster._recorder.events()))

    started = time.monotonic()
    cluster.close()

    assert time.monotonic() - started < 4.0
    thread.join(15)
    assert failed.is_set()
