"""A notebook of the course in a real browser: a student runs all its cells, and sees pictures, tables and points."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, expect

from .conftest import ARTIFACTS
from .jupyter import server, visit

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "06_parallel_download.ipynb"
DEADLINE_MS = 240_000


@pytest.mark.timeout(330)
def test_a_student_runs_the_notebook_on_parallel_downloads_and_sees_every_picture_and_verdict(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setenv("DFSLAB_PATIENCE", "3")  # other tests run beside this one
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = sum("image/png" in data for data in shown)
    graded = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, tmp_path / NOTEBOOK.name)  # type: ignore[no-untyped-call]

    with server("notebook", tmp_path) as running:
        visited = visit(browser, running.url(NOTEBOOK.name), height=4000)
        page = visited.page
        visited.run_all()
        verdicts = page.locator(".dfslab-verdict")
        expect(verdicts).to_have_count(len(graded), timeout=DEADLINE_MS)
        expect(page.locator(".jp-OutputArea-output img")).to_have_count(pictures)
        for verdict in verdicts.all():
            expect(verdict.get_by_role("table")).to_be_visible()
            expect(verdict).to_contain_text(re.compile(r"\d+ of \d+ points"))
            assert "✗" not in verdict.inner_text()
        assert page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0
        ARTIFACTS.mkdir(exist_ok=True)
        verdicts.last.screenshot(path=ARTIFACTS / "verdict.png")
        page.screenshot(path=ARTIFACTS / "06_parallel_download.png")
        visited.check()
        page.close()
