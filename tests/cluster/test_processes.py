"""A process a node: the same cluster, whose nodes really die, really stop, and never stay behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import dfslab
from dfslab.cluster import Cluster
from dfslab.core.errors import InvalidOption, PortTaken, ProcessDied, UnknownKeeper, WaitTimedOut, WrongState
from dfslab.core.trace import Kind
from dfslab.lab.launching import check_isolation
from dfslab.lab.nodes import NodeState
from dfslab.lab.processes.launcher import KeeperProcess, MasterProcess, ProcessLauncher
from dfslab.lab.processes.process import NodeProcess
from dfslab.runtime import failpoints
from tests.cluster import policies_elsewhere
from tests.cluster.conftest import Starter, cell
from tests.cluster.test_fault_menu import EACH, broken, faults
from tests.cluster.test_faults import content, stored, wait_for
from tests.runtime.test_network import InThread

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes need Linux")
DEADLINE_S = 20.0


@pytest.fixture
def processes(start: Starter) -> Starter:
    """Start clusters of processes."""

    def start_one(n: int = 3, **options: Any) -> Cluster:
        return start(n, **{"isolation": "process", "speed": 2.0, **options})

    return start_one


def pid_of(cluster: Cluster, node: str | int) -> int:
    one = cluster._nodes.node(node)
    assert isinstance(one, KeeperProcess | MasterProcess)
    return one.pid


def status(pid: int) -> str:
    return psutil.Process(pid).status()


def children() -> list[int]:
    return [process.pid for process in psutil.Process().children(recursive=True)]


def wait_until(over: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not over():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def errors_of(cluster: Cluster) -> list[tuple[str, str]]:
    return [(e.node, e.detail["reason"]) for e in cluster._recorder.events() if e.kind is Kind.NODE_ERROR]


# -- the life of a node -------------------------------------------------------------------------


def test_a_killed_keepers_process_is_gone_its_files_are_copied_and_it_returns_with_ports_and_disk(
    processes: Starter,
) -> None:
    cluster = processes(n=4)
    data = stored(cluster)
    victim = cluster.stat("clip").holders[0]
    before, pid = cluster.keepers().set_index("keeper").loc[victim], pid_of(cluster, victim)
    assert len({*children()}) == 5

    cluster.kill(victim)

    assert not psutil.pid_exists(pid)
    cluster.wait_for_dead(victim)
    cluster.wait_for_replicas("clip")
    assert victim not in cluster.stat("clip").holders
    assert cluster.download("clip").path.read_bytes() == data

    cluster.restart(victim)

    after = cluster.keepers().set_index("keeper").loc[victim]
    assert pid_of(cluster, victim) != pid
    for same in ("address", "data_address", "directory"):
        assert before[same] == after[same]
    assert (before.incarnation, after.incarnation) == (1, 2)
    assert cluster.lookup_table().set_index("data_node").loc[victim, "is_alive"], "its replica was not believed"

    cluster.kill(victim)
    cluster.restart(victim, wipe=True)
    assert not list(Path(after.directory).glob("replicas/*.data"))


def test_a_paused_keeper_is_stopped_declared_dead_and_resumes_as_a_new_incarnation(processes: Starter) -> None:
    cluster = processes()
    data = stored(cluster)

    cluster.pause(2)

    assert status(pid_of(cluster, 2)) == psutil.STATUS_STOPPED
    cluster.wait_for_dead(2)
    assert cluster.download("clip").path.read_bytes() == data
    cluster.fill_disk(2)
    cluster.set_link(2, rate_mb_s=50)

    cluster.resume(2)

    cluster.wait_for_alive(2)
    assert status(pid_of(cluster, 2)) != psutil.STATUS_STOPPED
    assert cell(cluster, "keeper-2", "incarnation") == 2
    cluster.heartbeat_now(2)
    assert cell(cluster, "keeper-2", "free_bytes") == 0, "it did not hear what was done to it while it was stopped"


def test_a_killed_master_returns_with_its_port_and_every_file(processes: Starter) -> None:
    cluster = processes()
    data = stored(cluster)
    address, pid = cluster.address, pid_of(cluster, "master")

    cluster.kill_master()

    assert not psutil.pid_exists(pid)
    cluster.restart_master()
    assert cluster.address == address
    assert cluster.download("clip").path.read_bytes() == data
    assert cluster.keepers().is_alive.all()


def test_the_same_menu_of_faults_works_on_processes(processes: Starter) -> None:
    """Each fault begins, leaves its line, ends again, and the nodes' own processes meet it."""
    cluster = processes(n=4)
    stored(cluster)

    for begin, peer, detail, end in EACH:
        before = len(faults(cluster))
        with begin(cluster) as fault:
            event = faults(cluster)[-1]
            assert (event.id, event.peer, event.detail) == (fault.event, peer, detail)
        assert [one.detail["action"] for one in faults(cluster)[before:]] == [detail["action"], end]
        assert broken(cluster) == []
    with cluster.drop_heartbeats(1):
        cluster.wait_for_dead(1)
    with cluster.partition([2], ["master"]):
        cluster.wait_for_dead(2)
    with cluster.set_link(3, rate_mb_s=1.0):
        assert cluster.download("clip", scheduler="no-hedging").path.read_bytes() == content(2_000_000)
    full = [cluster.fill_disk(keeper) for keeper in (1, 2, 3, 4)]
    with pytest.raises(dfslab.errors.NoLiveKeepers, match="tried without success"):
        cluster.upload(content(100_000), name="no room")
    for keeper in full:
        cluster.free_disk(keeper)
    holder = cluster.stat("clip").holders[0]
    with cluster.corrupt("clip", holder):
        assert cluster.download("clip").path.read_bytes() == content(2_000_000)
    with cluster.pause(4), cluster.kill_master():
        pass
    assert cluster.add_keeper() == "keeper-5"
    cluster.decommission(4)

    assert broken(cluster) == []
    assert cluster._nodes.states()["keeper-4"] is NodeState.DECOMMISSIONED
    assert len(children()) == 5
    assert cluster.download("clip").path.read_bytes() == content(2_000_000)
    cluster.wait_for_recovery()


def test_a_slow_link_paces_a_process_at_its_own_side(processes: Starter) -> None:
    cluster = processes(n=1, replicas=1)
    stored(cluster, 1_500_000)
    assert cluster.download("clip").seconds < 0.5

    cluster.set_link(1, rate_mb_s=2.0)

    assert 0.6 < cluster.download("clip").seconds < 3.0


# -- what their parent hears ---------------------------------------------------------------------


def test_what_threads_would_show_is_seen_at_once(processes: Starter) -> None:
    cluster = processes()

    for number in range(20):
        name = f"{number}.bin"
        cluster.upload(b"x" * 1000, name=name)
        assert name in set(cluster.files().file_name), "the table did not have what the client had heard"

    events = cluster._recorder.events()
    known: set[str] = set()
    late = []
    for event in events:
        if event.cause and event.cause not in known:
            late.append(event)
        known.add(event.id)
    assert late == [], "an effect came before its cause"
    assert {event.node for event in events} == {"lab", "client", "master", "keeper-1", "keeper-2", "keeper-3"}
    assert cluster.explain(cluster.stat("3.bin").holders[0], "3.bin").steps
    assert len(dfslab.replay(cluster.root / "trace.jsonl").files()) == 20


def test_what_a_process_told_before_it_was_killed_is_in_the_trace(processes: Starter) -> None:
    """The keeper dies at the very step after it told that it has stored the replica."""
    cluster = processes(
        placement="tests.cluster.policies_elsewhere:LastFirst", repair="scan", replication_interval_s=60
    )
    cluster._nodes.arm(3, "keeper.before-report", "kill")

    info = cluster.upload(content(300_000), name="clip")

    assert cluster._nodes.states()["keeper-3"] is NodeState.KILLED, "the failpoint did not strike"
    assert info.holders == ("keeper-2",)
    told = [e.kind for e in cluster._recorder.events() if e.node == "keeper-3"]
    assert Kind.REPLICA_STORED in told
    kills = [e for e in cluster._recorder.events() if e.kind is Kind.FAULT]
    assert [(e.peer, e.detail["action"]) for e in kills] == [("keeper-3", "kill")]
    cluster.restart(3)


def test_a_traceback_in_a_process_is_a_node_error_and_not_on_stderr(
    processes: Starter, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster = processes(placement=policies_elsewhere.Fails)
    cluster.upload(b"x", name="x")

    wait_for(cluster, lambda: bool(errors_of(cluster)))
    found = errors_of(cluster)
    cluster.close()

    assert {node for node, _ in found} == {"master"}
    assert found[0][1].startswith("Exception in thread")
    assert "ZeroDivisionError: on a thread of its own" in found[0][1]
    assert capfd.readouterr().err == ""


# -- failpoints ----------------------------------------------------------------------------------


def test_a_failpoint_waits_for_a_nodes_next_start_and_stops_it_there(processes: Starter) -> None:
    cluster = processes(placement=policies_elsewhere.LastFirst, repair="scan", replication_interval_s=60)
    cluster.kill(3)
    cluster._nodes.arm(3, "keeper.before.rename-data", "stop")
    cluster.restart(3)

    uploading = InThread(lambda: cluster.upload(content(300_000), name="clip"))

    wait_until(lambda: cluster._nodes.states()["keeper-3"] is NodeState.PAUSED)
    assert status(pid_of(cluster, 3)) == psutil.STATUS_STOPPED
    assert not list(cluster.root.glob("keeper-3/replicas/*.data"))
    cluster.resume(3)
    assert uploading.join() is None
    assert list(cluster.root.glob("keeper-3/replicas/*.data"))


def test_a_node_fails_where_it_is_told_to_and_the_masters_own_death_can_be_waited_for(processes: Starter) -> None:
    """FAULTS 6: recorded, and nobody was answered."""
    cluster = processes(replicas=2)
    with pytest.raises(WaitTimedOut, match="the master is running"):
        cluster.wait_for_dead("master", timeout_s=0.2)
    pid = cluster.pid("master")
    cluster.fail_at("master", "master.after-commit", "kill")

    uploading = InThread(lambda: cluster.upload(content(300_000), name="clip"))
    cluster.wait_for_dead("master")

    assert not psutil.pid_exists(pid)
    assert cluster.pid("master") == pid, "what it was"
    cluster.restart_master()
    assert cluster.pid("master") != pid
    assert uploading.join() is None
    story = str(cluster.story("clip"))
    assert "the catalog had clip" in story
    assert "the master told the client that clip is stored" in story


def test_what_a_failpoint_did_to_a_keeper_is_in_the_trace_before_the_death_that_it_led_to(processes: Starter) -> None:
    """FAULTS 21, at the worst moment: the copy is durable, and the master not told yet."""
    cluster = processes(n=2, replicas=2, placement=policies_elsewhere.LastFirst)
    cluster.fail_at(1, "keeper.before-report", "stop")
    cluster.upload(content(300_000), name="clip")

    cluster.wait_for_dead(1)

    assert status(cluster.pid(1)) == psutil.STATUS_STOPPED
    story = [step.sentence for step in cluster.story("clip").steps]
    assert story.index('cluster.pause("keeper-1")') < story.index(
        "the master declared keeper-1 dead: it had missed its heartbeats"
    )
    cluster.resume(1)
    cluster.wait_for_replicas("clip")
    assert "the master refused what keeper-1 said as its incarnation 1: it registers anew" in str(cluster.story("clip"))


def test_threads_are_in_this_process_and_fail_there_by_errors_only(cluster: Cluster) -> None:
    assert cluster.pid(1) == cluster.pid("master") == os.getpid()
    with pytest.raises(InvalidOption, match="isolation='process'"):
        cluster.fail_at(1, "keeper.before.rename-data")
    for node, point in ((1, "keeper.nosuch"), ("master", "keeper.receiving"), (1, "master.in-commit")):
        with pytest.raises(InvalidOption, match=r"a (keeper|master) has "):
            cluster.fail_at(node, point, "EIO")
    for unknown in (lambda: cluster.pid(9), lambda: cluster.fail_at(9, "keeper.before.rename-data", "EIO")):
        with pytest.raises(UnknownKeeper):
            unknown()


def test_an_error_at_a_failpoint_costs_the_upload_one_keeper_in_processes(processes: Starter) -> None:
    one_error(processes(placement=policies_elsewhere.LastFirst))


def test_an_error_at_a_failpoint_costs_the_upload_one_keeper_in_threads(start: Starter) -> None:
    one_error(start(n=3, placement=policies_elsewhere.LastFirst))


def one_error(cluster: Cluster) -> None:
    cluster._nodes.arm(3, "keeper.before.sync-data", "EIO")
    data = content(300_000)

    cluster.upload(data, name="clip")

    assert cluster._nodes.disarm(3, "keeper.before.sync-data") >= 1
    retried = [e for e in cluster._recorder.events() if e.kind is Kind.UPLOAD_RETRIED]
    assert len(retried) == 1
    assert cluster.download("clip").path.read_bytes() == data


def test_threads_can_not_be_killed_at_a_failpoint(cluster: Cluster) -> None:
    for action in ("kill", "stop"):
        with pytest.raises(InvalidOption, match="isolation='process'"):
            cluster._nodes.arm(1, "keeper.before.rename-data", action)
    with pytest.raises(InvalidOption, match="known are"):
        cluster._nodes.arm(1, "keeper.before.rename-data", "explode")
    cluster._nodes.arm(1, "keeper.before.rename-data", "EIO", at=10**9)
    cluster.close()
    assert failpoints._armed == {}


# -- starting ------------------------------------------------------------------------------------


def test_six_keepers_are_there_within_seconds_and_the_token_is_nowhere_to_be_seen(processes: Starter) -> None:
    started = time.monotonic()
    cluster = processes(n=6)
    assert time.monotonic() - started < 10.0

    seen = ""
    for pid in children():
        process = psutil.Process(pid)
        seen += " ".join(process.cmdline()) + json.dumps(process.environ())
    assert len(children()) == 7
    assert cluster.token not in seen
    assert all(os.getsid(pid) == pid for pid in children()), "what ends the notebook's kernel ends them first"
    names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in children()}
    assert names == {"master", *(f"keeper-{number}" for number in range(1, 7))}


def test_policies_are_named_to_the_masters_process(processes: Starter) -> None:
    cluster = processes(placement="tests.cluster.policies_elsewhere:last_first", repair="scan")

    assert cluster.upload(b"x", name="x").holders == ("keeper-3",)


class Here:
    def choose(self, candidates: object, size: int, rng: object) -> str:
        raise NotImplementedError


def local_class() -> type:
    class Local(Here):
        pass

    return Local


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"isolation": "prozess"}, "it is 'thread' or 'process'"),
        ({"placement": Here()}, "pass its class"),
        ({"placement": local_class()}, "inside a function.*isolation='thread'"),
        ({"placement": "no.such.module:Class"}, "can't be imported"),
        ({"placement": "tests.cluster.policies_elsewhere:Nobody"}, "can't be imported"),
        ({"placement": "tests.cluster.policies_elsewhere:KeeperLoad"}, "can't be made without arguments"),
        ({"placement": "magic"}, "known are balanced"),
    ],
)
def test_what_a_process_can_not_be_given_is_refused_in_words(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        dfslab.cluster.start(3, **{"isolation": "process", "name": "refused", **options})

    assert children() == []


def test_a_class_of_the_notebook_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Here, "__module__", "__main__")

    with pytest.raises(InvalidOption, match=r"in this notebook or script.*put it into a module.*isolation='thread'"):
        dfslab.cluster.start(3, isolation="process", name="refused", placement=Here)


def test_where_processes_can_not_be_kept_from_staying_behind_they_are_refused() -> None:
    for platform in ("darwin", "win32"):
        assert check_isolation("thread", platform) == "thread"
        with pytest.raises(InvalidOption, match=f"on {platform}.*isolation='thread'"):
            check_isolation("process", platform)


def test_a_port_that_is_taken_reaches_the_caller_and_the_start_undoes_itself(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    fds = len(os.listdir("/proc/self/fd"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PortTaken, match=str(port)):
            dfslab.cluster.start(3, isolation="process", name="taken", port=port, root=tmp_path)

    assert children() == []
    assert set(threading.enumerate()) <= before
    assert len(os.listdir("/proc/self/fd")) <= fds
    dfslab.cluster.start(3, isolation="process", name="taken", port=port, root=tmp_path).close()


def test_a_process_that_ends_while_it_starts_says_what_its_last_words_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFSLAB_FAILPOINTS", "nonsense")

    with pytest.raises(ProcessDied, match=r"exit code 1.*DFSLAB_FAILPOINTS: 'nonsense' is not name=action"):
        dfslab.cluster.start(3, isolation="process", name="died")

    assert children() == []


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_start_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProcessLauncher, "keeper", interrupt)
    before = set(threading.enumerate())

    with pytest.raises(KeyboardInterrupt):
        dfslab.cluster.start(2, isolation="process", name="interrupted", replicas=1)

    assert children() == []
    assert set(threading.enumerate()) <= before


def test_a_keeper_whose_kill_was_interrupted_can_be_restarted(
    processes: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = processes(n=1, replicas=1)
    for part in ("kill", "bury"):
        with monkeypatch.context() as patch:
            patch.setattr(NodeProcess, part, interrupt)
            with pytest.raises(KeyboardInterrupt):
                cluster.kill(1)

        cluster.restart(1)

    cluster.wait_for_alive(1)
    assert len(children()) == 2


def test_closing_leaves_no_process_no_port_and_no_folder(processes: Starter) -> None:
    cluster = processes()
    stored(cluster)
    cluster.kill(1)
    cluster.pause(2)
    ports = [int(address.rpartition(":")[2]) for address in (cluster.address, *cluster.keepers().data_address)]

    cluster.close()
    cluster.close()

    assert children() == []
    assert not cluster.root.exists()
    for port in ports:
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", port)) != 0
    with pytest.raises(dfslab.errors.ClusterClosed):
        cluster.kill(1)


def test_what_was_done_by_hand_is_noticed(processes: Starter) -> None:
    """Whoever kills or stops a node's process from outside finds the same cluster as with its methods."""
    cluster = processes()
    os.kill(pid_of(cluster, 1), signal.SIGKILL)
    os.kill(pid_of(cluster, 2), signal.SIGSTOP)
    os.kill(pid_of(cluster, "master"), signal.SIGKILL)

    wait_until(lambda: cluster._nodes.states()["keeper-1"] is NodeState.KILLED)
    wait_until(lambda: cluster._nodes.states()["keeper-2"] is NodeState.PAUSED)
    wait_until(lambda: cluster._nodes.master_state is NodeState.KILLED)
    with pytest.raises(WrongState, match="already dead"):
        cluster.kill(1)
    with pytest.raises(OSError, match="in use"), socket.socket() as sock:
        sock.bind(("127.0.0.1", int(cluster.address.rpartition(":")[2])))  # nobody else gets a dead node's port

    cluster.heal_all()
    cluster.wait_for_recovery()


def test_who_was_stopped_and_continued_by_hand_hears_of_the_network_that_changed_meanwhile(processes: Starter) -> None:
    cluster = processes(n=1, replicas=1)
    stored(cluster, 1_500_000)
    os.kill(pid_of(cluster, 1), signal.SIGSTOP)
    wait_until(lambda: cluster._nodes.states()["keeper-1"] is NodeState.PAUSED)
    cluster.set_link(1, rate_mb_s=2.0)

    os.kill(pid_of(cluster, 1), signal.SIGCONT)

    wait_until(lambda: cluster._nodes.states()["keeper-1"] is NodeState.RUNNING)
    cluster.wait_for_alive(1)
    assert cluster.download("clip").seconds > 0.6


# -- nobody is left behind -----------------------------------------------------------------------

BEGIN = """
import os, signal, threading, time, dfslab
made = []
thread = threading.Thread(target=lambda: made.append(dfslab.cluster.start(1, isolation="process", replicas=1)))
thread.start()
thread.join()
c = made[0]
c.upload(b"x", name="x")
print(*[c._nodes.node(one).pid for one in (1, "master")], flush=True)
"""
ENDS = {
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "killed while one is stopped": "c.pause(1)\nos.kill(os.getpid(), signal.SIGKILL)",
    "terminated": "os.kill(os.getpid(), signal.SIGTERM)",
    "killed while a fork lives on": """
pid = os.fork()
if pid == 0:
    time.sleep(30)
    os._exit(0)
print(pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""",
    "ended without closing": "",
}


def test_no_process_outlives_its_parent_however_that_ends() -> None:
    """The clusters were started by threads that have ended meanwhile."""
    ending = {end: session(BEGIN + code) for end, code in ENDS.items()}

    for end, parent in ending.items():
        assert parent.stdout is not None
        assert parent.stderr is not None
        nodes = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(nodes) == 2, parent.stderr.read()
        fork = int(parent.stdout.readline()) if "fork" in end else 0
        parent.wait(DEADLINE_S)
        wait_until(lambda nodes=nodes: not any(psutil.pid_exists(pid) for pid in nodes))  # type: ignore[misc]
        if fork:
            os.kill(fork, signal.SIGKILL)
        assert parent.communicate() == ("", ""), end


def test_a_process_whose_parent_was_gone_before_it_looked_ends_itself() -> None:
    """Between its start and PR_SET_PDEATHSIG, nobody tells it."""
    commands, hold_open = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dfslab.lab.processes.child", str(os.getppid()), str(commands), "1"],
            pass_fds=[commands],
            timeout=DEADLINE_S,
        )
    finally:
        os.close(commands)
        os.close(hold_open)
    assert done.returncode == 1


def session(code: str) -> subprocess.Popen[str]:
    """Run Python in a session of its own, as a notebook's kernel is."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_an_interrupted_cell_leaves_the_nodes_alone_and_can_be_run_again() -> None:
    """Ctrl-C reaches everybody in the process group of the notebook's kernel."""
    script = textwrap.dedent(
        """
        import os, signal, time, dfslab
        c = dfslab.cluster.start(2, isolation="process", replicas=2)
        c.upload(b"x" * 100_000, name="x")
        try:
            os.killpg(0, signal.SIGINT)
            time.sleep(20)
        except KeyboardInterrupt:
            pass
        print(c.download("x").size, [str(state) for state in c._nodes.states().values()])
        again = dfslab.cluster.start(2, isolation="process", replicas=2)
        print(c.closed, again.keepers().is_alive.all())
        """
    )
    assert session(script).communicate(timeout=60) == ("100000 ['running', 'running']\nTrue True\n", "")
