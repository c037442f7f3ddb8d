"""A keeper belongs to one cluster: its directory says to which, and no other master may have it."""

import json
import signal

from tests.cli.by_hand import QUICK, ByHand, NodeProcess


def second_master(hand: ByHand) -> tuple[NodeProcess, str]:
    master = hand.node("master", "--root", "m2", "--port", "0", *QUICK)
    return master, master.wait_for(r"serves at (\S+);")[1]


def identity(hand: ByHand) -> dict[str, object]:
    values: dict[str, object] = json.loads((hand.folder / "k1" / "keeper.json").read_text())
    return values


def test_a_keeper_of_another_cluster_is_refused_ends_with_exit_code_4_and_keeps_its_files(hand: ByHand) -> None:
    _, keepers = hand.cluster(1, "--replicas", "1", "--ack-replicas", "1")
    (hand.folder / "a.bin").write_bytes(b"a" * 5000)
    assert hand.call("put", "a.bin").code == 0
    keepers["keeper-1"].send(signal.SIGTERM)
    before = identity(hand)
    replicas = {path.name: path.read_bytes() for path in (hand.folder / "k1" / "replicas").iterdir()}
    other, address = second_master(hand)

    stranger = hand.keeper(1, "--master", address)

    assert stranger.wait() == 4
    assert f"belongs to cluster {before['cluster']}" in stranger.err
    hand.nodes.remove(stranger)
    assert identity(hand) == before
    assert {path.name: path.read_bytes() for path in (hand.folder / "k1" / "replicas").iterdir()} == replicas
    assert "is registered" not in other.out
    hand.keeper(1).wait_for(r"registered with .* \(incarnation 2\)")
    assert hand.call("get", "a.bin", "back.bin").code == 0


def test_a_directory_from_before_there_were_cluster_ids_is_taken_in_and_marked(hand: ByHand) -> None:
    hand.master()
    (hand.folder / "k1").mkdir()
    (hand.folder / "k1" / "keeper.json").write_text('{"keeper": "keeper-1", "format": 1}\n')

    hand.keeper(1).wait_for("registered with")

    assert identity(hand)["keeper"] == "keeper-1"
    assert len(str(identity(hand)["cluster"])) == 16
    assert identity(hand)["incarnation"] == 1


def test_incarnations_go_on_from_what_the_keeper_remembers_when_its_catalog_is_older(hand: ByHand) -> None:
    hand.master()
    (hand.folder / "k1").mkdir()
    (hand.folder / "k1" / "keeper.json").write_text('{"keeper": "keeper-1", "incarnation": 41}\n')

    hand.keeper(1).wait_for(r"registered with .* \(incarnation 42\)")

    assert identity(hand)["incarnation"] == 42
