"""A download chunk by chunk."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D

from dfslab.core.errors import InvalidOption
from dfslab.core.links import Link
from dfslab.core.trace import Kind
from dfslab.views.plots import Plots
from dfslab.views.plots.download_chunks import LOOKS

from .looks import boxes, draw, fault_spans, legend_is_beside, legend_texts, overlaps, texts
from .story import MB, Story

KEEPERS = ["keeper-1", "keeper-2", "keeper-10"]


def download(story: Story, name: str = "a.mp4") -> str:
    """Tell of a download of 4 MB in four chunks: chunk 1 fails once, chunk 3 is hedged; from `now` on, for 1 s."""
    start = story.now
    request = story.note("client", Kind.DOWNLOAD_REQUESTED, file_name=name)
    fields = {"file_name": name, "version": "v1", "bytes": 4 * MB, "cause": request, "holders": KEEPERS}
    cause = story.note("client", Kind.DOWNLOAD_STARTED, **fields)
    for keeper, chunk, begin, end, outcome in (
        ("keeper-2", 1, 0.0, 0.1, "failed"),
        ("keeper-1", 0, 0.0, 0.4, "ok"),
        ("keeper-2", 1, 0.1, 0.5, "ok"),
        ("keeper-10", 2, 0.0, 0.6, "ok"),
        ("keeper-1", 3, 0.4, 0.8, "ok"),
        ("keeper-2", 3, 0.5, 0.9, "duplicate"),
        ("keeper-10", 3, 0.6, 0.95, "cancelled"),
    ):
        kind = Kind.CHUNK_FETCHED if outcome in ("ok", "duplicate") else Kind.CHUNK_FAILED
        detail = {"offset": chunk * MB, "start_s": start + begin, "end_s": start + end, "outcome": outcome}
        story.at(start + end)
        story.note("client", kind, peer=keeper, bytes=MB, cause=cause, reason="", **detail)
    story.at(start + 1.0)
    return request


@pytest.fixture
def story() -> Story:
    """One download, still running."""
    story = Story(KEEPERS)
    story.at(2.0)
    download(story)
    return story


def bars(ax: Axes) -> dict[str, list[tuple[float, float, float]]]:
    """Return begin, end and lane of each bar, by kind."""
    found = {}
    for kind, look in LOOKS.items():
        for one in ax.collections:
            if isinstance(one, PolyCollection) and one.get_label() == look.words:
                corners = [np.asarray(path.vertices) for path in one.get_paths()]
                found[kind] = [(round(c[:, 0].min(), 6), round(c[:, 0].max(), 6), c[:, 1].mean()) for c in corners]
    return {
        kind: [(float(a), float(b), round(float(lane) + 0.076, 0)) for a, b, lane in these]
        for kind, these in found.items()
    }


def rate_lines(ax: Axes) -> dict[str, Line2D]:
    (twin,) = (one for one in ax.figure.axes if one is not ax and one.bbox.bounds == ax.bbox.bounds)
    return {str(line.get_label()): line for line in twin.lines}


def points(line: Line2D) -> list[tuple[float, float]]:
    return [(round(float(x), 6), round(float(y), 6)) for x, y in np.asarray(line.get_xydata())]


def test_each_request_is_a_bar_in_its_keepers_lane(story: Story) -> None:
    ax = story.plots().download_chunks()
    assert [label.get_text() for label in ax.get_yticklabels()] == KEEPERS
    assert bars(ax) == {
        "ok": [(2.0, 2.4, 0.0), (2.0, 2.6, 2.0), (2.4, 2.8, 0.0)],
        "again": [(2.1, 2.5, 1.0)],
        "duplicate": [(2.5, 2.9, 1.0)],
        "failed": [(2.0, 2.1, 1.0)],
        "cancelled": [(2.6, 2.95, 2.0)],
    }


def test_an_outcome_is_told_by_a_sign_with_the_chunks_number(story: Story) -> None:
    written = texts(story.plots().download_chunks())
    assert sorted(written) == sorted(["✗1", "0", "↻1", "2", "3", "=3", "⊘3"])
    assert len({look.sign for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.hatch for look in LOOKS.values() if look.hatch}) == len(LOOKS) - 2


def test_the_rate_so_far_is_what_had_arrived_over_the_time_since_it_was_asked_for(story: Story) -> None:
    rate = rate_lines(story.plots().download_chunks())["rate so far"]
    assert points(rate) == [(2.0, 0.0), (2.4, 2.5), (2.5, 4.0), (2.6, 5.0), (2.8, 5.0)]


def test_the_ceiling_is_all_holders_links_together_or_the_clients_if_that_is_less(story: Story) -> None:
    link = Link(rate_mb_s=20)
    assert "ceiling of the links" not in rate_lines(story.plots().download_chunks())
    line = rate_lines(Plots(story.source(link=link)).download_chunks())["ceiling of the links"]
    assert {y for _, y in points(line)} == {60.0}
    assert line.is_dashed()

    other = Story(KEEPERS)
    other.fault("set_link", "client", rate_mb_s=30)
    other.at(2.0)
    download(other)
    line = rate_lines(Plots(other.source(link=link)).download_chunks())["ceiling of the links"]
    assert {y for _, y in points(line)} == {30.0}


def test_a_link_that_changes_meanwhile_moves_the_ceiling(story: Story) -> None:
    story.events.insert(-2, story.events[-1].__class__("x", 2.3, "lab", Kind.FAULT, peer="keeper-2", detail={
        "action": "set_link", "rate_mb_s": 5.0}))  # fmt: skip
    ax = Plots(story.source(link=Link(rate_mb_s=20))).download_chunks()
    assert points(rate_lines(ax)["ceiling of the links"]) == [(2.0, 60.0), (2.3, 45.0), (3.0, 45.0)]
    assert fault_spans(ax)["link changed"][0][0] == 2.3


def test_rates_are_drawn_above_the_lanes_where_no_bar_is(story: Story) -> None:
    ax = story.plots().download_chunks()
    (twin,) = (one for one in ax.figure.axes if one is not ax)
    draw(ax)
    floor = twin.transData.transform((0.0, 0.0))[1]
    tops = [ax.transData.transform(path.vertices)[:, 1].max() for one in ax.collections[:5] for path in one.get_paths()]
    assert floor >= max(tops) - 1
    assert twin.get_ylabel() == "rate (MB/s)"


def test_the_newest_download_is_shown_unless_another_is_named(story: Story) -> None:
    first = download(story, "b.mp4")
    download(story, "c.mp4")
    plots = story.plots()
    titles = [plots.download_chunks(download=one).get_title(loc="left") for one in (None, -1, 0, 1, first)]
    names = [title.removeprefix("Download of ").split(",")[0] for title in titles]
    assert names == ["c.mp4", "c.mp4", "a.mp4", "b.mp4", "b.mp4"]


@pytest.mark.parametrize("wrong", [1, -2, "client.1:99", True, 0.0])
def test_a_download_that_is_not_there_is_an_error_that_says_which_are(story: Story, wrong: int) -> None:
    with pytest.raises(InvalidOption, match="download"):
        story.plots().download_chunks(download=wrong)


def test_its_title_says_whether_it_is_over(story: Story) -> None:
    assert story.plots().download_chunks().get_title(loc="left") == "Download of a.mp4, 4.0 MB, still running"
    request = download(story)
    story.note("client", Kind.DOWNLOAD_FAILED, file_name="a.mp4", cause=request, reason="all lost")
    assert story.plots().download_chunks().get_title(loc="left") == "Download of a.mp4, 4.0 MB, which failed"


def test_it_has_axis_names_and_a_legend_that_covers_neither_data_nor_the_rates_axis(story: Story) -> None:
    ax = Plots(story.source(link=Link(rate_mb_s=20))).download_chunks()
    draw(ax)
    (twin,) = (one for one in ax.figure.axes if one is not ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time since the start (s)", "data keeper")
    assert legend_texts(ax)[-2:] == ["rate so far", "ceiling of the links"]
    assert legend_is_beside(ax)
    legend = ax.get_legend()
    assert legend is not None
    names = boxes([*twin.get_yticklabels(), twin.yaxis.label])
    assert all(not name.overlaps(legend.get_window_extent()) for name in names)
    assert overlaps(boxes([*twin.get_yticklabels(), twin.yaxis.label, ax._left_title])) == 0  # type: ignore[attr-defined]


def test_a_running_download_without_a_chunk_says_so() -> None:
    story = Story(KEEPERS)
    story.note("client", Kind.DOWNLOAD_REQUESTED, file_name="a.mp4")
    ax = story.at(1.0).plots().download_chunks()
    draw(ax)
    assert texts(ax) == ["no chunk has arrived yet"]


def test_without_downloads_it_says_so() -> None:
    ax = Story(KEEPERS).plots().download_chunks()
    draw(ax)
    assert texts(ax) == ["no downloads yet"]


def test_numbers_that_have_no_room_are_left_out_and_signs_are_not(story: Story) -> None:
    assert set(texts(story.at(60.0).plots().download_chunks())) == {"✗", "↻", "=", "⊘"}


def test_times_late_in_a_trace_are_written_in_full(story: Story) -> None:
    story.at(5000.0)
    download(story)
    ax = story.plots().download_chunks()
    draw(ax)
    assert ax.xaxis.get_offset_text().get_text() == ""
    assert all(float(label.get_text()) >= 4999 for label in ax.get_xticklabels())
