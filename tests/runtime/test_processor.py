"""The small work of a process whose threads are nodes shares one processor; what is large has all of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import dfslab
from dfslab.core.blocks import SMALL_BYTES
from dfslab.lab.thread_nodes import ThreadLauncher
from dfslab.runtime import processor as sharing
from dfslab.runtime.clock import Clock
from dfslab.runtime.network import Network
from dfslab.runtime.processor import PROCESSOR, Processor, Usage, is_crowded, is_crowded_between
from dfslab.runtime.recorder import Recorder
from tests.cli.by_hand import wait_for

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2, reason="there is no choice of processors"
)

DEADLINE_S = 60.0
"""Other tests crowd the machine as well."""


def here() -> set[int]:
    """Return where the calling thread may run."""
    return os.sched_getaffinity(0)


@pytest.fixture
def mine() -> Iterator[set[int]]:
    """Return where this thread may run; it must be the same at the end."""
    before = here()
    yield before
    assert here() == before


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is crowded, however many tests run on it."""
    monkeypatch.setattr(sharing, "CROWDED", float("inf"))


@contextlib.contextmanager
def crowd() -> Iterator[None]:
    """Have other processes use every processor, as far as nobody else wants it."""
    command = ["nice", "-n", "19", sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in here()]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def work() -> None:
    """Use a processor for a while."""
    for _ in range(200_000):
        pass


@pytest.fixture
def processor(mine: set[int]) -> Iterator[Processor]:
    processor = Processor()
    processor.enter()
    yield processor
    processor.leave()


def test_without_a_cluster_in_threads_every_thread_stays_where_it_is(mine: set[int]) -> None:
    processor = Processor()
    with processor.together():
        processor.settle(SMALL_BYTES + 1)
        assert here() == mine


def test_small_work_is_on_one_processor_also_inside_of_other_small_work(processor: Processor, mine: set[int]) -> None:
    with processor.together():
        shared = here()
        with processor.together():
            assert here() == shared
        assert here() == shared
    assert len(shared) == 1
    assert here() == mine


def test_a_thread_is_back_where_it_was_after_an_error(processor: Processor, mine: set[int]) -> None:
    def interrupted() -> None:
        processor.settle(SMALL_BYTES + 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), processor.together():
        interrupted()
    assert here() == mine
    with processor.together():
        assert len(here()) == 1


def test_what_moves_many_bytes_goes_where_its_thread_may_go(processor: Processor, mine: set[int]) -> None:
    with processor.together():
        shared = here()
        processor.settle(SMALL_BYTES)
        assert here() == shared
        processor.settle(SMALL_BYTES + 1)
        assert here() == mine
        processor.settle(SMALL_BYTES)
        assert here() == shared
        processor.settle(SMALL_BYTES + 1)
    with processor.together():
        assert here() == shared


def test_a_thread_that_its_owner_keeps_off_a_processor_is_kept_off_it(processor: Processor, mine: set[int]) -> None:
    some = {min(mine)}
    os.sched_setaffinity(0, some)
    try:
        with processor.together():
            processor.settle(SMALL_BYTES + 1)
            assert here() == some
        assert here() == some
    finally:
        os.sched_setaffinity(0, mine)


def test_a_machine_that_forbids_it_is_left_alone(
    processor: Processor, mine: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(pid: int, cpus: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "sched_setaffinity", forbidden)
        with processor.together():
            assert here() == mine
    with processor.together():
        assert here() == mine, "it does not try again"


def test_with_one_processor_there_is_nothing_to_share(mine: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    processor = Processor()
    with monkeypatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda pid: {min(mine)})
        processor.enter()
    with processor.together():
        assert here() == mine


@pytest.mark.usefixtures("quiet")
def test_nodes_in_threads_and_small_transfers_share_a_processor_and_large_ones_do_not(
    mine: set[int], tmp_path: Path
) -> None:
    seen: dict[str, set[int]] = {}

    def note(what: str) -> dfslab.client.progress.Progress:
        return lambda done, total: seen.__setitem__(what, here())

    with dfslab.cluster.start(3, name="one-processor", root=tmp_path / "root") as cluster:
        cluster.upload(bytes(SMALL_BYTES), name="small", ack_replicas=3, progress=note("small"))
        nodes = [
            thread for thread in threading.enumerate() if thread.name.startswith("master-") or "-data" in thread.name
        ]
        places = {frozenset(os.sched_getaffinity(thread.native_id or 0)) for thread in nodes}
        assert places == {frozenset(seen["small"])}
        cluster.upload(bytes(4 * SMALL_BYTES), name="large", ack_replicas=3, progress=note("large"))
        cluster.download("large", tmp_path / "large", progress=note("download"))
        assert here() == mine

    assert len(seen["small"]) == 1
    assert seen["large"] == seen["download"] == mine
    with PROCESSOR.together():
        assert here() == mine, "nothing is shared when the cluster is closed"


@pytest.mark.usefixtures("quiet")
def test_a_cluster_whose_close_is_repeated_leaves_the_processor_to_the_others(mine: set[int], tmp_path: Path) -> None:
    """A close that was interrupted is brought to its end by another."""
    with dfslab.cluster.start(1, replicas=1, name="other", root=tmp_path / "other"):
        recorder = Recorder(tmp_path / "trace.jsonl")
        launcher = ThreadLauncher(Clock(), recorder, Network())
        launcher.close()
        launcher.close()
        recorder.close()
        with PROCESSOR.together():
            assert len(here()) == 1


@pytest.mark.parametrize(
    ("all_s", "own_s", "crowded"),
    [
        (2.0, 1.0, True),  # a quarter of what two processors have in two seconds
        (1.9, 1.0, False),
        (2.0, 0.1, False),  # it slept: others are in nobody's way
        (0.9, 1.0, False),  # clocks of different grain
    ],
)
def test_an_interval_is_crowded_in_which_others_had_much_and_this_process_worked(
    all_s: float, own_s: float, crowded: bool
) -> None:
    before, after = Usage(10.0, 100.0, 7.0), Usage(12.0, 100.0 + all_s, 7.0 + own_s)

    assert is_crowded_between(before, after, processors=2) is crowded


@pytest.mark.parametrize(
    ("parts", "crowded"),
    [
        ((), None),
        ((1.0,), None),
        ((0.3, 0.3), True),
        ((0.3, 0.2), None),
        ((0.2, 0.3), None),
        ((0.3, 0.2, 0.2), False),
    ],
)
def test_a_machine_is_crowded_or_not_when_two_intervals_agree(parts: tuple[float, ...], crowded: bool | None) -> None:
    looks = [Usage(0.0, 50.0, 5.0)]
    for part in parts:
        last = looks[-1]
        looks.append(Usage(last.at_s + 1.0, last.all_s + 4 * part + 0.5, last.own_s + 0.5))

    assert is_crowded(looks, processors=4) is crowded


def test_a_processor_that_others_want_is_given_up_until_they_do_not(
    mine: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LOOK_S", 0.2)
    processor = Processor()
    processor.enter()
    started, end = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        end.wait()

    inheriting = threading.Thread(target=wait)
    try:
        with crowd():
            with processor.together():
                inheriting.start()
                started.wait()
                assert len(here()) == 1

                def is_given_up() -> bool:
                    work()
                    processor.look()
                    return os.sched_getaffinity(inheriting.native_id or 0) == mine

                wait_for("the processor to be given up", is_given_up, DEADLINE_S)
                assert here() == mine
            with processor.together():
                assert here() == mine

        def is_shared() -> bool:
            processor.look()
            return len(os.sched_getaffinity(inheriting.native_id or 0)) == 1

        wait_for("the processor to be shared again", is_shared, DEADLINE_S)
        assert here() == mine, "what was only a guest's is its own"
        with processor.together():
            assert here() == os.sched_getaffinity(inheriting.native_id or 0)
    finally:
        end.set()
        inheriting.join()
        processor.leave()


def test_a_cluster_that_is_started_on_a_crowded_machine_shares_none(
    mine: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LOOK_S", 0.2)
    processor = Processor()
    processor.enter()
    with crowd():

        def is_given_up() -> bool:
            work()
            processor.look()
            with processor.together():
                return here() == mine

        wait_for("the processor to be given up", is_given_up, DEADLINE_S)
        processor.leave()
        processor.enter()
        with processor.together():
            assert here() == mine
    processor.leave()


def test_who_is_about_to_be_moved_when_the_processor_is_given_up_stays_free(
    processor: Processor, mine: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    move = os.sched_setaffinity

    def given_up_meanwhile(thread: int, cpus: set[int]) -> None:
        if len(cpus) == 1:
            processor._give_up()
        move(thread, cpus)

    monkeypatch.setattr(os, "sched_setaffinity", given_up_meanwhile)
    with processor.together():
        assert here() == mine


@pytest.mark.usefixtures("quiet")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # newer Pythons warn of any fork beside threads
def test_a_forked_child_shares_nothing_even_if_another_thread_had_the_lock(mine: set[int], tmp_path: Path) -> None:
    with dfslab.cluster.start(1, replicas=1, name="parent", root=tmp_path / "root"), PROCESSOR.together():
        shared = here()
        with PROCESSOR._lock:
            child = os.fork()
            if child == 0:
                is_free = here() == mine
                PROCESSOR.enter()
                PROCESSOR.leave()
                os._exit(0 if is_free and here() == mine else 1)
        assert here() == shared
        ended = list[int]()

        def has_ended() -> bool:
            pid, status = os.waitpid(child, os.WNOHANG)
            ended.extend([status] if pid else [])
            return bool(ended)

        try:
            wait_for("the child to end", has_ended, DEADLINE_S)
        finally:
            if not ended:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
    assert ended == [0]


def test_threads_that_stay_after_the_last_cluster_are_let_go(mine: set[int]) -> None:
    processor = Processor()
    processor.enter()
    end = threading.Event()
    with processor.together():
        library = threading.Thread(target=end.wait)
        library.start()
    try:
        assert len(os.sched_getaffinity(library.native_id or 0)) == 1
        processor.leave()
        assert os.sched_getaffinity(library.native_id or 0) == mine
    finally:
        end.set()
        library.join()


def test_a_busy_cluster_on_a_crowded_machine_gives_its_processor_up(mine: set[int], tmp_path: Path) -> None:
    with dfslab.cluster.start(3, name="crowded", root=tmp_path / "root") as cluster, crowd():
        nodes = [thread for thread in threading.enumerate() if thread.name.startswith("pacemaker-")]

        def is_given_up() -> bool:
            cluster.upload(bytes(SMALL_BYTES), name="small", ack_replicas=3)
            return {frozenset(os.sched_getaffinity(node.native_id or 0)) for node in nodes} == {frozenset(mine)}

        wait_for("the processor to be given up", is_given_up, DEADLINE_S)
