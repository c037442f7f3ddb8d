"""What was done to the nodes: a shaded band from its beginning to its end, with its name on top."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from dfslab.core.faults import ACTIONS
from dfslab.views.faults import faults_of
from dfslab.views.plots.fault_bands import LOOKS, shade_faults

from .looks import boxes, draw, fault_labels, fault_spans, fault_times, overlaps
from .story import Story

KEEPERS = [f"keeper-{number}" for number in range(1, 7)]


def shaded(story: Story, size: tuple[float, float] = (8.0, 4.0)) -> Axes:
    ax = Figure(figsize=size, layout="constrained").subplots()
    ax.set_xlim(0.0, story.now)
    ax.set_title("A title", loc="left")
    shade_faults(ax, story.events)
    return ax


def labels(ax: Axes) -> list[str]:
    return [label.get_text() for label in fault_labels(ax)]


@pytest.fixture
def story() -> Story:
    """One fault of every kind, some of which never end."""
    story = Story(KEEPERS)
    story.at(4.0).fault("kill", "keeper-1")
    story.at(11.0).fault("restart", "keeper-1")
    story.at(12.0).fault("partition", a=["keeper-1", "keeper-2"], b=KEEPERS[2:])
    story.at(14.0).fault("heal")
    story.at(15.0).fault("set_link", "keeper-3", rate_mb_s=5, delay_ms=50, jitter_ms=0, loss=0)
    story.at(18.0).fault("set_link", "keeper-3", restored=True)
    story.at(19.0).fault("fill_disk", "keeper-4")
    story.at(22.0).fault("kill", "master")
    story.at(24.0).fault("restart", "master")
    story.at(25.0).fault("pause", "keeper-6")
    story.at(27.0).fault("drop_heartbeats", "keeper-5")
    return story.at(40.0)


def test_each_fault_is_shaded_from_its_beginning_to_its_end_or_to_now(story: Story) -> None:
    assert fault_spans(shaded(story)) == {
        "dead": [(4.0, 11.0), (22.0, 24.0)],
        "paused": [(25.0, 40.0)],
        "partitioned": [(12.0, 14.0)],
        "link changed": [(15.0, 18.0)],
        "disk full": [(19.0, 40.0)],
        "heartbeats dropped": [(27.0, 40.0)],
    }


def test_a_band_has_an_edge_where_it_begins_and_one_where_it_has_ended(story: Story) -> None:
    ax = shaded(story)
    assert fault_times(ax, "begins") == [4.0, 12.0, 15.0, 19.0, 22.0, 25.0, 27.0]
    assert fault_times(ax, "ends") == [11.0, 14.0, 18.0, 24.0]


def test_every_fault_that_lasts_has_a_look_that_differs_in_more_than_its_colour() -> None:
    assert set(LOOKS) == {kind.begins for kind in ACTIONS.values() if kind.begins}
    assert len({look.hatch for look in LOOKS.values()}) == len(LOOKS)
    assert len({str(look.dashes) for look in LOOKS.values()}) == len(LOOKS)


def test_each_kind_is_drawn_with_its_own_hatch(story: Story) -> None:
    bands = {str(one.get_label()).removeprefix("_"): one for one in shaded(story).collections if one.get_hatch()}
    assert {what: band.get_hatch() for what, band in bands.items()} == {
        what: look.hatch for what, look in LOOKS.items()
    }


def test_the_bands_are_so_faint_that_data_stays_readable(story: Story) -> None:
    ax = shaded(story)
    bands = [one for one in ax.collections if isinstance(one, PolyCollection)]
    assert all(np.asarray(band.get_facecolor())[0, 3] <= 0.15 for band in bands)
    assert max(band.get_zorder() for band in bands) < 2


def test_the_label_says_who_and_what(story: Story) -> None:
    assert labels(shaded(story, (14.0, 5.0))) == [
        "keeper-1 dead",
        "apart: keeper-1, 2 | 4 nodes",
        "keeper-3 5 MB/s, 50 ms",
        "keeper-4 disk full",
        "master dead",
        "keeper-6 paused",
        "keeper-5 heartbeats dropped",
    ]


def test_what_has_no_duration_is_a_line(story: Story) -> None:
    story.fault("corrupt", "keeper-2")
    story.at(44.0).fault("add_keeper", "keeper-7")
    story.at(50.0)
    ax = shaded(story, (14.0, 5.0))
    assert fault_times(ax, "begins")[-2:] == [40.0, 44.0]
    assert labels(ax)[-2:] == ["corrupt 2", "add 7"], "of many, names are short"
    assert sum(map(len, fault_spans(ax).values())) == 7


def test_a_link_that_changes_again_is_two_bands_with_two_labels() -> None:
    story = Story()
    story.at(1.0).fault("set_link", "keeper-1", rate_mb_s=5)
    story.at(5.0).fault("set_link", "keeper-1", rate_mb_s=20, loss=0.1)
    story.at(9.0).fault("set_link", "client", other="keeper-1", delay_ms=10)
    ax = shaded(story.at(12.0), (14.0, 5.0))
    assert fault_spans(ax) == {"link changed": [(1.0, 5.0), (5.0, 12.0), (9.0, 12.0)]}
    assert labels(ax) == ["keeper-1 5 MB/s", "keeper-1 20 MB/s, 10 % lost", "client ↔ keeper-1 10 ms"]


def test_one_way_partitions_show_the_way() -> None:
    story = Story().at(1.0)
    story.fault("partition", a=["keeper-1"], b=["master"], one_way=True)
    assert labels(shaded(story.at(5.0))) == ["apart: keeper-1 → master"]


def test_the_same_done_to_several_nodes_at_once_has_one_label() -> None:
    story = Story(KEEPERS).at(20.0)
    for keeper in ("keeper-3", "keeper-2"):
        story.fault("kill", keeper)
    story.at(25.0).fault("restart", "keeper-3")
    for keeper in KEEPERS:
        story.at(40.0).fault("pause", keeper)
    ax = shaded(story.at(60.0))
    assert labels(ax) == ["keeper-2, 3 dead", "6 nodes paused"]
    assert fault_spans(ax)["dead"] == [(20.0, 25.0), (20.0, 60.0)]


def test_a_fault_that_began_before_the_picture_is_shaded_from_its_left_edge(story: Story) -> None:
    ax = Figure(layout="constrained").subplots()
    ax.set_xlim(5.0, 10.0)
    shade_faults(ax, story.events)
    assert fault_spans(ax) == {"dead": [(5.0, 10.0)]}
    assert labels(ax) == ["keeper-1 dead"]


@pytest.mark.parametrize(("pairs", "named"), [(2, 2), (6, 6), (12, 12)])
def test_labels_of_many_faults_stay_clear_of_data_title_and_each_other(pairs: int, named: int) -> None:
    story = Story(KEEPERS)
    for number in range(pairs):
        story.at(20.0 + 42.0 / pairs * number).fault("kill", KEEPERS[number % 6])
        story.at(21.3 + 42.0 / pairs * number).fault("restart", KEEPERS[number % 6])
    ax = shaded(story.at(70.0))
    draw(ax)
    assert len(fault_times(ax, "begins")) == pairs
    assert len(fault_labels(ax)) == named
    assert overlaps([*boxes(fault_labels(ax)), *boxes([ax._left_title])]) == 0  # type: ignore[attr-defined]
    assert all(label.y0 >= ax.bbox.y1 - 1 for label in boxes(fault_labels(ax)))


@pytest.mark.parametrize("size", [(12.0, 6.0), (6.0, 4.0), (3.0, 2.0)])
def test_labels_stay_over_axes_of_any_size(story: Story, size: tuple[float, float]) -> None:
    ax = shaded(story, size)
    draw(ax)
    assert overlaps([*boxes(fault_labels(ax)), *boxes([ax._left_title])]) == 0  # type: ignore[attr-defined]
    assert max(label.x1 for label in boxes(fault_labels(ax))) <= ax.bbox.x1 + 12
    assert ax.bbox.height > 0.3 * ax.figure.bbox.height, "and leave most of the room to the data"


def test_a_thousand_faults_cost_no_more_than_a_few_artists() -> None:
    story = Story(KEEPERS)
    for number in range(1000):
        story.at(float(number)).fault("pause", KEEPERS[number % 6])
        story.at(number + 0.5).fault("resume", KEEPERS[number % 6])
    ax = shaded(story)
    assert len(fault_spans(ax)["paused"]) == 1000
    assert len(ax.get_children()) < 150


def test_labels_on_a_dark_figure_are_light() -> None:
    story = Story().at(1.0)
    story.fault("kill", "keeper-1")
    with pyplot.style.context("dark_background"):
        _, ax = pyplot.subplots(layout="constrained")
        ax.set_xlim(0, 5)
        shade_faults(ax, story.events)
    assert to_hex(fault_labels(ax)[0].get_color()) == "#ffffff"


def test_an_action_that_this_version_does_not_know_is_a_line_with_its_name() -> None:
    story = Story().at(1.0)
    story.fault("earthquake", "keeper-1")
    assert [fault.label() for fault in faults_of(story.events)] == ["earthquake keeper-1"]


def test_of_many_faults_the_edges_are_faint() -> None:
    story = Story(KEEPERS)
    for number in range(40):
        story.at(float(number)).fault("pause", KEEPERS[number % 6])
        story.at(number + 0.5).fault("resume", KEEPERS[number % 6])
    ax = shaded(story)
    (edges,) = (one for one in ax.collections if one.get_label() == "_paused begins")
    assert len(fault_times(ax, "begins")) == 40
    assert np.asarray(edges.get_edgecolor())[0, 3] < 0.5
