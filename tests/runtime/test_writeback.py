"""The hint to begin writing early: it changes no byte, does nothing where it is not known, and tells a real error."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dfslab.runtime import replica_writer, writeback
from dfslab.runtime.gate import Gate
from dfslab.runtime.storage import Storage
from dfslab.runtime.writeback import begin_writeback


def test_a_file_whose_writing_was_begun_early_has_every_byte(tmp_path: Path) -> None:
    data = os.urandom(100_000)
    (tmp_path / "a").write_bytes(data)
    with open(tmp_path / "a", "r+b") as file:
        begin_writeback(file.fileno(), 0, len(data))

    assert (tmp_path / "a").read_bytes() == data


def test_where_the_kernel_does_not_take_the_hint_nothing_happens() -> None:
    reader, writer = os.pipe()
    begin_writeback(writer, 0, 4096)
    os.close(reader)
    os.close(writer)


def test_where_there_is_no_such_hint_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writeback, "_sync_file_range", lambda: None)
    with open(tmp_path / "a", "wb") as file:
        begin_writeback(file.fileno(), 0, 4096)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="Linux only")
def test_an_error_of_the_hint_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as file:
        fd = file.fileno()

    with pytest.raises(OSError) as caught:
        begin_writeback(fd, 0, 4096)

    assert caught.value.errno == errno.EBADF


def test_a_replica_is_on_its_way_to_the_disk_while_more_of_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte is begun once, in runs; what is left at the end is the fsync's."""
    begun: list[tuple[int, int]] = []
    monkeypatch.setattr(replica_writer, "WRITEBACK_BYTES", 3000)
    monkeypatch.setattr(replica_writer, "begin_writeback", lambda fd, offset, count: begun.append((offset, count)))
    storage = Storage(tmp_path, "keeper-1", Gate())
    data = os.urandom(10_000)

    writer = storage.create("v1-0123456789", len(data), 1000)
    for start in range(0, len(data), 2000):
        writer.write(memoryview(data)[start : start + 2000])
    stored = writer.commit()
    storage.close()

    assert begun == [(0, 4000), (4000, 4000)]
    assert Path(stored.path).read_bytes() == data
