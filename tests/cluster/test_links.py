"""Links in a running cluster: rates, delays, losses and partitions reach everything that the nodes do."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

import dfslab
from dfslab import Link
from dfslab.cluster import Cluster
from dfslab.core.errors import InvalidOption, MasterUnavailable
from dfslab.core.links import BURST_S
from dfslab.core.model import Address
from dfslab.core.trace import Kind
from dfslab.lab.waits import wait_until
from dfslab.runtime.data_client import Connection, DataClient
from tests.cluster.conftest import Starter

MB = 1_000_000
SAVED_UP_S = BURST_S + 0.001
"""A transfer may be over so much earlier than its links' rates have it: what they saved up while they rested."""


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def stored(cluster: Cluster, size: int) -> bytes:
    data = content(size)
    cluster.upload(data, name="clip", ack_replicas=3)
    return data


def limit(cluster: Cluster, node: str, link: Link) -> None:
    cluster._network.set_link(node, link)


def test_a_download_is_no_faster_than_the_links_of_its_holders_together(start: Starter) -> None:
    cluster = start(4, link=Link(rate_mb_s=40))
    data = stored(cluster, 12 * MB)

    for holders in (1, 2, 3):
        download = cluster.download("clip", holders=holders)
        assert download.path.read_bytes() == data
        assert download.seconds >= 12 / (holders * 40) - SAVED_UP_S


def test_a_download_is_no_faster_than_the_link_of_the_client(start: Starter) -> None:
    cluster = start(4)
    data = stored(cluster, 6 * MB)
    limit(cluster, "client", Link(rate_mb_s=20))

    download = cluster.download("clip")

    assert download.path.read_bytes() == data
    assert download.seconds >= 6 / 20 - SAVED_UP_S


def test_connections_of_a_plain_network_are_not_used_any_more_when_it_is_emulated(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their windows have grown so wide that a sender would run ahead of a slow receiver."""
    cluster = start(3)
    stored(cluster, 12 * MB)
    cluster.download("clip")
    assert any(cluster._client._data._idle.values())
    limit(cluster, "client", Link(rate_mb_s=100))
    taken = []
    take = DataClient._take

    def noted(client: DataClient, address: Address) -> Connection | None:
        taken.append(take(client, address))
        return taken[-1]

    monkeypatch.setattr(DataClient, "_take", noted)
    cluster.download("clip")
    cluster.download("clip")

    assert None in taken, "those that rested were closed"
    again = [connection for connection in taken if connection is not None]
    assert again
    assert not any(connection.is_plain for connection in again)


def test_two_downloads_at_once_share_the_link_of_the_client(start: Starter) -> None:
    cluster = start(4)
    stored(cluster, 4 * MB)
    limit(cluster, "client", Link(rate_mb_s=20))
    same = dfslab.Client(cluster.address, token=cluster.token, name="client", network=cluster._network)

    def other(done: int, total: int) -> None:
        if not others:
            others.append(same.download("clip", cluster.root).seconds)

    others: list[float] = []
    first = cluster.download("clip", progress=other)
    same.close()

    assert first.seconds >= 2 * 4 / 20 - SAVED_UP_S


def test_every_client_has_a_network_card_of_its_own_and_its_name_in_the_trace(start: Starter) -> None:
    cluster = start(4)
    stored(cluster, 4 * MB)
    reader = cluster.client("reader")
    cluster.set_link("reader", rate_mb_s=20)

    slow = reader.download("clip", cluster.root)
    fast = cluster.download("clip")

    assert slow.seconds >= 4 / 20 - SAVED_UP_S
    assert fast.path.read_bytes() == slow.path.read_bytes()
    assert cluster.client("reader") is reader
    assert cluster.transfers().query("kind == 'download'").target.tolist() == ["reader", "client"]
    assert cluster.links().set_index("node").loc["reader", "rate_mb_s"] == 20
    with cluster.partition("reader", "master"), pytest.raises(MasterUnavailable):
        reader.stat("clip")
    cluster.heal_all()
    assert cluster.links().set_index("node").loc["reader", "rate_mb_s"] == float("inf")


@pytest.mark.parametrize("name", ["master", "lab", "keeper-9", "a b", "", 3])
def test_a_client_can_not_have_the_name_of_another_node_or_none(start: Starter, name: Any) -> None:
    with pytest.raises(InvalidOption, match="name"):
        start(3).client(name)


def test_an_upload_takes_the_time_of_the_slower_link_and_of_the_copies_that_it_waits_for(start: Starter) -> None:
    """Two copies leave the first keeper, over its one link, after the file has come in over it."""
    cluster = start(3, link=Link(rate_mb_s=20))

    one = cluster.upload(content(2 * MB), name="one")
    three = cluster.upload(content(2 * MB), name="three", ack_replicas=3)

    assert (one.seconds or 0.0) >= 2 / 20 - SAVED_UP_S
    assert (three.seconds or 0.0) >= 3 * 2 / 20 - 2 * SAVED_UP_S


def test_a_slow_keeper_takes_longer_than_the_stall_timeout_and_is_no_stall(start: Starter) -> None:
    """Bytes move all the time, however few."""
    cluster = start(1, replicas=1, link=Link(rate_mb_s=0.08))
    data = content(MB * 45 // 100)

    info = cluster.upload(data, name="clip")

    assert (info.seconds or 0.0) > 5.0
    assert not [event for event in cluster._recorder.events() if event.kind is Kind.UPLOAD_RETRIED]


def test_a_link_outlives_the_restart_of_its_keeper(start: Starter) -> None:
    cluster = start(3)
    stored(cluster, 4 * MB)
    limit(cluster, "keeper-2", Link(rate_mb_s=10))
    cluster.kill(2)
    cluster.restart(2)
    for other in ("keeper-1", "keeper-3"):
        cluster.kill(other)

    assert cluster.download("clip").seconds >= 4 / 10 - SAVED_UP_S


def test_a_keeper_that_is_added_later_has_the_link_of_the_others(start: Starter) -> None:
    cluster = start(3, link=Link(delay_ms=1))

    assert cluster._network.link(cluster.add_keeper()) == Link(delay_ms=1)


def test_a_link_that_is_none_is_refused_and_nothing_started(start: Starter) -> None:
    with pytest.raises(InvalidOption, match="link"):
        start(3, link=20)


def test_every_chunk_pays_the_delay_there_and_back(start: Starter) -> None:
    cluster = start(3)
    stored(cluster, MB)
    limit(cluster, "client", Link(delay_ms=30))

    chunks = cluster.download("clip").chunks.query("outcome == 'ok'")

    assert (chunks.end_s - chunks.start_s).min() >= 0.060


def test_a_lossy_link_costs_resets_and_no_byte(start: Starter) -> None:
    cluster = start(4, seed=2)
    data = stored(cluster, 12 * MB)
    limit(cluster, "client", Link(loss=0.2))

    download = cluster.download("clip")

    assert download.path.read_bytes() == data
    failed = download.chunks[download.chunks.outcome == "failed"]
    assert len(failed) > 0
    assert failed.reason.str.contains("reset").all()


def test_a_lossy_link_costs_an_upload_other_keepers_and_no_byte(start: Starter) -> None:
    cluster = start(6, seed=1)
    limit(cluster, "client", Link(loss=0.5))
    data = content(MB)

    for number in range(5):
        cluster.upload(data, name=f"clip-{number}")
    limit(cluster, "client", Link())

    assert any(event.kind is Kind.UPLOAD_RETRIED for event in cluster._recorder.events())
    assert all(cluster.download(f"clip-{number}").path.read_bytes() == data for number in range(5))


def test_a_keeper_that_is_cut_off_from_the_master_dies_in_the_table_and_is_back_when_it_heals(
    start: Starter,
) -> None:
    """FAULTS 22: nothing is committed on a lapsed registration."""
    cluster = start(4, heartbeat_timeout_s=1.5)
    data = stored(cluster, MB)
    victim = cluster.stat("clip").holders[0]
    cluster._network.partition(["master"], [victim])

    cluster.wait_for_dead(victim)
    cluster.wait_for_replicas("clip")
    assert victim not in cluster.stat("clip").holders
    cluster._network.heal()
    cluster.wait_for_alive(victim)

    assert cluster.keepers().set_index("keeper").loc[victim, "incarnation"] == 2
    assert cluster.download("clip").path.read_bytes() == data


def test_copies_go_elsewhere_when_the_master_can_not_reach_a_keeper_that_it_hears(start: Starter) -> None:
    """FAULTS 23: master to keeper cut, heartbeats arrive."""
    cluster = start(4, seed=3)
    first = cluster.upload(content(MB), name="probe", ack_replicas=3).holders
    cut_at = cluster.now_s
    (deaf,) = (name for name in cluster.keepers().keeper if name not in first)
    cluster._network.partition(["master"], [deaf], one_way=True)
    wait_until(cluster._recorder, lambda table: beats_to_come(cluster, deaf, since_s=cut_at), 10.0)

    for number in range(4):
        cluster.upload(content(MB), name=f"clip-{number}")
    cluster.wait_for_replicas(timeout_s=60)

    events = cluster._recorder.events()
    lost = [event for event in events if event.kind is Kind.COPY_FAILED and event.peer == deaf]
    assert lost
    assert all(deaf not in cluster.stat(f"clip-{number}").holders for number in range(4))


def happened(cluster: Cluster, kind: Kind) -> bool:
    return any(event.kind is kind for event in cluster._recorder.events())


def beats_to_come(cluster: Cluster, keeper: str, *, since_s: float) -> list[str]:
    """Return what is missing for three timeouts' worth of heartbeats, with no death among them."""
    events = [event for event in cluster._recorder.events() if event.peer == keeper and event.time_s >= since_s]
    assert not [event for event in events if event.kind is Kind.KEEPER_DEAD]
    beats = [event for event in events if event.kind is Kind.HEARTBEAT]
    return [] if beats and beats[-1].time_s - since_s > 3 * 0.75 else ["heartbeats"]


def test_a_download_goes_round_a_holder_that_is_cut_off_from_the_client(start: Starter) -> None:
    cluster = start(4)
    data = stored(cluster, 8 * MB)
    away = cluster.stat("clip").holders[0]
    cluster._network.partition(["client"], [away])

    download = cluster.download("clip")

    assert download.path.read_bytes() == data
    assert away not in download.bytes_by_keeper()


def test_a_master_that_is_cut_off_from_the_client_gives_no_answer_within_the_timeout(start: Starter) -> None:
    cluster = start(3)
    stored(cluster, MB)
    cluster._network.partition(["client"], ["master"])

    with pytest.raises(MasterUnavailable, match="no answer in time"):
        cluster.stat("clip")

    cluster._network.heal()
    assert cluster.stat("clip").size == MB


def test_a_keeper_is_started_though_the_master_takes_longer_to_answer_than_it_does_to_be_dead(start: Starter) -> None:
    cluster = start(3, heartbeat_interval_s=0.5, heartbeat_timeout_s=1.0)
    cluster.set_link("master", delay_ms=700)

    name = cluster.add_keeper()

    cluster.set_link("master", delay_ms=0)
    cluster.wait_for_alive(name)


def test_lost_heartbeats_kill_in_the_table_a_keeper_that_is_well(start: Starter) -> None:
    cluster = start(4, heartbeat_timeout_s=1.5)
    data = stored(cluster, MB)
    victim = cluster.stat("clip").holders[0]
    cluster._network.mute(victim)

    cluster.wait_for_dead(victim)
    cluster._network.mute(victim, muted=False)
    cluster.wait_for_alive(victim)

    assert cluster.download("clip").path.read_bytes() == data


def test_long_transfers_say_how_far_they_are_and_short_ones_do_not(start: Starter) -> None:
    cluster = start(3, link=Link(rate_mb_s=5))
    cluster.upload(content(10_000), name="short", ack_replicas=3)
    cluster.upload(content(4 * MB), name="long", ack_replicas=3)

    said = [event for event in cluster._recorder.events() if event.kind is Kind.PROGRESS]

    assert {event.file_name for event in said} == {"long"}
    assert all(0 < event.bytes <= event.detail["total"] == 4 * MB for event in said)
    assert {event.node for event in said if "transfer" in event.detail} == {"client"}
    assert {event.node.partition("-")[0] for event in said if "copy" in event.detail} == {"keeper"}


def test_closing_a_cluster_ends_transfers_that_its_links_hold_back(start: Starter) -> None:
    cluster = start(3, link=Link(rate_mb_s=0.01))

    def close_in_the_middle() -> None:
        wait_until(cluster._recorder, lambda table: [] if happened(cluster, Kind.UPLOAD_STARTED) else ["a start"], 10.0)
        cluster.close()

    closing = threading.Thread(target=close_in_the_middle)
    closing.start()
    with pytest.raises(dfslab.DfsError):
        cluster.upload(content(10 * MB), name="clip")
    closing.join()

    assert cluster.closed


@pytest.mark.parametrize("call", ["stat", "upload"])
def test_closing_a_client_ends_its_patience_with_a_master_that_does_not_answer(start: Starter, call: str) -> None:
    cluster = start(3)
    client = dfslab.Client(cluster.address, token=cluster.token, patience_s=600.0)
    cluster.kill_master()
    errors: list[Exception] = []

    def ask() -> None:
        try:
            client.stat("clip") if call == "stat" else client.upload(b"data", name="clip")
        except MasterUnavailable as error:
            errors.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    client.close()
    asking.join(10.0)

    assert len(errors) == 1
    cluster.restart_master()
