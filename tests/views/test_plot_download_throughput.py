"""Throughput over the number of keepers that served."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from dfslab.core.links import Link
from dfslab.core.trace import Kind
from dfslab.views.plots import Plots

from .looks import draw, legend_is_beside, legend_texts, texts
from .story import MB, Story


@pytest.fixture
def story() -> Story:
    """Downloads from one keeper at 10, 20 and 60 MB/s, from three at 40 MB/s."""
    story = Story()
    for rate in (10, 60, 20):
        story.downloaded("a.mp4", 1, rate)
    story.downloaded("a.mp4", 3, 40)
    return story


def points(ax: Axes) -> list[tuple[int, float]]:
    """Return the number of keepers and the rate of each point."""
    (scatter,) = (one for one in ax.collections if isinstance(one, PathCollection))
    return [(round(float(x)), round(float(y), 6)) for x, y in np.asarray(scatter.get_offsets())]


def bars(ax: Axes, label: str) -> list[list[list[float]]]:
    (bar,) = (one for one in ax.collections if isinstance(one, LineCollection) and one.get_label() == label)
    return [np.round(segment, 6).tolist() for segment in bar.get_segments()]


def test_each_finished_download_is_a_point_above_its_number_of_keepers(story: Story) -> None:
    assert points(story.plots().download_throughput()) == [(1, 10), (1, 60), (1, 20), (3, 40)]


def test_points_of_one_number_lie_side_by_side(story: Story) -> None:
    ax = story.plots().download_throughput()
    (scatter,) = (one for one in ax.collections if isinstance(one, PathCollection))
    x = np.asarray(scatter.get_offsets())[:3, 0]
    assert len(set(x.tolist())) == 3
    assert np.abs(x - 1).max() < 0.2


def test_the_medians_are_joined_by_a_line(story: Story) -> None:
    (line,) = story.plots().download_throughput().lines
    assert line.get_label() == "median"
    assert list(np.asarray(line.get_xdata())) == [1, 3]
    assert list(np.asarray(line.get_ydata())) == pytest.approx([20, 40])


def test_the_spread_is_shown_where_there_are_several(story: Story) -> None:
    ax = story.plots().download_throughput()
    assert bars(ax, "slowest to fastest") == [[[1, 10], [1, 60]]]
    assert bars(ax, "middle half") == [[[1, 15], [1, 40]]]


def test_each_number_of_keepers_tells_how_many_downloads_it_had(story: Story) -> None:
    ax = story.plots().download_throughput()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1\n(n=3)", "2", "3\n(n=1)"]
    assert list(ax.get_xticks()) == [1, 2, 3]
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] > 60


def test_it_has_a_title_axis_names_with_units_and_a_legend_beside_the_data(story: Story) -> None:
    ax = story.plots().download_throughput()
    draw(ax)
    assert ax.get_title(loc="left") == "Parallel download (a.mp4)"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("keepers that served the download", "throughput (MB/s)")
    assert legend_texts(ax) == ["slowest to fastest", "middle half", "one download", "median"]
    assert legend_is_beside(ax)


def test_single_downloads_have_no_spread_to_explain() -> None:
    story = Story()
    story.downloaded("a.mp4", 2, 30)
    assert legend_texts(story.plots().download_throughput()) == ["one download", "median"]


def test_a_name_leaves_the_downloads_of_other_files_out(story: Story) -> None:
    story.downloaded("b.mp4", 2, 99)
    ax = story.plots().download_throughput(name="b.mp4")
    assert points(ax) == [(2, 99)]
    assert ax.get_title(loc="left") == "Parallel download (b.mp4)"
    assert story.plots().download_throughput().get_title(loc="left") == "Parallel download (2 files)"


def test_a_download_that_moved_nothing_has_no_rate() -> None:
    story = Story()
    story.note("client", Kind.DOWNLOAD_DONE, file_name="empty", seconds=0.1, holders=0)
    assert texts(story.plots().download_throughput()) == ["no downloads yet"]


def test_without_downloads_it_says_so(story: Story) -> None:
    ax = Story().plots().download_throughput()
    draw(ax)
    assert texts(ax) == ["no downloads yet"]
    assert ax.get_title(loc="left") == "Parallel download"
    assert texts(story.plots().download_throughput(name="c.mp4")) == ["no downloads of c.mp4 yet"]


def test_it_draws_on_axes_that_it_is_given_and_returns_them(story: Story) -> None:
    ax = Figure(layout="constrained").subplots()
    assert story.plots().download_throughput(ax=ax) is ax
    assert len(ax.lines) == 1


def full_download(story: Story, holders: int, seconds: float) -> None:
    """Tell of a download of 60 MB from its first line to its last."""
    request = story.note("client", Kind.DOWNLOAD_REQUESTED, file_name="a.mp4")
    about = {"file_name": "a.mp4", "version": "v1", "bytes": 60 * MB, "cause": request}
    keepers = [f"keeper-{number}" for number in range(1, holders + 1)]
    story.note("client", Kind.DOWNLOAD_STARTED, holders=keepers, **about)
    story.at(story.now + seconds).note("client", Kind.DOWNLOAD_DONE, seconds=seconds, holders=holders, **about)


def curve(ax: Axes) -> list[tuple[float, float]]:
    (line,) = (line for line in ax.lines if line.get_label() == "predicted")
    return [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]


def test_the_predicted_curve_is_what_the_links_in_force_allow() -> None:
    story = Story()
    full_download(story, 1, 3.1)
    full_download(story, 3, 1.1)
    source = story.source(link=Link(rate_mb_s=20), n=3)
    ax = Plots(source).download_throughput(predict=True)
    assert [holders for holders, _ in curve(ax)] == [1, 2, 3]
    assert [rate for _, rate in curve(ax)] == pytest.approx([20, 40, 60], rel=0.05)
    assert legend_texts(ax)[-2:] == ["predicted range", "predicted"]
    assert ax.get_ylim()[1] > 60
    draw(ax)
    assert legend_is_beside(ax)


def test_a_client_whose_link_was_changed_flattens_the_curve() -> None:
    story = Story()
    story.fault("set_link", "client", rate_mb_s=30)
    story.at(1.0)
    full_download(story, 3, 2.1)
    ax = Plots(story.source(link=Link(rate_mb_s=20), n=3)).download_throughput(predict=True)
    assert [rate for _, rate in curve(ax)] == pytest.approx([20, 30, 30], rel=0.06)


def test_where_no_link_sets_a_rate_the_legend_says_that_there_is_no_prediction() -> None:
    story = Story()
    full_download(story, 2, 1.0)
    ax = story.plots().download_throughput(predict=True)
    assert legend_texts(ax)[-1] == "no prediction:\nno link sets a rate"
