"""The dashboard in a real browser: a student kills a keeper, sees the file system heal, and looks back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from .conftest import Opener, keep
from .jupyter import VOILAS_OWN, Visit, server, visit

REPO = Path(__file__).resolve().parents[2]
LABORATORY = "02_the_laboratory.ipynb"

START = """
import dfslab
cluster = dfslab.cluster.start(n={n}, name="browser", speed=2, seed=7)
videos = dfslab.samples.videos()
for number in range({files}):
    cluster.upload(videos[0], name=f"lecture/week-{{number + 1:02d}}.mp4")
cluster.wait_for_replicas()
""".strip()
UNTIL_AN_UPLOAD = """
import time
while "color-waves.mp4" not in set(cluster.events().query("kind == 'upload_done'").file_name):
    time.sleep(0.1)
cluster.close()
""".strip()
FILE = "lecture/week-01.mp4"


class Shown:
    """The parts of the dashboard on a page."""

    def __init__(self, visited: Visit) -> None:
        self.page: Page = visited.page
        self.summary = self.page.locator(".dfs-summary-line")
        self.time = self.page.locator(".dfs-time")
        self.slider = self.page.get_by_role("slider")
        self.python = self.page.locator(".dfs-history")
        expect(self.node("master")).to_be_visible()

    def node(self, name: str) -> Locator:
        return self.page.locator(f".dfs-topology [data-node={name}]")

    def rows(self, file: str, keeper: str = "") -> Locator:
        """The lookup table's rows of a file, or the one on a keeper."""
        row = f"tr[data-keeper={keeper}]" if keeper else "tr"
        return self.page.locator(f".dfs-rows tbody[data-file='{file}'] {row}")

    def button(self, name: str) -> Locator:
        return self.page.locator(f"button.dfs-{name}")

    def drag_slider_to(self, time_s: float) -> None:
        """Take the slider by its thumb, which is at the right end, and pull it to the left."""
        box, end_s = self.slider.bounding_box(), self.slider.get_attribute("max")
        assert box is not None
        assert end_s is not None
        share = time_s / float(end_s)
        y = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + box["width"] - 8, y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + share * box["width"], y, steps=5)
        self.page.mouse.up()


@pytest.mark.parametrize("ui", ["notebook", "lab"])
def test_a_student_kills_a_keeper_while_a_cell_runs_sees_the_copies_return_and_looks_back(
    ui: str, open_notebook: Opener
) -> None:
    visited = open_notebook(ui, [START.format(n=6, files=4), "cluster.dashboard()", UNTIL_AN_UPLOAD])
    shown = Shown(visited)
    running = visited.page.locator(".jp-InputPrompt", has_text="[*]")
    expect(shown.summary).to_contain_text("6 of 6 keepers alive")
    victim = shown.rows(FILE).first.get_attribute("data-keeper")
    assert victim is not None

    shown.node(victim).click()
    expect(shown.node(victim)).to_have_attribute("aria-pressed", "true")
    shown.button("kill").click()
    expect(shown.python).to_contain_text(f'cluster.kill("{victim}")')
    expect(shown.rows(FILE, victim)).to_contain_text("✗ dead")
    expect(shown.node(victim)).to_have_class(re.compile(r"\bdead\b"))
    expect(shown.summary).to_contain_text("5 of 6 keepers alive")
    expect(shown.rows(FILE).filter(has_text="● alive")).to_have_count(3)
    expect(shown.summary).to_contain_text("4 files, each with 3 live copies or more")
    expect(running).to_have_count(1)
    keep(visited, f"dashboard-{ui}-after-a-kill")

    killed = visited.page.locator(".dfs-feed li.yours time").first.inner_text()
    shown.drag_slider_to(float(killed.removesuffix(" s")) - 0.5)
    expect(shown.time).to_have_class(re.compile(r"\bpast\b"))
    expect(shown.rows(FILE, victim)).to_contain_text("● alive")
    expect(shown.node(victim)).not_to_have_class(re.compile(r"\bdead\b"))
    expect(shown.summary).to_contain_text("as it was at")
    keep(visited, f"dashboard-{ui}-in-the-past")

    visited.page.get_by_role("button", name="back to live").click()
    expect(shown.rows(FILE, victim)).to_contain_text("✗ dead")
    shown.button("restart").click()
    expect(shown.summary).to_contain_text("6 of 6 keepers alive")

    shown.slider.focus()
    visited.page.keyboard.press("ArrowLeft")
    expect(shown.time).to_have_class(re.compile(r"\bpast\b"))
    visited.page.get_by_role("button", name="back to live").press("Enter")
    expect(shown.time).not_to_have_class(re.compile(r"\bpast\b"))

    shown.node("master").focus()
    visited.page.keyboard.press("ArrowRight")
    visited.page.keyboard.press("ArrowRight")
    visited.page.keyboard.press("Enter")
    expect(shown.node("keeper-1")).to_have_attribute("aria-pressed", "true")

    shown.button("restart").click()
    expect(visited.page.locator(".dfs-notice.error")).to_contain_text("only a dead keeper can be restarted")

    expect(running).to_have_count(1)
    visited.page.get_by_role("tab", name="Files").click()
    visited.page.locator(".dfs-sample select").select_option("color-waves.mp4")
    shown.button("upload-sample").click()
    expect(shown.python).to_contain_text("color-waves.mp4: 604 kB")
    expect(visited.page.locator(".dfs-notice.ended")).to_contain_text("This cluster is closed")
    expect(shown.button("upload-sample")).to_be_disabled()
    expect(running).to_have_count(0)
    keep(visited, f"dashboard-{ui}-closed")
    visited.check()


def test_a_saved_notebook_that_nobody_trusts_shows_the_dashboard_as_it_was(browser: Browser, tmp_path: Path) -> None:
    """As in a fresh clone: no widget may run there, and drawings are images, since SVG would leave its words only."""
    shutil.copy(REPO / "notebooks" / LABORATORY, tmp_path)
    with server("notebook", tmp_path) as running:
        visited = visit(browser, running.url(LABORATORY))
        page = visited.page
        expect(page.get_by_text("Not Trusted")).to_be_visible()
        drawings = page.locator(".dfs-static img")
        for number in range(3):
            drawings.nth(number).scroll_into_view_if_needed()
            expect(drawings.nth(number)).to_be_visible()
            assert drawings.nth(number).evaluate("image => image.naturalWidth") > 500
        assert page.get_by_text("Error displaying widget").count() == 0
        visited.check()
        page.close()


def test_it_works_in_voila(open_notebook: Opener) -> None:
    visited = open_notebook("voila", [START.format(n=6, files=4), "cluster.dashboard()"])
    shown = Shown(visited)

    shown.node("keeper-1").click()
    shown.button("kill").click()

    expect(shown.rows(FILE, "keeper-1")).to_contain_text("✗ dead")
    expect(shown.summary).to_contain_text("5 of 6 keepers alive")
    expect(shown.summary).to_contain_text("4 files, each with 3 live copies or more")
    keep(visited, "dashboard-voila")
    assert [url for url in visited.external if not url.startswith(VOILAS_OWN)] == []


def test_fifty_keepers_in_a_dark_theme(open_notebook: Opener) -> None:
    cells = [START.format(n=50, files=40), "cluster.dashboard()"]
    visited = open_notebook("lab", cells, theme="JupyterLab Dark", width=1500)
    shown = Shown(visited)
    expect(visited.page.locator(".dfs-topology .node")).to_have_count(52)

    shown.node("keeper-37").click()
    shown.button("kill").click()
    expect(shown.node("keeper-37")).to_have_class(re.compile(r"\bdead\b"))
    expect(shown.summary).to_contain_text("49 of 50 keepers alive")
    expect(shown.summary).to_contain_text("40 files, each with 3 live copies or more")

    keep(visited, "dashboard-lab-dark-50-keepers")
    visited.check()
