"""The peer: it stores three copies, gives back what it was given, and leaves neither a process nor a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import psutil
import pytest

from benchmarks import seaweed

needs_weed = pytest.mark.skipif(seaweed.program() is None, reason="SeaweedFS is not installed: dfslab[bench]")


@needs_weed
def test_seaweedfs_keeps_three_copies_gives_them_back_and_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = os.urandom(5_000_000)
    (tmp_path / "source").write_bytes(content)

    with seaweed.started() as running:
        children = psutil.Process().children()
        client = running.client()
        client.upload(tmp_path / "source", "folder/a")
        client.upload(content[:1000], "b", replication="000")
        client.download("folder/a", tmp_path / "got")

        assert (tmp_path / "got").read_bytes() == content
        assert (client.stat("folder/a"), client.stat("b")) == (5_000_000, 1000)
        assert stored_bytes(tmp_path) >= 3 * 5_000_000
        client.delete("folder/a")
        with pytest.raises(seaweed.PeerFailed, match="404"):
            client.stat("folder/a")

    assert len(children) == 2 + seaweed.VOLUME_SERVERS
    assert [child for child in children if child.is_running()] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got", "source"]


def stored_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.dat"))


def test_without_its_program_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seaweed, "program", lambda: None)

    with pytest.raises(seaweed.PeerFailed, match=r"pip install 'dfslab\[bench\]'"), seaweed.started():
        pass


@needs_weed
def test_servers_that_do_not_get_ready_are_ended_and_their_words_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(seaweed, "VOLUME_SERVERS", 1)  # too few for three copies
    monkeypatch.setattr(seaweed, "READY_S", 3.0)
    monkeypatch.setattr(seaweed, "TRY_S", 1.0)

    with pytest.raises(seaweed.PeerFailed, match="the filer takes a file"), seaweed.started():
        pass
    assert list(tmp_path.iterdir()) == []
    assert psutil.Process().children() == []
