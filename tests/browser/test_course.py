"""Notebooks of the course in a real browser: a student runs all their cells, and sees pictures, tables and points."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import ARTIFACTS
from .jupyter import server, visit

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
DEADLINE_MS = 240_000


@contextmanager
def run_all(browser: Browser, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Page, Any]]:
    """Run a committed notebook's cells in a page; give the page once the last one has run, and the notebook.

    Every picture is there then, and nothing was said on stderr or fetched from elsewhere.
    """
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setenv("DFSLAB_PATIENCE", "3")  # other tests run beside this one
    notebook: Any = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells:
        cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / f"{name}.ipynb")  # type: ignore[no-untyped-call]

    with server("notebook", folder) as running:
        visited = visit(browser, running.url(f"{name}.ipynb"), height=4000)
        page = visited.page
        visited.run_all()
        expect(page.locator(".jp-InputPrompt", has_text=f"[{len(cells)}]:")).to_have_count(1, timeout=DEADLINE_MS)
        pictures = page.locator(".jp-RenderedImage img")
        expect(pictures).to_have_count(sum("image/png" in data for data in shown))
        yield page, notebook
        assert page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0
        ARTIFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"{name}.png")
        visited.check()
        page.close()


@pytest.mark.timeout(330)
def test_a_student_runs_the_notebook_on_parallel_downloads_and_sees_every_picture_and_verdict(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_all(browser, tmp_path, "06_parallel_download", monkeypatch) as (page, notebook):
        graded = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
        verdicts = page.locator(".dfslab-verdict")
        expect(verdicts).to_have_count(len(graded))
        for verdict in verdicts.all():
            expect(verdict.get_by_role("table")).to_be_visible()
            expect(verdict).to_contain_text(re.compile(r"\d+ of \d+ points"))
            assert "✗" not in verdict.inner_text()
        ARTIFACTS.mkdir(exist_ok=True)
        verdicts.last.screenshot(path=ARTIFACTS / "verdict.png")


@pytest.mark.timeout(330)
def test_a_student_runs_the_notebook_with_the_dashboard_and_sees_it_as_it_is_and_as_it_was(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_all(browser, tmp_path, "02_the_laboratory", monkeypatch) as (page, _):
        live, still = page.locator(".dfs-dashboard"), page.locator(".dfs-static")
        live.scroll_into_view_if_needed()
        expect(live.locator(".dfs-summary-line")).to_contain_text("6 of 6 keepers alive")
        expect(live.locator(".dfs-summary-line")).to_contain_text("13 files, each with 3 live copies or more")
        expect(live.locator(".dfs-notice")).to_contain_text("This cluster is closed")
        still.first.scroll_into_view_if_needed()
        expect(still.first).to_contain_text("6 of 6 keepers alive")
        expect(still.first).to_contain_text("5 files, each with 3 live copies or more")
