"""The matrix of files and keepers."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from dfslab.core.errors import InvalidOption
from dfslab.views.plots.replica_looks import COPYING, CORRUPT, DROPPING, LOOKS, NONE, OUT_OF_REACH, VALID

from .looks import boxes, draw, legend_is_beside, legend_texts, overlaps, texts
from .story import Story


def cells(ax: Axes) -> list[list[int]]:
    (mesh,) = (one for one in ax.collections if isinstance(one, QuadMesh))
    array = mesh.get_array()
    assert array is not None
    return np.asarray(array).tolist()  # type: ignore[no-any-return]


def column_names(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_xticklabels()]


def row_names(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


@pytest.fixture
def story() -> Story:
    story = Story(["keeper-1", "keeper-2", "keeper-3", "keeper-10"])
    story.commit("b.mp4", "v1", "keeper-1", "keeper-2", "keeper-10")
    story.commit("a.mp4", "v2", "keeper-1", "keeper-3", "keeper-10")
    story.corrupt("v2", "keeper-3")
    story.drop("v2", "keeper-1")
    story.at(12.34).dies("keeper-2")
    return story


def test_each_cell_shows_the_state_of_a_replica(story: Story) -> None:
    ax = story.plots().lookup_table()
    assert row_names(ax) == ["a.mp4", "b.mp4"]
    assert column_names(ax) == ["keeper-1", "keeper-2\n(dead)", "keeper-3", "keeper-10"]
    assert cells(ax) == [[DROPPING, NONE, CORRUPT, VALID], [VALID, OUT_OF_REACH, NONE, VALID]]


def test_a_state_is_told_by_a_sign_of_its_own_and_not_by_colour_alone(story: Story) -> None:
    ax = story.plots().lookup_table()
    at = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in ax.texts}
    for row, codes in enumerate(cells(ax)):
        for column, code in enumerate(codes):
            assert at.get((row, column), "") == LOOKS[code].sign
    assert len({look.sign for look in LOOKS}) == len({look.face for look in LOOKS}) == len(LOOKS)


def test_each_row_ends_with_its_live_copies_and_the_goal(story: Story) -> None:
    ax = story.plots(replicas=2).lookup_table()
    assert [text for text in texts(ax) if " of " in text] == ["1 of 2", "2 of 2"]


def test_a_copy_on_its_way_fills_its_cell_until_it_has_arrived_or_was_given_up() -> None:
    story = Story(["keeper-1", "keeper-2", "keeper-3", "keeper-4"])
    story.commit("a.mp4", "v1", "keeper-1")
    for copy, keeper in (("c1", "keeper-2"), ("c2", "keeper-3"), ("c3", "keeper-4")):
        story.at(1.0).copy_ordered(copy, "v1", "keeper-1", keeper)
    story.at(2.0).copy_done("c1", "v1", "keeper-1", "keeper-2")
    story.at(3.0).copy_failed("c2", "v1", "keeper-1", "keeper-3")
    plots = story.at(4.0).plots()

    assert cells(plots.lookup_table()) == [[VALID, VALID, NONE, COPYING]]
    assert cells(plots.lookup_table(at=2.5)) == [[VALID, VALID, COPYING, COPYING]]
    assert cells(plots.lookup_table(at=0.5)) == [[VALID, NONE, NONE, NONE]]
    assert plots.lookup_table(at=2.5).get_title(loc="left") == "Lookup table at 2.5 s"


@pytest.mark.parametrize("at", [-1.0, 12.4, "noon", True])
def test_a_moment_outside_of_the_trace_is_an_error_that_names_it(story: Story, at: float) -> None:
    with pytest.raises(InvalidOption, match=r"at.*the trace covers 0 to 12\.3 s"):
        story.plots().lookup_table(at=at)


def test_the_column_of_a_dead_keeper_is_marked_by_words_and_weight(story: Story) -> None:
    ax = story.plots().lookup_table()
    bold = [label.get_text() for label in ax.get_xticklabels() if label.get_fontweight() == "bold"]
    assert bold == ["keeper-2\n(dead)"]


def test_a_draining_keeper_is_named_as_such_and_a_decommissioned_one_is_gone(story: Story) -> None:
    from dfslab.core.trace import Kind

    story.drains("keeper-3")
    story.registers("keeper-4")
    story.note("master", Kind.KEEPER_DECOMMISSIONED, peer="keeper-4")
    assert column_names(story.plots().lookup_table())[2:] == ["keeper-3\n(draining)", "keeper-10"]


def test_it_has_a_title_with_the_time_axis_names_and_a_legend_of_all_states(story: Story) -> None:
    ax = story.plots().lookup_table()
    draw(ax)
    assert ax.get_title(loc="left") == "Lookup table at 12.3 s"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("data keeper", "file")
    assert legend_texts(ax) == [look.words for look in LOOKS]
    assert legend_is_beside(ax)


@pytest.mark.parametrize("keepers", [0, 6])
def test_without_files_it_says_so(keepers: int) -> None:
    ax = Story([f"keeper-{number}" for number in range(1, keepers + 1)]).plots().lookup_table()
    draw(ax)
    assert texts(ax) == ["no files yet"]
    assert len(column_names(ax)) == keepers
    assert row_names(ax) == []


@pytest.mark.parametrize(("files", "keepers"), [(1, 1), (4, 6), (12, 8), (12, 9), (40, 20)])
def test_it_is_readable_from_one_cell_to_forty_files_on_twenty_keepers(files: int, keepers: int) -> None:
    names = [f"keeper-{number}" for number in range(1, keepers + 1)]
    story = Story(names)
    for number in range(files):
        holders = [names[(number + step) % keepers] for step in range(min(3, keepers))]
        story.commit(f"lectures/week-{number:02d}/video.mp4", f"v{number}", *holders)
    story.dies(names[-1])
    ax = story.plots().lookup_table()
    draw(ax)
    assert len(row_names(ax)) == files
    assert overlaps(boxes([*ax.get_xticklabels(), *ax.get_yticklabels(), ax.title])) == 0
    assert overlaps(boxes(ax.texts)) == 0
    assert min(float(text.get_fontsize()) for text in [*ax.texts, *ax.get_yticklabels()]) >= 6.0
    assert legend_is_beside(ax)


def test_hundreds_of_files_are_named_every_so_often() -> None:
    story = Story(["keeper-1"])
    for number in range(400):
        story.commit(f"file-{number:03d}", f"v{number}", "keeper-1")
    story.corrupt("v7", "keeper-1")
    ax = story.plots().lookup_table()
    draw(ax)
    assert len(cells(ax)) == 400
    assert 50 < len(row_names(ax)) < 200
    assert texts(ax) == ["✗"], "nothing is written into rows too low to read it but what is wrong"
    assert overlaps(boxes(ax.get_yticklabels())) == 0


def test_it_draws_on_axes_that_it_is_given_and_returns_them(story: Story) -> None:
    ax = Figure(figsize=(9, 3), layout="constrained").subplots()
    assert story.plots().lookup_table(ax=ax) is ax
    assert to_hex(ax.get_facecolor()) == "#ffffff"


def test_names_of_keepers_are_upright_where_there_is_no_room_side_by_side(story: Story) -> None:
    wide, narrow = story.plots().lookup_table(), Figure(figsize=(5, 3), layout="constrained").subplots()
    story.plots().lookup_table(ax=narrow)
    draw(narrow)
    assert {label.get_rotation() for label in wide.get_xticklabels()} == {0}
    assert {label.get_rotation() for label in narrow.get_xticklabels()} == {90}
    assert overlaps(boxes(narrow.get_xticklabels())) == 0
