"""Live copies over time."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dfslab.core.errors import NoSuchFile
from dfslab.core.links import Link
from dfslab.core.trace import TraceEvent
from dfslab.views.plots import Plots
from dfslab.views.plots.replication_timeline import APART, MAX_LINES
from dfslab.views.source import Source

from .looks import boxes, draw, fault_labels, fault_spans, legend_is_beside, legend_texts, overlaps, texts
from .story import Story

KEEPERS = [f"keeper-{number}" for number in range(1, 7)]


@pytest.fixture
def story() -> Story:
    """Two files; a keeper with a copy of each is killed, found dead, and replaced."""
    story = Story(KEEPERS)
    story.at(0.5).commit("a.mp4", "v1", "keeper-1", "keeper-2", "keeper-3")
    story.at(1.0).commit("b.mp4", "v2", "keeper-1", "keeper-4", "keeper-5")
    story.at(4.0).fault("kill", "keeper-1")
    story.at(7.0).dies("keeper-1")
    story.at(7.5).record("v1", "keeper-6")
    story.at(8.0).record("v2", "keeper-6")
    story.at(11.0).fault("restart", "keeper-1")
    story.at(20.0)
    return story


def line_of(ax: Axes, label: str) -> Line2D:
    (line,) = (line for line in ax.lines if line.get_label() == label)
    return line


def steps_of(line: Line2D) -> list[tuple[float, float]]:
    assert line.get_drawstyle() == "steps-post"
    x, y = line.get_data()
    return list(zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True))


def test_each_file_is_a_step_line_of_its_live_copies_up_to_now(story: Story) -> None:
    ax = story.plots().replication_timeline()
    up = APART / 2
    assert steps_of(line_of(ax, "a.mp4")) == [(0.5, 3 + up), (7.0, 2 + up), (7.5, 3 + up), (20.0, 3 + up)]
    assert steps_of(line_of(ax, "b.mp4")) == [(1.0, 3 - up), (7.0, 2 - up), (8.0, 3 - up), (20.0, 3 - up)]


def test_one_file_alone_is_not_shifted(story: Story) -> None:
    ax = story.plots().replication_timeline(name="b.mp4")
    assert steps_of(line_of(ax, "b.mp4")) == [(1.0, 3), (7.0, 2), (8.0, 3), (20.0, 3)]
    assert legend_texts(ax) == ["goal: 3 copies", "b.mp4"]
    assert ax.get_title(loc="left") == "Live copies of b.mp4"


def test_lines_lie_close_to_their_whole_number_and_never_on_each_other(story: Story) -> None:
    for number in range(MAX_LINES - 2):
        story.commit(f"more-{number}", f"w{number}", *KEEPERS[1:4])
    ax = story.plots().replication_timeline()
    ends = [steps_of(line)[-1][1] for line in ax.lines if line.get_drawstyle() == "steps-post"]
    assert len(ends) == len(set(ends)) == MAX_LINES
    assert all(abs(end - 3) < 0.25 for end in ends)


def test_the_goal_is_a_dashed_line(story: Story) -> None:
    goal = line_of(story.plots(replicas=2).replication_timeline(), "goal: 2 copies")
    assert list(np.asarray(goal.get_ydata())) == [2, 2]
    assert goal.get_linestyle() == "--"


def test_a_fault_is_a_shaded_band_with_its_name_on_top(story: Story) -> None:
    ax = story.plots().replication_timeline()
    assert fault_spans(ax) == {"dead": [(4.0, 11.0)]}
    assert [label.get_text() for label in fault_labels(ax)] == ["keeper-1 dead"]


def test_many_files_are_told_by_the_fewest_the_median_and_a_band() -> None:
    story = Story(KEEPERS)
    story.at(1.0)
    for number in range(MAX_LINES + 1):
        story.commit(f"file-{number}", f"v{number}", *KEEPERS[: 1 + (number > 0) + (number > 3) + (number > 7)])
    story.at(5.0).dies("keeper-2")
    story.at(10.0)
    ax = story.plots().replication_timeline()
    assert legend_texts(ax) == ["goal: 3 copies", "fewest to most", "median of 9 files", "fewest"]
    assert steps_of(line_of(ax, "median of 9 files")) == [(1.0, 3), (5.0, 2), (10.0, 2)]
    assert steps_of(line_of(ax, "fewest")) == [(1.0, 1), (5.0, 1), (10.0, 1)]
    (band,) = (one for one in ax.collections if isinstance(one, PolyCollection))
    assert set(np.asarray(band.get_paths()[0].vertices)[:, 1].tolist()) == {1.0, 3.0, 4.0}


def test_a_deleted_file_ends_and_is_named_as_deleted(story: Story) -> None:
    story.at(21.0).delete("a.mp4", "v1")
    story.at(22.0)
    ax = story.plots().replication_timeline()
    assert legend_texts(ax) == ["goal: 3 copies", "a.mp4 (deleted)", "b.mp4"]
    assert np.isnan(steps_of(line_of(ax, "a.mp4 (deleted)"))[-1][1])


def test_it_has_a_title_and_axis_names_with_units_and_whole_numbers_of_copies(story: Story) -> None:
    ax = story.plots().replication_timeline()
    draw(ax)
    assert ax.get_title(loc="left") == "Live copies of each file"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time since the start (s)", "live copies")
    assert ax.get_xlim() == (0.0, 20.0)
    low, high = ax.get_ylim()
    assert low < 0
    assert high > 3
    assert all(float(tick).is_integer() for tick in ax.get_yticks())
    assert legend_is_beside(ax)


def test_a_file_that_came_late_is_not_squeezed_into_the_end_of_the_picture() -> None:
    story = Story(KEEPERS)
    story.at(600.0).commit("late", "v1", "keeper-1")
    story.at(660.0)
    left, right = story.plots().replication_timeline().get_xlim()
    assert 590 < left < 600
    assert right == 660


def test_the_table_before_a_bounded_trace_is_counted_in(story: Story) -> None:
    ax = story.plots(capacity=4).replication_timeline(name="a.mp4")
    assert steps_of(line_of(ax, "a.mp4"))[0] == (7.0, 2)


def test_events_that_fall_out_of_the_trace_while_it_is_read_are_counted_in_once(story: Story) -> None:
    trace = story.trace(capacity=len(story.events))
    late = Story()
    late.at(21.0).commit("late", "v9", "keeper-2")

    def events() -> list[TraceEvent]:
        before = trace.events()
        trace.extend(late.events)
        late.events.clear()
        return before

    ax = Plots(Source(events, trace.table, lambda: 22.0)).replication_timeline()
    assert trace.dropped
    assert legend_texts(ax) == ["goal: 3 copies", "a.mp4", "b.mp4", "late"]


def test_labels_know_how_wide_the_axes_are_beside_a_long_legend() -> None:
    story = Story(KEEPERS)
    story.at(0.5).commit("a-name-that-is-rather-long.mp4", "v3", "keeper-2")
    for moment in (10.0, 16.0, 30.0):
        story.at(moment).fault("kill", "keeper-2")
    ax = Figure(figsize=(6, 4), layout="constrained").subplots()
    story.plots().replication_timeline(ax=ax)
    draw(ax)
    assert overlaps(boxes(fault_labels(ax))) == 0


def test_without_files_it_says_so() -> None:
    ax = Story(KEEPERS).at(3.0).plots().replication_timeline()
    assert texts(ax) == ["no files yet"]


def test_a_cluster_that_has_only_just_started_can_be_drawn() -> None:
    ax = Story().plots().replication_timeline()
    draw(ax)
    assert texts(ax) == ["no files yet"]


def test_an_unknown_file_is_an_error_that_says_so(story: Story) -> None:
    with pytest.raises(NoSuchFile, match=r"c\.mp4"):
        story.plots().replication_timeline(name="c.mp4")


def test_it_draws_on_axes_that_it_is_given_and_returns_them(story: Story) -> None:
    for layout in ("constrained", None):
        ax = Figure(layout=layout).subplots()
        assert story.plots().replication_timeline(ax=ax) is ax
        assert len(ax.lines) == 3


def predicted(ax: Axes) -> dict[str, list[tuple[float, float]]]:
    """Return from when to when each kind of thing was predicted."""
    bars = [one for one in ax.collections if str(one.get_label()).startswith("predicted")]
    corners = {str(bar.get_label()): [np.asarray(path.vertices)[:, 0] for path in bar.get_paths()] for bar in bars}
    return {label: [(round(min(x), 6), round(max(x), 6)) for x in these] for label, these in corners.items()}


def test_a_prediction_is_shaded_below_the_data_with_a_name_in_the_legend(story: Story) -> None:
    source = story.source(link=Link(rate_mb_s=20), n=6)
    ax = Plots(source).replication_timeline(predict=True)
    found = predicted(ax)
    assert found["predicted: declared dead"] == [(5.9, 7.2)]
    ((begin, end),) = found["predicted: whole again"]
    assert 5.9 < begin < 7.2 < end < 8.0, "two copies of 1 MB at 20 MB/s"
    assert legend_texts(ax)[-2:] == ["predicted: declared dead", "predicted: whole again"]
    assert min(ax.get_yticks()) == 0
    draw(ax)
    assert legend_is_beside(ax)
    assert predicted(Plots(source).replication_timeline()) == {}


def test_without_rates_of_links_only_the_death_is_predicted(story: Story) -> None:
    assert list(predicted(story.plots().replication_timeline(predict=True))) == ["predicted: declared dead"]


def test_a_file_alone_has_the_predictions_of_deaths_that_cost_it_a_copy(story: Story) -> None:
    story.commit("c.mp4", "v3", "keeper-3", "keeper-4", "keeper-5")
    source = story.source(link=Link(rate_mb_s=20), n=6)
    assert "predicted: whole again" in predicted(Plots(source).replication_timeline(name="a.mp4", predict=True))
    assert "predicted: whole again" not in predicted(Plots(source).replication_timeline(name="c.mp4", predict=True))
