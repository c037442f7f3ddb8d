"""The curves: the slope is that of the figures, and the page takes them between its markers and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scaling import DOCS, Curves, Line, put


def line(exponent: float) -> Line:
    return Line("a", "grow", [(x, 3.0 * x**exponent) for x in (1.0, 2.0, 4.0, 8.0, 16.0)])


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_the_slope_is_the_exponent_with_which_the_figures_grow(exponent: float) -> None:
    assert line(exponent).slope == pytest.approx(exponent, abs=1e-9)


def test_the_flat_beginning_of_a_curve_is_not_in_its_slope() -> None:
    flat_then_linear = Line("a", "grow", [(x, max(10.0, x)) for x in (1.0, 2.0, 4.0, 16.0, 32.0, 64.0)])

    assert flat_then_linear.slope == pytest.approx(1.0, abs=1e-9)


def test_a_picture_is_drawn_and_its_table_has_every_figure(tmp_path: Path) -> None:
    curves = Curves("key", "Title", "clients", "s", (line(1.0), line(0.0)))
    curves.draw(tmp_path / "key.svg")

    drawn = (tmp_path / "key.svg").read_text()
    assert [words for words in ("Title", "clients", "slope 1.00") if words not in drawn] == []
    assert "| a | 3.00 | 6.00 | 12.0 | 24.0 | 48.0 | 1.00 | grow |" in curves.markdown()


def test_the_page_takes_figures_between_their_markers_and_nowhere_else() -> None:
    page = "before\n<!-- a -->\nold\n<!-- end -->\nafter\n<!-- b -->\nother\n<!-- end -->\n"

    assert put(page, "a", "new") == page.replace("old", "new")
    with pytest.raises(KeyError):
        put(page, "c", "new")


def test_the_page_has_a_place_for_every_picture() -> None:
    page = (DOCS / "performance.md").read_text("utf-8")
    for key in ("file-size", "clients", "keepers-start", "keepers-idle", "core-keepers", "catalog", "catalog-restart"):
        put(page, key, "")
