"""The master as a node: durability before replies, and what happens when the disk says no."""

import random
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dfslab.core.errors import CatalogUnwritable, DirectoryInUse
from dfslab.core.master import events
from dfslab.core.master.instructions import CatalogRecord
from dfslab.core.model import Address
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.runtime.clock import Clock
from dfslab.runtime.master_node import MasterNode, MasterSettings
from dfslab.runtime.recorder import Recorder
from tests.cli.by_hand import wait_for

HERE = Address("127.0.0.1", 1)
DEADLINE_S = 20.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[MasterNode]:
    settings = MasterSettings(directory=tmp_path, token="t", options=Options(), policies=Policies.of())
    node = MasterNode(settings, Clock(), Recorder().add)
    yield node
    node.cut()
    node.join()


def register(node: MasterNode, name: str) -> object:
    return node.ask(lambda number: events.Register(number, name, "boot", HERE, HERE, "/d", 10**9, ()))


def test_what_was_answered_is_in_the_catalog_file(node: MasterNode, tmp_path: Path) -> None:
    for number in range(20):
        name = f"keeper-{random.Random(number).randrange(10**6)}"
        register(node, name)
        with sqlite3.connect(tmp_path / "catalog.sqlite") as other:
            assert other.execute("SELECT 1 FROM keepers WHERE keeper = ?", (name,)).fetchone() == (1,)
        other.close()


def test_a_change_that_cannot_be_made_durable_did_not_happen_and_the_master_goes_on(
    node: MasterNode, tmp_path: Path
) -> None:
    """Another process holds the catalog's write lock: the commit fails for real."""
    register(node, "keeper-1")
    with node.lock:
        node._catalog._db.execute("PRAGMA busy_timeout = 50")
    blocker = sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(CatalogUnwritable, match="nothing was changed"):
        register(node, "keeper-2")
    with node.lock:
        assert [keeper.id for keeper in node.core.keepers()] == ["keeper-1"]

    blocker.execute("ROLLBACK")
    blocker.close()
    wait_for("the master to take changes again", lambda: not node.core.is_read_only)
    register(node, "keeper-2")
    with node.lock:
        assert [keeper.id for keeper in node.core.keepers()] == ["keeper-1", "keeper-2"]


def grant(node: MasterNode, upload: str) -> str:
    version: str = node.ask(lambda number: events.BeginUpload(number, upload, "clip", 1, 1, "client")).version
    return version


def granted_ids(directory: Path, seed: int) -> list[str]:
    """Start a seeded master, have it grant three slots, and crash it."""
    settings = MasterSettings(directory=directory, token="t", options=Options(), policies=Policies.of(), seed=seed)
    node = MasterNode(settings, Clock(), Recorder().add)
    try:
        register(node, "keeper-1")
        return [grant(node, f"upload-{at}") for at in range(3)]
    finally:
        node.cut()
        node.join()


def test_a_seeded_master_repeats_its_choices_in_another_directory_but_never_an_id_in_its_next_life(
    tmp_path: Path,
) -> None:
    """FAULTS row 5 found it: a keeper refused the retry of an upload, since it held a version of that id."""
    lives = [granted_ids(tmp_path / "one", seed=7) for _ in range(3)]

    assert granted_ids(tmp_path / "another", seed=7) == lives[0]
    chances = [version.partition("-")[2] for life in lives for version in life]
    assert len(set(chances)) == len(chances)


def test_a_second_master_on_the_same_catalog_is_refused(node: MasterNode, tmp_path: Path) -> None:
    settings = MasterSettings(directory=tmp_path, token="t", options=Options(), policies=Policies.of())

    with pytest.raises(DirectoryInUse):
        MasterNode(settings, Clock(), Recorder().add)


def test_an_error_of_its_own_is_traced_and_answered_and_the_next_request_works(
    node: MasterNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: the master goes back to its catalog instead of leaving its callers waiting."""
    register(node, "keeper-1")
    traced: list[str] = []
    monkeypatch.setattr(node, "_trace", lambda *events: traced.extend(str(event.kind) for event in events))
    monkeypatch.setattr(node.core, "handle", _raise)

    with pytest.raises(ConnectionError, match="a planted bug"):
        node.ask(lambda number: events.BeginUpload(number, "u", "clip", 1, 1, "client"))

    assert "node_error" in traced
    register(node, "keeper-2")
    with node.lock:
        assert {keeper.id for keeper in node.core.keepers()} == {"keeper-1", "keeper-2"}


def _raise(*_: object) -> list[object]:
    raise ZeroDivisionError("a planted bug")


def test_what_waits_for_no_commit_is_answered_before_the_others_of_its_batch_are_durable(
    node: MasterNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_end = threading.Semaphore(0), threading.Semaphore(0)
    append = node._catalog.append

    def slow(records: Sequence[CatalogRecord]) -> None:
        began.release()
        assert may_end.acquire(timeout=DEADLINE_S)
        append(records)

    monkeypatch.setattr(node._catalog, "append", slow)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(register, node, "keeper-1")
        assert began.acquire(timeout=DEADLINE_S)
        second = pool.submit(register, node, "keeper-2")
        wait_for("the second registration to come", lambda: node._events.qsize() == 1)
        slot = pool.submit(grant, node, "upload-1")
        wait_for("a request for a slot to come", lambda: node._events.qsize() == 2)
        may_end.release()
        assert began.acquire(timeout=DEADLINE_S)  # the second commit is under way

        assert slot.result(DEADLINE_S)
        assert not second.done()
        may_end.release()
        first.result(DEADLINE_S)
        second.result(DEADLINE_S)
