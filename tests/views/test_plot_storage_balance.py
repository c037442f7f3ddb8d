"""Bytes a keeper."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from dfslab.core.trace import Kind
from dfslab.views.plots.replica_looks import CORRUPT, LOOKS, OUT_OF_REACH, VALID

from .looks import boxes, draw, legend_is_beside, legend_texts, overlaps, texts
from .story import MB, Story


@pytest.fixture
def story() -> Story:
    """keeper-1 has 6 MB, keeper-2 4 MB of which 2 are bad, keeper-3 is dead with 4 MB, keeper-10 is empty."""
    story = Story(["keeper-1", "keeper-2", "keeper-3", "keeper-10"])
    story.commit("a.mp4", "v1", "keeper-1", "keeper-3", size=4 * MB)
    story.commit("b.mp4", "v2", "keeper-1", "keeper-2", size=2 * MB)
    story.commit("c.mp4", "v3", "keeper-2", size=2 * MB)
    story.corrupt("v3", "keeper-2")
    story.at(7.0).dies("keeper-3")
    return story


def bars(ax: Axes) -> dict[str, list[tuple[float, float]]]:
    """Return bottom and height of each bar, by state."""
    containers = [one for one in ax.containers if isinstance(one, BarContainer)]
    return {str(one.get_label()): [(bar.get_y(), bar.get_height()) for bar in one] for one in containers}


def names(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_xticklabels()]


def test_bars_are_stacked_by_the_state_of_the_replicas(story: Story) -> None:
    ax = story.plots().storage_balance()
    assert names(ax) == ["keeper-1", "keeper-2", "keeper-3\n(dead)", "keeper-10"]
    found = bars(ax)
    assert list(found) == [LOOKS[code].words for code in (VALID, OUT_OF_REACH, CORRUPT)]
    assert found[LOOKS[VALID].words] == [(0, 6), (0, 2), (0, 0), (0, 0)]
    assert found[LOOKS[OUT_OF_REACH].words][2] == (0, 4)
    assert found[LOOKS[CORRUPT].words][1] == (2, 2)


def test_states_other_than_valid_are_hatched_each_in_its_own_way() -> None:
    hatches = [look.hatch for look in LOOKS[VALID + 1 :]]
    assert all(hatches)
    assert len(set(hatches)) == len(hatches)


def test_the_mean_of_the_live_keepers_is_a_line_that_says_how_uneven_it_is(story: Story) -> None:
    ax = story.plots().storage_balance()
    (line,) = ax.lines
    assert line.get_ydata()[0] == pytest.approx(10 / 3)  # type: ignore[index]
    assert legend_texts(ax)[0] == "mean of 3 live keepers: 3.33 MB\n(fullest / mean = 1.80)"


def test_a_decommissioned_keeper_is_gone(story: Story) -> None:
    story.note("master", Kind.KEEPER_DECOMMISSIONED, peer="keeper-10")
    assert names(story.plots().storage_balance()) == ["keeper-1", "keeper-2", "keeper-3\n(dead)"]


def test_it_has_a_title_axis_names_with_units_and_a_legend_beside_the_data(story: Story) -> None:
    ax = story.plots().storage_balance()
    draw(ax)
    assert ax.get_title(loc="left") == "Storage balance at 7.0 s"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("data keeper", "stored replicas (MB)")
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] > 6
    assert legend_is_beside(ax)


@pytest.mark.parametrize("size", [None, (5.0, 3.0)])
def test_fifty_keepers_are_readable(size: tuple[float, float] | None) -> None:
    story = Story([f"keeper-{number}" for number in range(1, 51)])
    for number in range(1, 51):
        story.commit(f"file-{number}", f"v{number}", f"keeper-{number}", size=number * MB)
    story.dies("keeper-7")
    ax = story.plots().storage_balance(ax=Figure(figsize=size, layout="constrained").subplots() if size else None)
    draw(ax)
    assert len(names(ax)) > 10
    assert overlaps(boxes(ax.get_xticklabels())) == 0


def test_without_replicas_it_says_so() -> None:
    for story in (Story(), Story(["keeper-1"])):
        ax = story.plots().storage_balance()
        draw(ax)
        assert texts(ax) == ["nothing is stored yet"]
