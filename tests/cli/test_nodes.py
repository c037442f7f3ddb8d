"""Node processes: how they start, what they say, who is refused, and how they end."""

import fcntl
import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from benchmarks.ports import free_port
from dfslab import errors
from dfslab.core.model import Address
from dfslab.runtime.data_client import DataClient, Range
from dfslab.runtime.network import Network
from tests.cli.by_hand import ByHand, NodeProcess, wait_for

LONG = "x" * 200


def refused(hand: ByHand, node: NodeProcess) -> tuple[int, str]:
    """Wait until a node that is meant to fail has ended; return its exit code and what it complained of."""
    code = node.wait()
    hand.nodes.remove(node)
    assert node.err.startswith("dfslab: ")
    assert node.err.count("\n") == 1
    return code, node.err


# -- the start ----------------------------------------------------------------------------------


def test_a_master_says_on_one_line_where_it_serves_and_where_its_token_is(cluster: ByHand) -> None:
    line = cluster.nodes[0].out.splitlines()[0]

    match = re.fullmatch(r"\d\d:\d\d:\d\d master: serves at (127\.0\.0\.1:\d+); its token is in DFSLAB_TOKEN", line)
    assert match
    with socket.create_connection(("127.0.0.1", Address.parse(match[1]).port), timeout=5):
        pass


def test_a_master_draws_a_token_that_only_its_owner_can_read_and_keeps_it(hand: ByHand) -> None:
    hand.token = ""
    del_token = {key: value for key, value in hand.env.items() if key != "DFSLAB_TOKEN"}
    master = NodeProcess(["master", "--root", "m", "--port", "0"], hand.folder, del_token)
    hand.nodes.append(master)
    where = master.wait_for(r"its token is in (\S+)\n")[1]
    token = Path(where).read_text().strip()
    master.send(signal.SIGTERM)

    again = NodeProcess(["master", "--root", "m", "--port", "0"], hand.folder, del_token)
    hand.nodes.append(again)
    hand.address = again.wait_for(r"serves at (\S+);")[1]

    assert where == str(hand.folder / "m" / "token")
    assert Path(where).stat().st_mode & 0o777 == 0o600
    assert len(token) >= 32
    assert hand.call("ls", "--token-file", where, DFSLAB_TOKEN="wrong").code == 0


def test_a_token_file_of_ones_own_is_made_if_it_is_missing(hand: ByHand) -> None:
    master = hand.master("--token-file", "secret")

    assert f"its token is in {hand.folder / 'secret'}\n" in master.out
    assert hand.call("ls", "--token-file", "secret").code == 0
    assert hand.call("ls").code == 4


def test_a_keeper_that_is_there_first_waits_for_its_master(hand: ByHand) -> None:
    hand.address = f"127.0.0.1:{free_port()}"
    keeper = hand.keeper(1)
    keeper.wait_for(f"no answer from {hand.address} yet; goes on trying")

    hand.master()

    keeper.wait_for(rf"keeper-1: registered with {hand.address} \(incarnation 1\)")


# -- the log ------------------------------------------------------------------------------------


def test_a_master_tells_a_files_story_a_line_an_event_and_the_traces_have_it_in_full(hand: ByHand) -> None:
    master, keepers = hand.cluster(2, "--replicas", "2")
    with hand.client() as client:
        client.upload(b"x" * 5000, "a.bin", ack_replicas=2)
        client.rename("a.bin", "b.bin")
        client.delete("b.bin")

    for line in (
        r"a\.bin is stored on keeper-\d \(5 kB\)",
        r"a\.bin was copied from keeper-\d to keeper-\d \(5 kB\)",
        r"a\.bin is called b\.bin now",
        r"b\.bin was deleted",
    ):
        master.wait_for(rf"\n\d\d:\d\d:\d\d master: {line}\n")
    for node in (*keepers.values(), master):
        assert node.send(signal.SIGTERM) == 0
    for folder, kinds in (("m", {"heartbeat", "file_committed", "copy_done"}), ("k1", {"replica_stored"})):
        events = [json.loads(line) for line in (hand.folder / folder / "trace.jsonl").read_text().splitlines()]
        assert kinds <= {event["kind"] for event in events}


def test_a_quiet_master_says_only_where_it_serves(hand: ByHand) -> None:
    master, _ = hand.cluster(1, "--quiet", "--replicas", "1")
    with hand.client() as client:
        client.upload(b"x", "a.bin")

    assert master.send(signal.SIGTERM) == 0
    assert master.out.count("\n") == 1


def test_a_node_goes_on_when_the_reader_of_its_log_goes_away(hand: ByHand) -> None:
    reading, writing = os.pipe()
    port = free_port()
    master = hand.master(port=port, stdout=writing)
    os.close(writing)
    with open(reading) as log:
        assert "serves at" in log.readline()

    hand.address = f"127.0.0.1:{port}"
    hand.keeper(1).wait_for("registered with")
    with hand.client() as client:
        for number in range(3):
            client.upload(b"x", f"{number}.bin")
        assert len(client.list()) == 3
    assert master.send(signal.SIGTERM) == 0


def test_a_node_goes_on_when_nobody_reads_its_log(hand: ByHand) -> None:
    reading, writing = os.pipe()
    room = fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    hand.address = f"127.0.0.1:{free_port()}"
    master = hand.master("--replicas", "1", stdout=writing)
    os.close(writing)
    hand.keeper(1).wait_for("registered with")

    with hand.client() as client:
        for number in range(room // len(LONG) + 5):
            client.upload(b"x", f"{LONG}{number}")
        assert len(client.list()) == room // len(LONG) + 5
    assert master.send(signal.SIGTERM) == 0
    os.close(reading)


def test_a_node_goes_on_when_its_trace_can_not_be_written(hand: ByHand) -> None:
    (hand.folder / "m").mkdir()
    (hand.folder / "m" / "trace.jsonl").symlink_to("/dev/full")
    hand.excused = "the trace can't be written any more"
    master, _ = hand.cluster(1, "--replicas", "1")

    with hand.client() as client:
        for number in range(20):
            client.upload(b"x", f"{LONG}{number}")
        assert len(client.list()) == 20
    assert master.send(signal.SIGTERM) == 0
    assert master.err == (
        "dfslab: master: the trace can't be written any more (No space left on device); the node goes on without it\n"
    )


# -- who is refused -----------------------------------------------------------------------------


def test_a_keeper_with_a_wrong_token_ends(cluster: ByHand) -> None:
    code, complaint = refused(cluster, cluster.keeper(9, DFSLAB_TOKEN="wrong"))

    assert code == 4
    assert f"keeper-9: {cluster.address} refused the token" in complaint


def test_nobody_without_the_token_gets_anything_from_control_or_data_port(cluster: ByHand) -> None:
    with cluster.client() as client:
        info = client.upload(b"secret" * 1000, "secret.bin", ack_replicas=3)
    where = cluster.nodes[1].wait_for(r"serves at (\S+), data at (\S+)\n")
    wanted = Range(info.version, 0, 6000, 65536, b"")
    got: list[bytes] = []
    stranger = DataClient("wrong", 5.0, Network().nic("stranger"))

    with pytest.raises(errors.BadToken):
        stranger.get("keeper-1", Address.parse(where[2]), wanted, lambda view, offset: got.append(bytes(view)), b"")
    stranger.close()

    assert got == []
    for command in (("ls",), ("get", "secret.bin"), ("rm", "secret.bin"), ("table",), ("put", "m/lock")):
        ended = cluster.call(*command, DFSLAB_TOKEN="wrong")
        assert (ended.code, ended.out) == (4, "")
    assert cluster.call("stat", "secret.bin").code == 0


def test_two_keepers_on_one_directory_are_one_too_many(cluster: ByHand) -> None:
    code, complaint = refused(cluster, cluster.keeper(9, root="k1"))

    assert code == 1
    assert f"{cluster.folder / 'k1'} is in use by another node and was not touched" in complaint


def test_a_keeper_does_not_take_another_keepers_directory(cluster: ByHand) -> None:
    (cluster.folder / "foreign").mkdir()
    (cluster.folder / "foreign" / "keeper.json").write_text('{"keeper": "keeper-5", "format": 1}\n')

    code, complaint = refused(cluster, cluster.keeper(9, root="foreign"))

    assert code == 1
    assert f"{cluster.folder / 'foreign'} belongs to keeper-5, not to keeper-9" in complaint


def test_two_masters_on_one_directory_are_one_too_many(cluster: ByHand) -> None:
    code, complaint = refused(cluster, cluster.node("master", "--root", "m", "--port", "0"))

    assert code == 1
    assert "m is in use by another node" in complaint


def test_of_two_keepers_with_one_name_the_newer_stays(cluster: ByHand) -> None:
    older = cluster.keeper(7)
    older.wait_for("registered with")

    newer = cluster.keeper(7, root="k7-too")
    newer.wait_for("incarnation 2")
    code, complaint = refused(cluster, older)

    assert code == 4
    assert "another process has registered as keeper-7, so this one stops" in complaint
    assert newer.process.poll() is None
    keepers = {one["keeper"]: one for one in json.loads(cluster.call("table", "--keepers", "--json").out)}
    assert (keepers["keeper-7"]["state"], keepers["keeper-7"]["directory"]) == ("alive", str(cluster.folder / "k7-too"))


@pytest.mark.parametrize("node", ["master", "keeper"])
def test_a_port_that_is_taken_is_named(hand: ByHand, node: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        options = ["--root", "r", "--port", port] + (["--name", "keeper-1"] if node == "keeper" else [])
        hand.address = "127.0.0.1:1"

        code, complaint = refused(hand, hand.node(node, *options))

    assert code == 1
    assert f"127.0.0.1:{port} is in use by another program" in complaint


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("master", "--root", "m", "--replicas", "0"), "replicas=0 is refused"),
        (("master", "--root", "m", "--ack-replicas", "4"), "ack_replicas=4 is refused: only 3 replicas are made"),
        (("master", "--root", "m", "--heartbeat-timeout-s", "0.5"), "it must be longer than heartbeat_interval_s=1.0"),
        (("keeper", "--name", "../up", "--root", "k"), "the name '../up' is refused"),
        (("keeper", "--name", "k", "--root", "k", "--host", "0.0.0.0"), "no address that others can reach"),
        (("keeper", "--name", "k"), "Missing option '--root'"),
    ],
)
def test_options_that_make_no_sense_are_wrong_usage_and_touch_nothing(
    hand: ByHand, arguments: tuple[str, ...], words: str
) -> None:
    hand.address = "127.0.0.1:1"

    ended = hand.call(*arguments)

    assert ended.code == 2
    assert words in ended.err
    assert list(hand.folder.iterdir()) == []


# -- the end ------------------------------------------------------------------------------------


def end(node: NodeProcess, number: signal.Signals) -> str:
    """End a node with a signal that it must heed; return what it says to that."""
    said = node.out
    assert node.send(number) == 0
    assert node.err == ""
    return node.out.removeprefix(said)[len("12:34:56 ") :]


def test_sigterm_ends_a_node_with_one_line_and_its_port_is_free_again(hand: ByHand) -> None:
    master, keepers = hand.cluster(1)

    assert end(keepers["keeper-1"], signal.SIGTERM) == "keeper-1: stopped (SIGTERM)\n"
    assert end(master, signal.SIGTERM) == "master: stopped (SIGTERM)\n"
    hand.master()


def test_ctrl_c_and_a_closed_terminal_end_a_node_as_cleanly(hand: ByHand) -> None:
    master, keepers = hand.cluster(1)

    assert end(keepers["keeper-1"], signal.SIGINT) == "keeper-1: stopped (SIGINT)\n"
    assert end(master, signal.SIGHUP) == "master: stopped (SIGHUP)\n"


def test_a_keeper_that_waits_for_a_master_ends_as_cleanly(hand: ByHand) -> None:
    hand.address = "127.0.0.1:1"
    keeper = hand.keeper(1)
    keeper.wait_for("serves at")

    assert keeper.send(signal.SIGTERM) == 0


def test_a_download_that_is_terminated_leaves_nothing_behind(hand: ByHand) -> None:
    _, keepers = hand.cluster(1, "--replicas", "1", "--heartbeat-timeout-s", "60")
    with hand.client() as client:
        client.upload(b"x" * 3_000_000, "big.bin")
    into = hand.folder / "into"
    into.mkdir()
    keepers["keeper-1"].process.send_signal(signal.SIGSTOP)
    get = hand.node("get", "big.bin", "into")
    wait_for("the download to begin", lambda: list(into.iterdir()))

    assert get.send(signal.SIGTERM) == 128 + signal.SIGTERM

    assert list(into.iterdir()) == []
    keepers["keeper-1"].process.send_signal(signal.SIGCONT)
