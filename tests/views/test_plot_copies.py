"""The copies made between keepers, as bars."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from dfslab.core.errors import NoSuchFile
from dfslab.views.plots.copies_made import LOOKS, MOST_LANES

from .looks import boxes, draw, fault_spans, legend_is_beside, legend_texts, overlaps, texts
from .story import Story

KEEPERS = [f"keeper-{number}" for number in range(1, 7)]


@pytest.fixture
def story() -> Story:
    """One copy that arrives, one that fails, one on its way; a keeper is dead meanwhile."""
    story = Story(KEEPERS)
    story.at(1.0).commit("a.mp4", "v1", "keeper-1")
    story.copy_ordered("c1", "v1", "keeper-1", "keeper-2", file_name="a.mp4")
    story.at(2.5).copy_done("c1", "v1", "keeper-1", "keeper-2")
    story.at(3.0).fault("kill", "keeper-3")
    story.copy_ordered("c2", "v1", "keeper-2", "keeper-3", file_name="a.mp4")
    story.at(4.0).copy_failed("c2", "v1", "keeper-2", "keeper-3")
    story.at(5.0).commit("b.mp4", "v2", "keeper-4")
    story.copy_ordered("c3", "v2", "keeper-4", "keeper-5", file_name="b.mp4")
    return story.at(8.0)


def bars(ax: Axes) -> dict[str, list[tuple[float, float, float]]]:
    """Return begin, end and lane of each bar, by what its look says."""
    words = {look.words for look in LOOKS.values()}
    found: dict[str, list[tuple[float, float, float]]] = {}
    for one in ax.collections:
        if isinstance(one, PolyCollection) and one.get_label() in words:
            corners = [np.asarray(path.vertices) for path in one.get_paths()]
            found[str(one.get_label())] = [
                (float(c[:, 0].min()), float(c[:, 0].max()), round(float((c[:, 1].min() + c[:, 1].max()) / 2), 6))
                for c in corners
            ]
    return found


def lane_names(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_each_copy_is_a_bar_from_its_order_to_its_end_in_a_lane_of_its_own(story: Story) -> None:
    ax = story.plots().copies()
    assert lane_names(ax) == ["keeper-1 → 2", "keeper-2 → 3", "keeper-4 → 5"]
    assert bars(ax) == {
        "arrived": [(1.0, 2.5, 0.0)],
        "came to nothing (✗)": [(3.0, 4.0, 1.0)],
        "on its way (…)": [(5.0, 8.0, 2.0)],
    }


def test_an_outcome_is_told_by_hatch_and_sign_and_not_by_colour_alone(story: Story) -> None:
    assert len({look.hatch for look in LOOKS.values()}) == len({look.sign for look in LOOKS.values()}) == len(LOOKS)
    assert [text.strip() for text in texts(story.plots().copies())[:3]] == ["a.mp4", "✗ a.mp4", "… b.mp4"]


def test_a_name_leaves_the_copies_of_other_files_out(story: Story) -> None:
    ax = story.plots().copies(name="b.mp4")
    assert lane_names(ax) == ["keeper-4 → 5"]
    assert ax.get_title(loc="left") == "Copies of b.mp4 made"
    with pytest.raises(NoSuchFile, match=r"c\.mp4"):
        story.plots().copies(name="c.mp4")


def test_many_copies_share_a_lane_a_target_and_none_covers_another(story: Story) -> None:
    for number in range(MOST_LANES):
        story.copy_ordered(f"d{number}", "v2", "keeper-4", f"keeper-{5 + number % 2}", file_name="b.mp4")
    ax = story.at(9.0).plots().copies()
    assert lane_names(ax) == ["keeper-2", "keeper-3", "keeper-5", "keeper-6"]
    waiting = [lane for _, _, lane in bars(ax)["on its way (…)"]]
    assert len(set(waiting)) == len(waiting) == MOST_LANES + 1
    assert all(1.5 < lane < 3.5 for lane in waiting)


def test_it_has_a_title_axis_names_with_units_faults_and_a_legend_beside_the_data(story: Story) -> None:
    ax = story.plots().copies()
    draw(ax)
    assert ax.get_title(loc="left") == "Copies made between keepers"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time since the start (s)", "from → to")
    assert legend_texts(ax) == ["arrived", "on its way (…)", "came to nothing (✗)"]
    assert legend_is_beside(ax)
    assert fault_spans(ax)["dead"] == [(3.0, 8.0)]
    assert overlaps(boxes([*ax.get_yticklabels(), *ax.texts])) == 0


def test_a_past_moment_has_the_copies_of_then(story: Story) -> None:
    from dfslab.views.plots import Plots

    assert bars(Plots(story.source().at(3.5)).copies()) == {
        "arrived": [(1.0, 2.5, 0.0)],
        "on its way (…)": [(3.0, 3.5, 1.0)],
    }


def test_without_copies_it_says_so() -> None:
    ax = Story(KEEPERS).plots().copies()
    draw(ax)
    assert texts(ax) == ["no copies yet"]


def test_it_draws_on_axes_that_it_is_given_and_returns_them(story: Story) -> None:
    ax = Figure(layout="constrained").subplots()
    assert story.plots().copies(ax=ax) is ax
