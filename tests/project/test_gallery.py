"""The gallery shows every picture, drawn from the trace that is in the repository."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import dfslab
from dfslab.views.plots import Plots

REPO = Path(__file__).resolve().parents[2]
GALLERY = REPO / "docs" / "gallery"
PAGE = REPO / "docs" / "gallery.md"


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, REPO / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where its dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery made anew."""
    folder = tmp_path_factory.mktemp("docs")
    tool("make_gallery").make(folder)
    return folder


def pictures_of(page: Path) -> list[str]:
    return re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text("utf-8"))


def test_the_page_is_what_make_gallery_writes(made: Path) -> None:
    assert (made / "gallery.md").read_text("utf-8") == PAGE.read_text("utf-8"), "it is stale: run `make gallery`"


def test_every_picture_of_plots_is_in_the_page() -> None:
    shown = set(re.findall(r"`lesson\.plot\.(\w+)\(.*\)`", PAGE.read_text("utf-8")))
    assert shown == {name for name in vars(Plots) if not name.startswith("_")}


def test_every_picture_of_the_page_is_made_and_is_in_the_repository(made: Path) -> None:
    files = pictures_of(PAGE)
    assert len(files) == len(set(files)) > 10
    for file in files:
        assert (made / file).read_bytes().startswith(b"\x89PNG")
        assert (PAGE.parent / file).read_bytes().startswith(b"\x89PNG")
    assert {f"gallery/{path.name}" for path in GALLERY.glob("*.png")} == set(files), "and no other is left there"


def test_every_picture_has_two_sentences_or_three_on_how_to_read_it() -> None:
    for part in PAGE.read_text("utf-8").split("\n## ")[1:]:
        words = part.split("\n\n")[1]
        assert 2 <= len(re.findall(r"[.:](?:\s|$)", words)) <= 5, words


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in GALLERY.glob("*.png")) < 1_500_000
    assert (GALLERY / "trace.jsonl").stat().st_size < 1_000_000


def test_its_trace_names_no_machine_and_tells_of_all_that_the_page_says() -> None:
    text = (GALLERY / "trace.jsonl").read_text("utf-8")
    lesson = dfslab.replay(GALLERY / "trace.jsonl")
    assert set(re.findall(r'"(/[^/"]+/[^/"]+)', text)) == {"/srv/dfslab"}
    actions = {event.detail["action"] for event in lesson.source.events() if event.kind == "fault"}
    assert {"kill", "restart", "pause", "resume", "corrupt", "partition", "heal", "set_link"} <= actions
    assert lesson.setup.link.rate_mb_s == 20
    downloads = lesson.transfers().query("kind == 'download' and file_name == 'lectures/clip.mp4'")
    assert {1, 2, 3} <= {len(served.split(",")) for served in downloads.source}


def test_the_lesson_behaves_as_the_page_says() -> None:
    """Rates add up with the holders, deaths come when predicted, and in the end every file is whole."""
    lesson = dfslab.replay(GALLERY / "trace.jsonl")
    downloads = lesson.transfers().query("kind == 'download' and file_name == 'lectures/clip.mp4'")
    rates = downloads.groupby(downloads.source.str.count(",") + 1).throughput_mb_s.median()
    assert [rates[holders] for holders in (1, 2, 3)] == pytest.approx([20, 40, 60], rel=0.05)
    deaths = lesson.compare().query("quantity == 'detection'")
    assert len(deaths) == 2
    assert deaths.within.all()
    assert (lesson.files().state == "ok").all()
