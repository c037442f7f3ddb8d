"""The documentation site: it is built without a warning, whole, and its pages need nothing from elsewhere."""

from __future__ import annotations

import functools
import http.server
import importlib
import inspect
import re
import shutil
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

import dfslab
from dfslab import exercises
from dfslab.core.policies import POLICIES
from dfslab.views.plots import Plots
from tests.browser.jupyter import ARGUMENTS, visit

REPO = Path(__file__).resolve().parents[2]
MODULES = ("dfslab", "dfslab.cluster", "dfslab.bench", "dfslab.exercises", "dfslab.predict", "dfslab.sim")
FETCHED = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("object", "data"),
}
"""What a browser fetches when it shows a page; of a `link`, it depends on its `rel`."""
FETCHED_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect"}


@dataclass
class Page(HTMLParser):
    """The anchors of a page, where it links to, and what it fetches."""

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    fetched: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag == "link" and FETCHED_LINKS & set(found.get("rel", "").split()):
            self.fetched.add(found["href"])
        self.fetched |= {value for name, value in found.items() if (tag, name) in FETCHED}

    def leads_to(self, link: str) -> tuple[Path, str]:
        """Return the file and the anchor of a relative link."""
        parts = urlsplit(link)
        file = self.path.parent.joinpath(unquote(parts.path)).resolve() if parts.path else self.path
        return file, unquote(parts.fragment)


def is_relative(link: str) -> bool:
    return not urlsplit(link).scheme and not link.startswith("//")


@dataclass
class Site:
    """A built site."""

    root: Path
    said: str

    @functools.cached_property
    def pages(self) -> dict[Path, Page]:
        return {path: Page(path) for path in sorted(self.root.rglob("*.html"))}

    @functools.cached_property
    def names(self) -> set[str]:
        """The names of Python that are documented."""
        packed = (self.root / "objects.inv").read_bytes().split(b"\n", 4)[4]
        return {line.split(" ")[0] for line in zlib.decompress(packed).decode().splitlines() if " py:" in line}

    def text(self, name: str) -> str:
        return (self.root / name).read_text("utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    (command,) = re.findall(r"^\t\$\(BIN\)/python (-m sphinx .*)$", (REPO / "Makefile").read_text(), re.MULTILINE)
    arguments = command.replace("build/doctrees", str(folder / "doctrees")).replace("build/docs", str(folder / "site"))

    done = subprocess.run(
        [sys.executable, *arguments.split()], cwd=REPO, capture_output=True, text=True, timeout=300, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    return Site(folder / "site", done.stdout)


pytestmark = pytest.mark.timeout(300)  # whichever test comes first builds the site


def test_warnings_are_errors_and_there_are_none(site: Site) -> None:
    (command,) = re.findall(r"^\t\$\(BIN\)/python (-m sphinx .*)$", (REPO / "Makefile").read_text(), re.MULTILINE)
    assert {"-W", "--keep-going", "-n"} <= set(command.split())
    assert (REPO / ".gitignore").read_text().splitlines().count("/build/") == 1
    assert site.root.joinpath("docs", "index.html").is_file()


def test_every_relative_link_and_every_anchor_leads_somewhere(site: Site) -> None:
    broken = []
    for page in site.pages.values():
        for link in filter(is_relative, page.links | page.fetched):
            file, anchor = page.leads_to(link)
            known = site.pages.get(file)
            if not file.is_file() or (anchor and known and anchor not in known.anchors):
                broken.append((page.path.relative_to(site.root).as_posix(), link))

    assert broken == []
    assert sum(len(page.links) for page in site.pages.values()) > 1000


def test_no_page_links_to_a_file_that_is_only_in_the_repository(site: Site) -> None:
    """README.md and ARCHITECTURE.md link to each other and to the notebooks by files; here these are pages."""
    linked = {link for page in site.pages.values() for link in page.links if is_relative(link)}

    assert [link for link in linked if re.search(r"\.(md|rst|ipynb)(#|$)", link)] == []
    for name in ("README.html", "ARCHITECTURE.html"):
        page = site.pages[site.root / name]
        ways = {page.leads_to(link)[0].relative_to(site.root).as_posix() for link in page.links if is_relative(link)}
        assert {"docs/security.html", "docs/gallery.html", "CHANGELOG.html"} <= ways


def test_no_page_fetches_anything_from_elsewhere(site: Site) -> None:
    elsewhere = {link for page in site.pages.values() for link in page.fetched if not is_relative(link)}
    styles = [path.read_text("utf-8") for path in site.root.rglob("*.css")]
    outside = re.compile(r"(?:url\(|@import)\s*['\"]?(https?:[^'\")]*)")
    imported = {found for style in styles for found in outside.findall(style)}

    assert {link for link in elsewhere if not link.startswith("data:")} == set()
    assert imported == set()


def test_every_public_name_is_in_the_reference(site: Site) -> None:
    public = {f"{name}.{one}" for name in MODULES for one in importlib.import_module(name).__all__}
    public |= {f"dfslab.samples.{name}" for name in ("videos", "make_video")}
    for prefix, kind in (
        ("dfslab.cluster.Cluster", dfslab.cluster.Cluster),
        ("dfslab.Client", dfslab.Client),
        ("dfslab.Download", dfslab.Download),
        ("dfslab.views.plots.Plots", Plots),
    ):
        public |= {f"{prefix}.{name}" for name, _ in inspect.getmembers(kind) if not name.startswith("_")}
    for kind_of_policy in POLICIES.values():
        public |= {f"{policy.__module__}.{policy.__qualname__}" for policy in kind_of_policy.values()}

    assert sorted(public - site.names) == []


def test_every_error_is_in_the_reference(site: Site) -> None:
    errors = {
        f"dfslab.errors.{name}"
        for name, kind in vars(dfslab.errors).items()
        if isinstance(kind, type) and issubclass(kind, dfslab.DfsError) and kind is not dfslab.DfsError
    }

    assert len(errors) > 40
    assert sorted(errors - site.names) == []


def test_every_notebook_is_a_tutorial_with_its_pictures(site: Site) -> None:
    tutorials = site.pages[site.root / "docs" / "tutorials" / "index.html"]
    linked = {tutorials.leads_to(link)[0] for link in filter(is_relative, tutorials.links)}
    notebooks = sorted((REPO / "notebooks").glob("*.ipynb"))

    assert len(notebooks) >= 3
    for notebook in notebooks:
        page = site.root / "notebooks" / f"{notebook.stem}.html"
        assert page in linked
        assert notebook.read_text("utf-8").count('"image/png"') == page.read_text("utf-8").count('alt="../_images/')


def test_formulas_are_mathml_and_need_no_script(site: Site) -> None:
    page = site.text("notebooks/04_heartbeats_and_failure_detection.html")

    assert page.count("<math") >= 3
    assert {link for page in site.pages.values() for link in page.fetched if "mathjax" in link.lower()} == set()


def test_no_page_gives_a_solution_away(site: Site) -> None:
    notebooks = [(path.stem, path.read_text("utf-8")) for path in (REPO / "notebooks").glob("*.ipynb")]

    assert sum(text.count("### BEGIN SOLUTION") for _, text in notebooks) >= 3
    for stem, text in notebooks:
        shown = site.text(f"notebooks/{stem}.html")
        assert shown.count("YOUR CODE HERE") >= text.count("### BEGIN SOLUTION")
    assert [path for path, page in site.pages.items() if "BEGIN SOLUTION" in page.path.read_text("utf-8")] == []


def test_every_exercise_and_every_command_is_in_the_reference(site: Site) -> None:
    catalog, commands = site.text("docs/reference/catalog.html"), site.text("docs/reference/commands.html")

    for name in exercises.names():
        assert f">{name}</span>" in catalog
        for check in exercises.exercise(name).checks:
            assert check.name.split("`")[0].split("'")[0].strip() in catalog
    for command in ("master", "keeper", "put", "get", "fsck", "restore", "sim"):
        assert f'id="dfslab-{command}"' in commands


def test_the_landing_page_leads_to_four_parts_each_of_which_says_what_it_is_for(site: Site) -> None:
    landing = site.pages[site.root / "docs" / "index.html"]
    linked = {landing.leads_to(link)[0] for link in filter(is_relative, landing.links)}

    for part in ("tutorials", "howto", "reference", "explanation"):
        page = site.root / "docs" / part / "index.html"
        assert page in linked
        assert sum(map(len, re.findall(r"<p>(.*?)</p>", page.read_text("utf-8"), re.DOTALL))) > 200
    assert "url=docs/index.html" in site.text("index.html")


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a folder on this machine; yield its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_reader_finds_a_tutorial_from_the_front_page_and_a_name_by_searching(site: Site) -> None:
    chromium = shutil.which("chromium")
    assert chromium, "there is no program named chromium on the PATH; `make browser` installs it"
    with served(site.root) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        visited = visit(browser, f"{address}/index.html", height=900)
        page = visited.page

        page.locator(".sd-card", has_text="Tutorials").click()
        page.get_by_role("link", name=re.compile("^Quickstart")).last.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Quickstart")
        assert page.locator("article img").evaluate_all("all => all.every(one => one.naturalWidth > 100)")

        page.get_by_role("textbox").first.fill("wait_for_replicas")
        page.keyboard.press("Enter")
        expect(page.locator("ul.search li").first).to_be_visible()
        visited.check()
        browser.close()
