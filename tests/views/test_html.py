"""What a notebook shows for a cell that ends with a cluster."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from dfslab.core.history import Table
from dfslab.views.html import cluster_html

from .story import MB, Story

VOID = {"br", "hr", "img", "meta"}


class Page(HTMLParser):
    """Reads HTML strictly: each tag closed in order; collects texts, rows and tags."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


@pytest.fixture
def story() -> Story:
    story = Story(["keeper-1", "keeper-2", "keeper-10"])
    story.commit("a.mp4", "v1", "keeper-1", "keeper-2", "keeper-10", size=5 * MB)
    story.commit("b.mp4", "v2", "keeper-1", "keeper-10", size=2 * MB)
    return story


STATES = {"keeper-1": "running", "keeper-2": "running", "keeper-10": "running"}


def test_each_keeper_has_a_row_with_what_the_master_sees_and_what_is_really_so(story: Story) -> None:
    story.dies("keeper-2")
    states = {**STATES, "keeper-2": "running", "keeper-10": "paused"}
    page = Page(cluster_html("lab", "master tracker at 127.0.0.1:4000", story.table, states, 3))
    assert page.rows == [
        ["keeper", "master sees", "really", "replicas", "stored"],
        ["keeper-1", "● alive", "● running", "2", "7 MB"],
        ["keeper-2", "✗ dead", "● running", "1", "5 MB"],
        ["keeper-10", "● alive", "‖ paused", "2", "7 MB"],
    ]
    assert "lab" in page.text
    assert "master tracker at 127.0.0.1:4000" in page.text


@pytest.mark.parametrize(
    ("dead", "replicas", "says"),
    [
        ([], 2, "2 files, 7 MB: all with 2 live copies or more"),
        ([], 3, "2 files, 7 MB: 1 short of 3 live copies"),
        (["keeper-1", "keeper-10"], 1, "2 files, 7 MB: 1 short of 1 live copy, 1 unavailable"),
        (["keeper-1", "keeper-2", "keeper-10"], 3, "2 files, 7 MB: 2 short of 3 live copies, 2 unavailable"),
    ],
)
def test_it_says_how_many_files_are_short(story: Story, dead: list[str], replicas: int, says: str) -> None:
    for keeper in dead:
        story.dies(keeper)
    assert says in Page(cluster_html("lab", "here", story.table, STATES, replicas)).text


def test_a_closed_cluster_is_one_line() -> None:
    page = Page(cluster_html("lab", "closed", None, {}, 3))
    assert page.text == "dfslab cluster lab: closed"


def test_an_empty_table_says_that_there_are_no_files() -> None:
    page = Page(cluster_html("lab", "here", Table(), {}, 3))
    assert "no files yet" in page.text
    assert "table" not in page.tags


def test_a_keeper_that_the_master_does_not_know_has_a_row_too() -> None:
    page = Page(cluster_html("lab", "master tracker dead", Table(), {"keeper-1": "dead"}, 3))
    assert page.rows[1] == ["keeper-1", "○ unknown", "✗ dead", "0", "0 B"]


def test_texts_are_escaped_and_there_is_no_script() -> None:
    story = Story(["<script>alert('x')</script>"])
    source = cluster_html("<b>", "a & b '\"", story.table, {"</td>": "<i>"}, 3)
    page = Page(source)
    assert not page.tags & {"script", "i", "style", "link"}
    assert "<b>: a & b '\"" in page.text
    assert "<script>alert('x')</script>" in [row[0] for row in page.rows]


def test_fifty_keepers_stand_in_tables_side_by_side() -> None:
    names = [f"keeper-{number}" for number in range(1, 51)]
    source = cluster_html("lab", "here", Story(names).table, dict.fromkeys(names, "running"), 3)
    page = Page(source)
    assert [row[0] for row in page.rows if row[0] != "keeper"] == names
    assert source.count("<table") == 3
    assert "flex-wrap" in source


def test_it_sets_no_colour_so_that_it_reads_on_light_and_dark_pages(story: Story) -> None:
    source = cluster_html("lab", "here", story.table, STATES, 3)
    assert re.findall(r"(?<!-)\bcolor:(\w+)", source) == ["inherit"]
    assert set(re.findall(r"background:(\w+)", source)) == {"none"}
