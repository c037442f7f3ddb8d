"""The rows of repair: what counts as within a window, and both sides' rounds on small files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.context import Context
from benchmarks.rows import repair
from benchmarks.rows.repair import Span, rate_mb_s


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    """Rounds of 12 files of 300 KB, with little time before a repair."""
    for name, value in (("FILE_BYTES", 300_000), ("FILES", 12), ("ALONE_S", 0.2)):
        monkeypatch.setattr(repair, name, value)
    with Context(tmp_path) as context:
        yield context


def test_a_download_counts_by_its_part_within_the_window() -> None:
    spans = [Span(0.0, 2.0, 4_000_000), Span(2.0, 4.0, 10_000_000), Span(5.0, 6.0, 7_000_000)]

    assert rate_mb_s(spans, 0.0, 2.0) == 2.0
    assert rate_mb_s(spans, 1.0, 3.0) == pytest.approx((2 + 5) / 2)
    assert rate_mb_s(spans, 4.0, 5.0) == 0.0
    assert rate_mb_s([], 0.0, 1.0) == 0.0


@pytest.mark.parametrize("side", ["_OurRepairs", "_BareRepairs"])
def test_a_round_gives_the_rate_of_both_repairs_and_what_downloads_kept(small: Context, side: str) -> None:
    repairs = getattr(repair, side)(small)

    assert repairs.run() > 0
    assert repairs.beside_mb_s > 0
    assert repairs.kept > 0
    assert [path.name for path in small.folder.iterdir()] == ["source-300000"], "nothing else is left"


def test_a_download_that_fails_beside_a_repair_ends_the_benchmark(tmp_path: Path) -> None:
    class Failing:
        def upload(self, source: object, name: str, copies: int) -> None:
            raise NotImplementedError

        def download(self, name: str, to: Path, holders: int) -> None:
            raise ConnectionError("the holder is gone")

    with pytest.raises(ConnectionError, match="the holder is gone"), repair.downloading(Failing(), "a", b"", tmp_path):
        pass
