"""Clusters with TLS, on real ports: everything works, nothing is in the clear, and strangers are told so quickly."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dfslab
from dfslab import errors
from dfslab.cluster import Cluster
from dfslab.core.model import Address
from dfslab.runtime import data_server, frames
from dfslab.runtime import dfs_pb2 as pb
from dfslab.runtime.data_client import DataClient, Range
from dfslab.runtime.network import Network
from dfslab.runtime.tls import Authority, client_context, server_context
from tests.cluster.by_hand import data_port, proven
from tests.cluster.conftest import Starter, cell

SECRET = b"the exam's questions " * 100_000


@pytest.fixture(autouse=True)
def _no_leftover_clusters() -> None:
    """The module's cluster outlives its tests."""


def granted_over_tls(cluster: Cluster) -> bytes:
    with dfslab.Client(cluster.address, token=cluster.token, ca=cluster.ca) as client:
        return client.locate("secret").holders[0].ticket


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionResetError:
        return b""


def quick(call: Callable[[], Any], words: str) -> None:
    started = time.monotonic()
    with pytest.raises(errors.TlsFailed, match=words) as caught:
        call()
    assert time.monotonic() - started < 1.0
    assert caught.value.definite


# -- clusters of their own; first, so that the threads of the shared one are not there yet ---------


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_files_are_stored_copied_again_and_read_over_tls(
    start: Starter, capfd: pytest.CaptureFixture[str], isolation: str
) -> None:
    cluster = start(4, tls=True, isolation=isolation)
    cluster.upload(SECRET, name="a", ack_replicas=3)

    cluster.kill(1)
    cluster.wait_for_dead(1)
    cluster.wait_for_replicas()
    cluster.restart(1)
    cluster.kill_master()
    cluster.restart_master()
    cluster.wait_for_replicas()

    assert cluster.download("a").path.read_bytes() == SECRET
    assert cluster.ca_file is not None
    with dfslab.Client(cluster.address, token=cluster.token, ca=cluster.ca_file) as client:
        assert client.stat("a").size == len(SECRET)
    assert capfd.readouterr().err == ""


def test_a_client_that_wants_tls_of_a_cluster_without_is_told_so_at_once(start: Starter) -> None:
    cluster = start(3)
    assert cluster.ca is None
    assert cluster.ca_file is None
    with dfslab.Client(cluster.address, token=cluster.token, ca=Authority().ca) as client:
        quick(lambda: client.stat("a"), "does not speak TLS")


def test_who_never_finishes_a_handshake_is_sent_away(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAULTS 33, under TLS: they cost no thread, and real clients are served."""
    monkeypatch.setattr(data_server, "HEADER_TIMEOUT_S", 0.5)
    cluster = start(3, tls=True)
    cluster.upload(SECRET, name="a", ack_replicas=3)
    socks = [socket.create_connection(data_port(cluster, keeper), timeout=5) for keeper in (1, 2, 3) for _ in range(50)]
    try:
        for sock in socks[::2]:
            sock.sendall(b"\x16\x03\x01")  # the first bytes of a greeting
        assert cluster.download("a").path.read_bytes() == SECRET
        for sock in socks:
            assert _receive(sock) == b""
    finally:
        for sock in socks:
            sock.close()


def test_a_slow_link_is_as_slow_over_tls(start: Starter) -> None:
    cluster = start(3, tls=True, speed=1.0, link=dfslab.Link(rate_mb_s=4))
    cluster.upload(SECRET, name="a", ack_replicas=3)

    done = cluster.download("a")

    assert done.path.read_bytes() == SECRET
    assert done.throughput_mb_s < 13


def test_without_tls_no_certificate_is_made(start: Starter) -> None:
    cluster = start(3)

    assert not list(cluster.root.rglob("*.pem"))
    with pytest.raises(errors.InvalidOption, match="tls"):
        dfslab.cluster.start(3, tls="yes")  # type: ignore[arg-type]


# -- one for all ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """One cluster with TLS for all the tests that must not harm it; every keeper holds the file."""
    with dfslab.cluster.start(3, name="tls", tls=True) as cluster:
        cluster.upload(SECRET, name="secret")
        cluster.wait_for_replicas()
        yield cluster
        assert cluster.download("secret").path.read_bytes() == SECRET


def ports(cluster: Cluster) -> list[tuple[str, int]]:
    """Return every port of a cluster."""
    keepers = [cell(cluster, f"keeper-{number}", kind) for number in (1, 2) for kind in ("address", "data_address")]
    parsed = map(Address.parse, [cluster.address, *keepers])
    return [(address.host, address.port) for address in parsed]


def test_every_port_shows_a_certificate_of_the_clusters_authority_for_its_host_and_speaks_the_newest_tls(
    shared: Cluster,
) -> None:
    assert shared.ca is not None
    for where in ports(shared):
        context = client_context(shared.ca)
        context.set_alpn_protocols(["h2"])
        for host in ("127.0.0.1", "::1"):
            with (
                socket.create_connection(where, timeout=5) as sock,
                context.wrap_socket(sock, server_hostname=host) as secure,
            ):
                assert secure.version() == "TLSv1.3"
        with (
            socket.create_connection(where, timeout=5) as sock,
            pytest.raises(ssl.SSLCertVerificationError, match="not valid for"),
        ):
            context.wrap_socket(sock, server_hostname="another.host")


def test_no_port_answers_in_the_clear(shared: Cluster) -> None:
    """Not with a file, not with an error of ours; and whoever asks so harms nobody."""
    request = pb.DataRequest(
        ticket=granted_over_tls(shared), get=pb.Get(version=shared.stat("secret").version, length=10)
    )
    for where in ports(shared):
        with socket.create_connection(where, timeout=5) as sock:
            sock.sendall(frames.encode(proven(shared, request)))
            answer = b""
            while part := _receive(sock):
                answer += part
        assert len(answer) < 100
        assert not any(word in answer for word in (b"exam", b"DFS1", b"BadToken", b"Refused"))


def test_a_data_port_refuses_older_tls(shared: Cluster) -> None:
    assert shared.ca is not None
    context = client_context(shared.ca)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    with socket.create_connection(data_port(shared), timeout=5) as sock, pytest.raises(ssl.SSLError):
        context.wrap_socket(sock, server_hostname="127.0.0.1")


def test_a_client_with_another_authority_or_with_none_is_told_so_at_once(
    shared: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    for ca, words in ((Authority().ca, "not by that authority"), (None, "speaks TLS only")):
        with dfslab.Client(shared.address, token=shared.token, ca=ca) as client:
            quick(lambda: client.stat("secret"), words)
            quick(lambda: client.upload(b"x", name="x"), words)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("ca", [b"", b"no certificate", "/nowhere/ca.pem", 7])
def test_what_is_no_authority_is_refused(ca: Any) -> None:
    with pytest.raises(errors.InvalidOption, match="ca"):
        dfslab.Client("127.0.0.1:1", token="x", ca=ca)


def test_who_takes_a_dead_keepers_port_is_told_nothing_without_a_certificate(shared: Cluster) -> None:
    """Not even the ticket that docs/security.md allows him without TLS."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        context = server_context(Authority().node("stranger", []))
        data = DataClient(shared.token, 5.0, Network().nic("client"), ca=shared.ca)
        wanted = Range(shared.stat("secret").version, 0, 10, 65536, b"")

        def listen() -> None:
            sock, _ = stranger.accept()
            try:
                with context.wrap_socket(sock, server_side=True) as secure:
                    heard.append(secure.recv(1000))
            except OSError:
                heard.append(b"")

        thread = threading.Thread(target=listen)
        thread.start()
        with pytest.raises(errors.TlsFailed):
            data.get("keeper-1", Address(*stranger.getsockname()), wanted, lambda view, offset: None, b"ticket")
        thread.join()
        data.close()
    assert heard == [b""]


def test_keys_are_where_nobody_else_can_read_them(shared: Cluster, tmp_path: Path) -> None:
    for path in shared.root.rglob("*"):
        if path.is_file():
            assert b"PRIVATE KEY" not in path.read_bytes(), path
    saved = Authority.of(tmp_path / "tls")

    assert (tmp_path / "tls" / "ca-key.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    assert Authority.of(tmp_path / "tls").ca == saved.ca
    (tmp_path / "tls" / "ca-key.pem").write_text("not a key")
    with pytest.raises(errors.InvalidOption, match="tls"):
        Authority.of(tmp_path / "tls")
    assert "PRIVATE" not in repr(saved.node("keeper-1", []))
