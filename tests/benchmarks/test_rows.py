"""The rows themselves: each measures what it says, on small files, and none needs the peer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from benchmarks import recorded, seaweed
from benchmarks.context import Context
from benchmarks.rows import MODULES
from benchmarks.shapes import Trip
from benchmarks.systems import System, check_same, dfslab_started, limit_started


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    with Context(tmp_path) as made:
        yield made


def test_every_row_has_a_name_of_its_own_and_somebody_to_measure(context: Context) -> None:
    rows = [row for module in MODULES for row in module(context)]

    assert len({row.name for row in rows}) == len(rows), "the record knows them by their names"
    assert all(row.dfslab or row.limit for row in rows)
    assert list(context.folder.iterdir()) == [], "nothing is made before it is measured"


def test_the_record_is_of_rows_that_there_are(context: Context) -> None:
    """One that is renamed would never again be compared."""
    names = {row.name for module in MODULES for row in module(context)}

    assert set(recorded.read()) <= names


def test_without_the_peers_program_its_column_is_empty(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seaweed, "program", lambda: None)

    assert [row.name for module in MODULES for row in module(context) if row.peer] == []


def test_the_quick_subset_needs_no_peer(tmp_path: Path) -> None:
    with Context(tmp_path, quick=True) as quick:
        assert [row.name for module in MODULES for row in module(quick) if row.peer] == []


@pytest.mark.parametrize("start", [dfslab_started, limit_started])
def test_a_trip_goes_up_and_down_and_leaves_nothing(
    context: Context, start: Callable[[Path], AbstractContextManager[System]]
) -> None:
    system = context.lazily(partial(start, context.folder))
    trip = Trip(system, context.folder, lambda: bytes(100_000), copies=3, files=2, clients=2)

    assert trip.up() > 0
    assert trip.down() > 0
    assert 0 < trip.fairness <= 1
    assert replicas(context.folder) == 2 * 2 * 3
    assert trip.last(trip.down) > 0
    assert replicas(context.folder) == 0


def replicas(folder: Path) -> int:
    """Files of that size that are on some keeper's disk."""
    return sum(path.is_file() and path.stat().st_size == 100_000 for path in folder.rglob("*"))


def test_a_download_that_is_not_what_was_uploaded_ends_the_benchmark(tmp_path: Path) -> None:
    for content in (b"other", b"same and more"):
        (tmp_path / "got").write_bytes(content)
        with pytest.raises(AssertionError, match="not what was uploaded"):
            check_same(b"same", tmp_path / "got")


def test_what_is_started_lazily_is_started_once_and_ended_with_its_context(tmp_path: Path) -> None:
    with Context(tmp_path) as context:
        limit = context.lazily(partial(limit_started, tmp_path))
        assert list(tmp_path.iterdir()) == []
        running: System = limit()
        assert limit() is running
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_source_is_made_once_and_has_the_size_asked_for(context: Context) -> None:
    path = context.file(3 * 1024 * 1024 + 5)

    assert path.stat().st_size == 3 * 1024 * 1024 + 5
    assert context.file(3 * 1024 * 1024 + 5) == path
