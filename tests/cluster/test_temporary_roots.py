"""A temporary folder goes with its cluster; one whose owner was killed goes with the next start. FAULTS row 40."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import dfslab
from dfslab.lab.temporary_root import OWNER, TemporaryRoot

KILLED = """
import os, signal, sys, dfslab
c = dfslab.cluster.start(1, replicas=1, isolation=sys.argv[1])
c.upload(b"x", name="x")
print(c.root, flush=True)
os.kill(os.getpid(), int(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have everybody's temporary folder be this test's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_notebook_left_goes_with_the_next_start_and_what_a_live_one_has_stays(
    isolation: str, number: int, tmp_path: Path
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, isolation, str(number)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (-number, "")
    left = Path(done.stdout.strip())
    assert (left / "keeper-1").is_dir(), "nothing was left to sweep"

    with dfslab.cluster.start(1, replicas=1, name="lives") as live:
        assert not left.exists()
        with dfslab.cluster.start(1, replicas=1, name="next"):
            live.upload(b"x", name="x")
            assert (live.root / OWNER).is_file()
    assert list(tmp_path.iterdir()) == []


def test_a_live_owners_folder_is_left_alone_by_others_and_by_itself(tmp_path: Path) -> None:
    root = TemporaryRoot("lab")
    other = "from dfslab.lab.temporary_root import TemporaryRoot; print(TemporaryRoot.sweep())"

    assert TemporaryRoot.sweep() == []
    done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
    assert root.path.is_dir()
    root.remove()
    root.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_forked_child_holds_no_folder_for_its_dead_parent() -> None:
    root = TemporaryRoot("lab")
    copy = os.dup(root._fd)  # as a fork has one
    root.abandon()

    assert TemporaryRoot.sweep() == [], "the lock is held as long as a copy is open"
    os.close(copy)
    assert TemporaryRoot.sweep() == [root.path]


def test_only_ones_own_folders_with_an_owner_that_has_ended_are_swept(tmp_path: Path) -> None:
    """A folder that is being made, one that somebody made by hand, a link to elsewhere: none of them is touched."""
    elsewhere = tmp_path / "elsewhere"
    left = TemporaryRoot("lab")
    left.abandon()
    shutil.copytree(left.path, elsewhere)
    (tmp_path / "dfslab-by-hand").mkdir()
    (tmp_path / "dfslab-link").symlink_to(elsewhere)
    (tmp_path / "dfslab-file").touch()
    (tmp_path / "dfslab-owner-is-a-link").mkdir()
    (tmp_path / "dfslab-owner-is-a-link" / OWNER).symlink_to(elsewhere / OWNER)

    assert TemporaryRoot.sweep() == [left.path]

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dfslab-by-hand",
        "dfslab-file",
        "dfslab-link",
        "dfslab-owner-is-a-link",
        "elsewhere",
    ]
    assert (elsewhere / OWNER).is_file()


def test_a_removal_that_was_cut_short_is_finished_by_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    root = TemporaryRoot("lab")
    (root.path / "keeper-1").mkdir()

    def killed(path: object, **_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            root.remove()
    root.abandon()

    assert TemporaryRoot.sweep() == [root.path]
    assert not root.path.exists()
