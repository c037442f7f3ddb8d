"""One browser for all tests here, and a page with a notebook that runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from .jupyter import ARGUMENTS, Visit, server, visit, write_notebook

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
NOTEBOOK = "dashboard.ipynb"

Opener = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which `make browser` installs.

    Not for the whole session: Playwright keeps an event loop running, which other tests must not find.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("there is no program named chromium on the PATH; `make browser` installs it")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def open_notebook(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Return a function that opens a notebook in a fresh server and runs all its cells."""
    monkeypatch.delenv("MPLBACKEND", raising=False)
    with ExitStack() as opened:

        def open_it(ui: str, cells: Sequence[str], theme: str = "JupyterLab Light", **size: int) -> Visit:
            write_notebook(tmp_path / NOTEBOOK, cells)
            running = opened.enter_context(server(ui, tmp_path, theme))
            visited = visit(browser, running.url(NOTEBOOK), **size)
            opened.callback(visited.page.close)
            if ui != "voila":  # which runs a notebook to show it
                visited.run_all()
            return visited

        yield open_it


def keep(visited: Visit, name: str) -> None:
    """Keep a screenshot of the dashboard, for whoever wants to see how the tests saw it."""
    ARTIFACTS.mkdir(exist_ok=True)
    visited.page.locator(".dfs-dashboard").screenshot(path=ARTIFACTS / f"{name}.png")
