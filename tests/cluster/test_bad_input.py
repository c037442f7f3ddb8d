"""Bad input: a typed error with a sentence that says what to do, within a second, and a cluster that works on."""

import os
import socket
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import dfslab
from dfslab import errors
from dfslab.cluster import Cluster
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime import frames
from tests.cluster.by_hand import answer, ask, connected, data_port, granted, proven, signed, to_write
from tests.cluster.conftest import Starter


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """One cluster for all the tests that must not harm it."""
    with dfslab.cluster.start(4, replicas=4, name="bad-input") as cluster:
        cluster.upload(b"good", name="good")
        cluster.wait_for_replicas()
        yield cluster
        assert cluster.download("good").path.read_bytes() == b"good"


@pytest.fixture(autouse=True)
def _no_leftover_clusters() -> None:
    """The module's cluster outlives its tests."""


def check_error(call: Callable[[], Any], kind: type[Exception], builtin: type[Exception], *words: str) -> None:
    started = time.monotonic()
    with pytest.raises(kind) as caught:
        call()
    assert time.monotonic() - started < 1.0
    assert isinstance(caught.value, dfslab.DfsError)
    assert isinstance(caught.value, builtin)
    for word in words:
        assert word in str(caught.value)


REFUSED_NAMES = ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".", "nul\0", "bell\7", "x" * 256, "\udcff"]


@pytest.mark.parametrize("name", REFUSED_NAMES, ids=lambda name: ascii(name)[:12])
def test_a_name_that_is_no_key_is_refused_everywhere(shared: Cluster, name: str) -> None:
    """FAULTS row 30."""
    for call in (
        lambda: shared.upload(b"x", name=name),
        lambda: shared.download(name),
        lambda: shared.stat(name),
        lambda: shared.delete(name),
        lambda: shared.rename("good", name),
        lambda: shared.rename(name, "better"),
    ):
        check_error(call, errors.InvalidName, ValueError, "is refused")


def test_a_file_that_does_not_exist_is_not_found(shared: Cluster) -> None:
    for call in (
        lambda: shared.download("nothing"),
        lambda: shared.stat("nothing"),
        lambda: shared.delete("nothing"),
        lambda: shared.rename("nothing", "something"),
        lambda: shared.wait_for_replicas("nothing"),
    ):
        check_error(call, errors.NoSuchFile, FileNotFoundError, "nothing", "files()")


def test_a_source_that_cannot_be_read_is_named(shared: Cluster, tmp_path: Path) -> None:
    check_error(lambda: shared.upload(tmp_path / "no.mp4"), errors.SourceMissing, FileNotFoundError, "no.mp4")
    check_error(lambda: shared.upload(tmp_path), errors.SourceUnreadable, OSError, "a folder")
    check_error(lambda: shared.upload("/dev/null"), errors.SourceUnreadable, OSError, "not a regular file")
    check_error(lambda: shared.upload(b"bytes"), errors.InvalidName, ValueError, "name=")
    check_error(lambda: shared.upload(7), errors.InvalidOption, ValueError, "path or bytes")  # type: ignore[arg-type]


def test_files_without_permission_are_named_as_such(shared: Cluster, tmp_path: Path) -> None:
    """In a process that gives up the superuser's rights first, where it has them."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    secret.chmod(0)
    tmp_path.chmod(0o555)
    code = f"""
        import os, dfslab
        client = dfslab.Client({shared.address!r}, token={shared.token!r})
        client.stat("good")
        if os.geteuid() == 0:
            os.seteuid(65534)
        for call, path in ((client.upload, {str(secret)!r}), (client.download, {str(tmp_path / "new")!r})):
            try:
                call(path) if call == client.upload else call("good", path)
            except PermissionError as error:
                print(type(error).__name__)
    """

    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=30)

    assert (done.stdout.split(), done.stderr) == (["SourceForbidden", "TargetForbidden"], "")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_device_or_a_pipe_is_not_replaced_by_a_download(shared: Cluster, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    check_error(lambda: shared.download("good", tmp_path / "pipe"), errors.TargetUnwritable, OSError, "a pipe")
    assert (tmp_path / "pipe").is_fifo()


def test_the_longest_name_and_one_with_a_tilde_come_back(shared: Cluster, tmp_path: Path) -> None:
    for name in ("\u6f22" * 85, "~$lecture.mp4", "~nobody-of-that-name"):
        (tmp_path / name).write_bytes(b"odd")
        shared.upload(str(tmp_path / name))
        assert shared.download(name).path.read_bytes() == b"odd"
        shared.delete(name)


def test_arguments_of_another_type_are_refused_by_name(shared: Cluster) -> None:
    wrong: Any = None
    for wrong in (None, 123, b"bytes"):
        check_error(partial(shared.stat, wrong), errors.InvalidName, ValueError, "not text")
    for wrong in ("2", 1.5, True, 0):
        upload = partial(shared.upload, b"x", "x", ack_replicas=wrong)
        check_error(upload, errors.InvalidOption, ValueError, "whole number")
        check_error(partial(shared.download, "good", holders=wrong), errors.InvalidOption, ValueError, "whole number")
    check_error(partial(dfslab.Client, shared.address, token="t\n"), errors.BadToken, PermissionError, "token")


def test_a_target_that_cannot_be_written_is_named_and_nothing_is_left(shared: Cluster, tmp_path: Path) -> None:
    missing = tmp_path / "no" / "folder" / "x"
    check_error(lambda: shared.download("good", missing), errors.TargetMissing, FileNotFoundError, "to=")
    (tmp_path / "file").write_bytes(b"")
    below = tmp_path / "file" / "x"
    check_error(lambda: shared.download("good", below), errors.TargetUnwritable, OSError, "to=")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_keepers_that_do_not_exist_are_refused_with_the_list_of_those_that_do(shared: Cluster) -> None:
    bad_keepers: tuple[Any, ...] = (0, 5, -1, "keeper-9", "nonsense", True, None)
    for bad in bad_keepers:
        check_error(partial(shared.kill, bad), errors.UnknownKeeper, ValueError, "keeper-1, keeper-2")
    calls: list[Callable[[int], Any]] = [
        shared.restart,
        shared.pause,
        shared.resume,
        shared.heartbeat_now,
        shared.decommission,
    ]
    for call in calls:
        check_error(partial(call, 17), errors.UnknownKeeper, ValueError, "17")


def test_a_node_in_the_wrong_state_is_told_what_to_do(start: Starter) -> None:
    cluster = start()
    check_error(lambda: cluster.restart(1), errors.WrongState, ValueError, "keeper-1 is running", "kill(1)")
    check_error(lambda: cluster.resume(1), errors.WrongState, ValueError, "keeper-1 is running")
    check_error(cluster.restart_master, errors.WrongState, ValueError, "kill_master()")
    cluster.kill(1)
    check_error(lambda: cluster.kill(1), errors.WrongState, ValueError, "keeper-1 is already dead", "restart(1)")
    check_error(lambda: cluster.pause(1), errors.WrongState, ValueError, "already dead")
    check_error(lambda: cluster.heartbeat_now(1), errors.WrongState, ValueError, "already dead")
    cluster.kill_master()
    check_error(cluster.kill_master, errors.WrongState, ValueError, "already dead")
    check_error(lambda: cluster.restart(1), errors.WrongState, ValueError, "restart_master() first")
    cluster.restart_master()
    cluster.restart(1)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"n": 0}, "n=0"),
        ({"n": -3}, "n=-3"),
        ({"n": 2.5}, "n=2.5"),
        ({"n": 2}, "replicas=2"),
        ({"replicas": 0}, "replicas=0"),
        ({"ack_replicas": 4}, "only 3 replicas"),
        ({"ack_replicas": 0}, "ack_replicas=0"),
        ({"heartbeat_interval_s": 0}, "heartbeat_interval_s=0"),
        ({"heartbeat_timeout_s": 0.5}, "longer than heartbeat_interval_s"),
        ({"replication_interval_s": float("nan")}, "replication_interval_s=nan"),
        ({"repair": "never"}, "'eager' or 'scan'"),
        ({"speed": 0}, "speed=0"),
        ({"speed": float("inf")}, "speed=inf"),
        ({"name": "../x"}, "name="),
        ({"placement": "best"}, "known are balanced"),
        ({"failure_detector": object()}, "no method heard"),
        ({"port": -1}, "port=-1"),
        ({"port": 70000}, "port=70000"),
        ({"root": 5}, "root=5"),
        ({"seed": "a"}, "seed='a'"),
        ({"isolation": "galaxy"}, "isolation='galaxy'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_option_out_of_range_is_refused_and_the_running_cluster_goes_on(
    shared: Cluster, options: dict[str, Any], word: str
) -> None:
    def call() -> Cluster:
        return dfslab.cluster.start(**{"name": "bad-input", "n": 4, **options})

    check_error(call, errors.InvalidOption, ValueError, word)
    assert not shared.closed


def test_more_acknowledgements_than_replicas_are_refused(shared: Cluster) -> None:
    for bad in (0, 5, -1):
        check_error(partial(shared.upload, b"x", "x", ack_replicas=bad), errors.InvalidOption, ValueError)
    assert "x" not in set(shared.files().file_name)


def test_with_no_live_keeper_an_upload_says_so_and_nothing_is_stored(start: Starter) -> None:
    cluster = start(n=2, replicas=2)
    cluster.kill(1)
    cluster.kill(2)
    check_error(lambda: cluster.upload(b"x", name="x"), errors.NoLiveKeepers, ConnectionError, "add_keeper()")
    cluster.wait_for_dead(1)
    cluster.wait_for_dead(2)
    check_error(lambda: cluster.upload(b"x", name="x"), errors.NoLiveKeepers, ConnectionError, "restart(...)")

    cluster.restart(1)
    assert cluster.upload(b"x", name="x").holders == ("keeper-1",)
    check_error(
        lambda: cluster.upload(b"x", name="y", ack_replicas=2), errors.NotEnoughKeepers, ConnectionError, "2 copies"
    )


def test_a_wrong_token_is_refused_on_the_control_port(shared: Cluster) -> None:
    for token in ("", "wrong", shared.token[:-1], shared.token + "x"):
        with dfslab.Client(shared.address, token=token) as client:
            check_error(partial(client.stat, "good"), errors.BadToken, PermissionError, "token")
            check_error(partial(client.upload, b"x", name="x"), errors.BadToken, PermissionError)


def test_a_wrong_token_is_refused_on_the_data_port(shared: Cluster) -> None:
    version = shared.stat("good").version
    request = pb.DataRequest(ticket=granted(shared, "good"), get=pb.Get(version=version, offset=0, length=4))
    with connected(shared) as sock:
        reply = ask(sock, proven(shared, request, token="wrong"))

        assert (reply.error.name, reply.proof) == ("BadToken", b"")
        assert sock.recv(1) == b""


GARBAGE = {
    "another protocol": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a huge length": frames.HEAD.pack(frames.MAGIC, 2**32 - 1),
    "a length of 2^63": b"DFS1" + struct.pack(">Q", 2**63),
    "another version": b"DFS2" + struct.pack(">I", 4) + b"abcd",
    "a broken message": frames.HEAD.pack(frames.MAGIC, 4) + b"\xff\xff\xff\xff",
    "nulls": bytes(64),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_on_the_data_port_gets_the_connection_closed_and_harms_nobody(shared: Cluster, garbage: bytes) -> None:
    """FAULTS row 32."""
    with socket.create_connection(data_port(shared), timeout=1) as sock:
        sock.sendall(garbage)
        answer = b""
        while part := _receive_some(sock):
            answer += part
    if answer:
        length = frames.body_length(answer[: frames.HEAD.size])
        reply = frames.decode(pb.DataReply, answer[frames.HEAD.size :][:length])
        assert reply.error.name in ("ProtocolError", "BadToken")
    assert shared.download("good").path.read_bytes() == b"good"


def _receive_some(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("version", ["../../../etc/passwd", "v1", "", "v1-0123456789/../x", "v1-012345678\0"])
def test_a_version_that_is_not_one_never_becomes_a_path(shared: Cluster, version: str) -> None:
    """DESIGN §3.7, for a caller who has the token."""
    for request in (
        pb.DataRequest(get=pb.Get(version=version, offset=0, length=1)),
        pb.DataRequest(put=pb.Put(version=version, size=1, block_size=65536)),
    ):
        request.ticket = signed(shared, granted(shared, "good"), version=version)
        assert answer(shared, request).error.name == "ProtocolError"


@pytest.mark.parametrize(
    "put",
    [
        pb.Put(version="v9-0123456789", size=1, block_size=0),
        pb.Put(version="v9-0123456789", size=2**63, block_size=65536),
        pb.Put(version="v9-0123456789", size=1, block_size=2**31),
    ],
    ids=["no blocks", "2^63 bytes", "2 GiB blocks"],
)
def test_an_upload_of_impossible_size_is_refused_before_a_byte_is_allocated(shared: Cluster, put: pb.Put) -> None:
    ticket = to_write(shared, granted(shared, "good"), put.version, put.size)
    reply = answer(shared, pb.DataRequest(ticket=ticket, put=put))
    assert reply.error.name in ("ProtocolError", "LimitReached", "StorageFailed")


def test_a_replica_sent_behind_the_masters_back_is_not_recorded_and_leaves_the_disk(shared: Cluster) -> None:
    version, data = "v999-0123456789", b"uninvited"
    ticket = to_write(shared, granted(shared, "good"), version, len(data))
    put = pb.Put(version=version, size=len(data), block_size=65536)
    with connected(shared) as sock:
        assert not ask(sock, proven(shared, pb.DataRequest(ticket=ticket, put=put))).HasField("error")
        import crc32c

        sock.sendall(data + struct.pack(">I", crc32c.crc32c(data)))
        assert frames.receive_message(sock, pb.DataReply).error.name == "NotRecorded"
    assert list(shared.root.glob(f"*/replicas/{version}.*")) == []


def test_bytes_that_do_not_match_their_checksums_are_not_stored(shared: Cluster) -> None:
    version = "v998-0123456789"
    put = pb.Put(version=version, size=4, block_size=65536)
    ticket = to_write(shared, granted(shared, "good"), version, 4)
    with connected(shared) as sock:
        ask(sock, proven(shared, pb.DataRequest(ticket=ticket, put=put)))
        sock.sendall(b"good" + b"\0\0\0\0")
        assert frames.receive_message(sock, pb.DataReply).error.name == "ChecksumMismatch"
    assert list(shared.root.glob(f"*/replicas/{version}.*")) == []


def test_garbage_on_the_control_port_harms_nobody(shared: Cluster) -> None:
    host, _, port = shared.address.rpartition(":")
    for garbage in (*GARBAGE.values(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9) + b"\xff" * 100):
        with socket.create_connection((host, int(port)), timeout=5) as sock:
            sock.sendall(garbage)

    assert shared.stat("good").size == 4


def test_hundreds_of_connections_that_dribble_do_not_keep_a_real_client_waiting(shared: Cluster) -> None:
    """FAULTS row 33."""
    socks = [
        socket.create_connection(data_port(shared, keeper), timeout=5) for keeper in (1, 2, 3, 4) for _ in range(150)
    ]
    try:
        for sock in socks:
            sock.sendall(b"DF")
        started = time.monotonic()
        assert shared.download("good").path.read_bytes() == b"good"
        assert time.monotonic() - started < 2.0
    finally:
        for sock in socks:
            sock.close()


def test_a_taken_port_is_named_and_the_start_undoes_itself() -> None:
    """FAULTS row 34."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        call = lambda: dfslab.cluster.start(3, name="taken-port", port=port)  # noqa: E731
        check_error(call, errors.PortTaken, OSError, str(port))
    with dfslab.cluster.start(3, name="taken-port", port=port) as cluster:
        assert cluster.address.endswith(f":{port}")


def test_an_address_that_is_not_this_machines_is_named() -> None:
    call = lambda: dfslab.cluster.start(3, name="elsewhere", host="192.0.2.1")  # noqa: E731
    check_error(call, errors.InvalidOption, ValueError, "192.0.2.1")


def test_a_closed_cluster_says_that_it_is_closed(start: Starter) -> None:
    cluster = start()
    cluster.close()
    cluster.close()
    for call in (
        lambda: cluster.upload(b"x", name="x"),
        lambda: cluster.download("x"),
        lambda: cluster.kill(1),
        cluster.lookup_table,
        cluster.add_keeper,
        cluster.kill_master,
        cluster.wait_for_replicas,
        lambda: cluster.plot,
        lambda: cluster.address,
    ):
        check_error(call, errors.ClusterClosed, ConnectionError, "start(")
    assert "closed" in repr(cluster)


def test_a_client_address_that_is_none_is_refused() -> None:
    bad_addresses: tuple[Any, ...] = ("", "localhost", "x:y", "127.0.0.1:99999", None)
    for bad in bad_addresses:
        check_error(partial(dfslab.Client, bad, token="x"), errors.InvalidOption, ValueError, "host:port")
