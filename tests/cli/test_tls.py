"""A cluster with TLS out of the shell: every node shares the authority's folder, a client needs its ca.pem only."""

from __future__ import annotations

from tests.cli.by_hand import ByHand


def test_nodes_and_commands_of_a_cluster_with_tls(hand: ByHand) -> None:
    hand.master("--tls", "tls", "--replicas", "2")
    for number in (1, 2):
        hand.keeper(number, "--tls", "tls").wait_for("registered with")
    (hand.folder / "a.txt").write_bytes(b"secret" * 1000)

    assert hand.call("put", "--ca", "tls/ca.pem", "a.txt").code == 0
    assert hand.call("get", "a.txt", "b.txt", DFSLAB_CA="tls/ca.pem").code == 0
    assert (hand.folder / "b.txt").read_bytes() == b"secret" * 1000

    in_the_clear = hand.call("ls")
    assert in_the_clear.code != 0
    assert "speaks TLS only" in in_the_clear.err
    assert (hand.folder / "tls" / "ca-key.pem").stat().st_mode & 0o777 == 0o600


def test_a_keeper_without_the_authority_never_gets_in(hand: ByHand) -> None:
    hand.master("--tls", "tls")
    for options in ((), ("--tls", "another")):
        hand.keeper(len(options) + 1, *options).wait_for("no answer from")

    listed = hand.call("table", "--ca", "tls/ca.pem")
    assert listed.code == 0
    assert "keeper-" not in listed.out
