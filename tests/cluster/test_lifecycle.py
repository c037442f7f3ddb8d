"""Clusters start, restart and end without a trace."""

import glob
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import pytest

import dfslab
from dfslab import errors
from dfslab.cluster import Cluster
from tests.cluster.conftest import Starter


def ports_of(cluster: Cluster) -> list[int]:
    keepers = cluster.keepers()
    addresses = [cluster.address, *keepers.address, *keepers.data_address]
    return [int(address.rpartition(":")[2]) for address in addresses]


def is_open(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def test_closing_leaves_no_thread_no_port_and_no_folder() -> None:
    before = set(threading.enumerate())
    cluster = dfslab.cluster.start(5, name="leaves-nothing")
    cluster.upload(b"x" * 1_000_000, name="x")
    cluster.wait_for_replicas()
    cluster.download("x")
    cluster.kill(2)
    ports = ports_of(cluster)
    assert sum(is_open(port) for port in ports) == len(ports) - 2

    cluster.close()

    assert set(threading.enumerate()) <= before
    assert not any(is_open(port) for port in ports)
    assert not cluster.root.exists()


def test_a_plain_session_prints_nothing_on_stderr_and_leaves_nothing_when_it_forgets_to_close(tmp_path: Path) -> None:
    done = run(
        """
        import hashlib, dfslab
        c = dfslab.cluster.start(n=6, speed=4)
        for video in dfslab.samples.videos():
            c.upload(video)
        c.wait_for_replicas()
        victim = c.stat(video.name).holders[0]
        c.kill(victim)
        c.wait_for_replicas()
        for video in dfslab.samples.videos():
            got = hashlib.sha256(c.download(video.name).path.read_bytes()).hexdigest()
            assert got == hashlib.sha256(video.read_bytes()).hexdigest()
        c.restart(victim)
        c.kill_master()
        c.restart_master()
        print(c.root)
        """,
        TMPDIR=str(tmp_path),
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(done.stdout.strip()).exists()
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_ends_in_an_error_of_its_own_closes_its_cluster_too(tmp_path: Path) -> None:
    done = run("import dfslab; c = dfslab.cluster.start(n=3); 1 / 0", TMPDIR=str(tmp_path))

    assert done.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert len(done.stderr.splitlines()) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_fork_under_a_running_cluster_prints_nothing_on_stderr() -> None:
    done = run("import os, dfslab\nwith dfslab.cluster.start(n=3):\n    os.system('true')\n    print('fine')")

    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_a_forked_process_ends_without_touching_its_parents_cluster(tmp_path: Path) -> None:
    done = run(
        """
        import multiprocessing, os, time, dfslab
        with dfslab.cluster.start(n=3) as cluster:
            cluster.upload(b"x" * 100_000, name="x")
            child = os.fork()
            if child == 0:
                raise SystemExit(0)
            print(os.waitpid(child, 0)[1])

            def use():
                try:
                    cluster.stat("x")
                except dfslab.errors.ClusterClosed:
                    cluster.close()

            worker = multiprocessing.get_context("fork").Process(target=use)
            worker.start()
            worker.join()
            print(worker.exitcode, cluster.download("x").size)

            cluster.kill(1)
            sleeper = multiprocessing.get_context("fork").Process(target=time.sleep, args=[30])
            sleeper.start()  # it has a copy of the sockets that keep the dead keeper's ports
            cluster.restart(1)
            sleeper.kill()
            sleeper.join()
        """,
        TMPDIR=str(tmp_path),
    )

    assert (done.stdout, done.stderr) == ("0\n0 100000\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_cell_that_is_interrupted_while_it_replaces_a_cluster_can_be_run_again(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start(name="again")

    def interrupted() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(first._nodes, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            start(name="again")

    start(name="again")

    assert first.closed


def test_starting_again_under_the_same_name_replaces_the_cluster(start: Starter) -> None:
    first = start(name="again")
    first.upload(b"x", name="x")

    second = start(name="again")

    assert first.closed
    assert not first.root.exists()
    assert second.files().empty


def test_several_clusters_run_side_by_side_and_know_nothing_of_each_other(start: Starter) -> None:
    one, two = start(name="one"), start(name="two")
    one.upload(b"of one", name="same")
    two.upload(b"of two", name="same")
    one.kill(1)

    assert one.download("same").path.read_bytes() == b"of one"
    assert two.download("same").path.read_bytes() == b"of two"
    assert two.keepers().is_alive.all()
    with dfslab.Client(one.address, token=two.token) as client, pytest.raises(errors.BadToken):
        client.stat("same")


def test_a_failed_start_undoes_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The third of four keepers finds its directory in use by somebody else."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = tmp_path / "root"
    with dfslab.cluster.start(3, name="blocker", root=root):
        before = set(threading.enumerate())

        with pytest.raises(errors.DirectoryInUse) as caught:
            dfslab.cluster.start(4, name="blocked", root=root)

        assert isinstance(caught.value, OSError)
        assert set(threading.enumerate()) <= before
        assert "blocked" not in dfslab.cluster._running
    assert glob.glob(str(tmp_path / "dfslab-*")) == []


def test_a_root_of_ones_own_is_kept_and_taken_up_again(start: Starter, tmp_path: Path) -> None:
    first = start(n=3, root=tmp_path / "mine")
    first.upload(b"kept", name="kept")
    first.wait_for_replicas()
    token = first.token
    first.close()

    second = start(n=3, root=tmp_path / "mine")

    assert second.token == token
    assert second.download("kept").path.read_bytes() == b"kept"
    second.wait_for_replicas()


def test_a_folder_that_belongs_to_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text('{"other": 1}')

    with pytest.raises(errors.WrongDirectory):
        dfslab.cluster.start(3, root=tmp_path, name="wrong-folder")

    assert [path.name for path in tmp_path.iterdir()] == ["cluster.json"]


def test_a_damaged_catalog_is_named_and_not_overwritten(start: Starter, tmp_path: Path) -> None:
    """FAULTS row 8."""
    first = start(n=3, root=tmp_path)
    first.upload(b"x", name="x")
    first.close()
    catalog = tmp_path / "master" / "catalog.sqlite"
    damaged = catalog.read_bytes()[:5000].ljust(20_000, b"\xff")
    catalog.write_bytes(damaged)

    with pytest.raises(errors.CatalogDamaged, match=r"catalog\.sqlite"):
        dfslab.cluster.start(3, root=tmp_path, name="damaged")

    assert catalog.read_bytes() == damaged


def test_another_process_downloads_with_the_token_and_is_refused_without(cluster: Cluster, tmp_path: Path) -> None:
    cluster.upload(b"shared " * 100_000, name="shared")
    code = """
        import os, sys, dfslab
        with dfslab.Client(os.environ["ADDRESS"], token=os.environ["TOKEN"]) as client:
            try:
                download = client.download("shared", to=sys.argv[1] if len(sys.argv) > 1 else os.environ["TO"])
                print(download.size)
                client.upload(b"from elsewhere", name="back")
            except dfslab.DfsError as error:
                print(type(error).__name__)
    """
    to = str(tmp_path / "got")

    good = run(code, ADDRESS=cluster.address, TOKEN=cluster.token, TO=to)
    bad = run(code, ADDRESS=cluster.address, TOKEN="guessed", TO=to + "2")

    assert (good.stdout, good.stderr) == ("700000\n", "")
    assert Path(to).read_bytes() == b"shared " * 100_000
    assert cluster.download("back").path.read_bytes() == b"from elsewhere"
    assert (bad.stdout, bad.stderr) == ("BadToken\n", "")
    assert not Path(to + "2").exists()


def test_everything_listens_on_the_loopback_address_only(cluster: Cluster) -> None:
    keepers = cluster.keepers()
    assert {address.rpartition(":")[0] for address in (cluster.address, *keepers.address, *keepers.data_address)} == {
        "127.0.0.1"
    }


def test_the_token_is_random_and_only_its_owner_can_read_it(start: Starter) -> None:
    one, two = start(), start()

    assert one.token != two.token
    assert len(one.token) >= 32
    assert (one.root / "cluster.json").stat().st_mode & 0o077 == 0


def test_the_trace_is_written_as_json_lines(start: Starter, tmp_path: Path) -> None:
    import json

    cluster = start(root=tmp_path)
    cluster.upload(b"x", name="x")
    cluster.close()

    lines = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    kinds = [line["kind"] for line in lines]
    steps = ["upload_requested", "slot_granted", "upload_started", "replica_stored", "replica_recorded"]
    assert [kind for kind in kinds if kind in steps][:5] == steps
    assert kinds.index("replica_recorded") < kinds.index("upload_acknowledged")
    ids = [line["id"] for line in lines]
    assert len(set(ids)) == len(ids)
    assert all(line["cause"] in ids for line in lines if "cause" in line)


def test_each_life_of_a_root_has_a_trace_of_its_own(start: Starter, tmp_path: Path) -> None:
    """One file, one life: times begin at 0 again with each start, so two lives can't share a trace."""
    for _ in range(3):
        start(root=tmp_path).close()

    traces = sorted(path.name for path in tmp_path.glob("trace*.jsonl"))
    assert traces == ["trace-1.jsonl", "trace-2.jsonl", "trace.jsonl"]
    lives = [dfslab.replay(tmp_path / name) for name in traces]
    assert [len(life.keepers()) for life in lives] == [4, 4, 4]
    boots = [life.trace[0].id for life in lives]
    assert len(set(boots)) == 3


def test_its_representations_say_how_it_is(cluster: Cluster) -> None:
    cluster.upload(b"<b>x</b>", name="<b>.mp4", ack_replicas=2)
    cluster.kill(3)
    cluster.wait_for_dead(3)

    assert "3 of 4 keepers alive, 1 files" in repr(cluster)
    html = cluster._repr_html_()
    assert "keeper-3" in html
    assert "dead" in html
    info = cluster.stat("<b>.mp4")
    assert "&lt;b&gt;" in info._repr_html_()
    assert repr(info).startswith(f"FileInfo('<b>.mp4', {info.version}, 8 B on keeper-")
    download = cluster.download("<b>.mp4")
    assert "&lt;b&gt;" in download._repr_html_()
    assert repr(download).startswith("Download('<b>.mp4', 8 B in ")


def test_a_cluster_can_listen_on_the_ipv6_loopback_address(start: Starter) -> None:
    cluster = start(host="::1")
    cluster.upload(b"six", name="six")

    assert cluster.address.startswith("[::1]:")
    assert cluster.download("six").path.read_bytes() == b"six"
