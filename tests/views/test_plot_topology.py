"""Who is there, and what moves between them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from dfslab.core.errors import InvalidOption
from dfslab.core.trace import Kind
from dfslab.views.plots.topology import CUT_AT, LOOKS, MASTER_AT, _places
from dfslab.views.style import VERMILLION
from dfslab.views.under_way import UnderWay, fold_under_way

from .looks import boxes, draw, legend_is_beside, legend_texts, overlaps, texts
from .story import MB, Story
from .test_plot_download_chunks import KEEPERS as HOLDERS
from .test_plot_download_chunks import download


def names(count: int) -> list[str]:
    return [f"keeper-{number}" for number in range(1, count + 1)]


@pytest.fixture
def story() -> Story:
    """Six keepers; one dead, one frozen, one draining; an upload and a copy under way."""
    story = Story(names(6))
    story.commit("a.mp4", "v1", "keeper-1", "keeper-3", size=4 * MB)
    story.commit("b.mp4", "v2", "keeper-1", size=2 * MB)
    story.at(1.0).fault("kill", "keeper-2")
    story.at(4.0).dies("keeper-2")
    story.drains("keeper-4")
    story.fault("pause", "keeper-5")
    story.at(5.0).copy_ordered("c1", "v2", "keeper-1", "keeper-6", bytes=2 * MB, file_name="b.mp4")
    story.note("keeper-6", Kind.PROGRESS, peer="keeper-1", bytes=MB // 2, copy="c1", total=2 * MB)
    story.note("client", Kind.UPLOAD_REQUESTED, file_name="c.mp4", bytes=MB, transfer="t1")
    story.note("client", Kind.UPLOAD_STARTED, file_name="c.mp4", version="v3", peer="keeper-3", bytes=MB, transfer="t1")
    return story.at(6.0)


def marks(ax: Axes) -> list[tuple[tuple[float, float], str, float]]:
    """Return place, colour and area of each node."""
    found = [one for one in ax.collections if isinstance(one, PathCollection)]
    places = [tuple(np.asarray(one.get_offsets())[0].tolist()) for one in found]
    return [
        (place, to_hex(np.asarray(one.get_facecolor())[0]), float(one.get_sizes()[0]))
        for place, one in zip(places, found, strict=True)
    ]


def ring(ax: Axes) -> list[tuple[tuple[float, float], str, float]]:
    return [mark for mark in marks(ax) if math.isclose(math.hypot(*mark[0]), 1.0)]


def arrows(ax: Axes) -> int:
    return sum(1 for one in ax.texts if isinstance(one, Annotation) and one.arrow_patch is not None)


def test_keepers_are_on_a_ring_clockwise_and_master_and_client_within(story: Story) -> None:
    ax = story.plots().topology()
    angles = [math.degrees(math.atan2(y, x)) % 360 for (x, y), _, _ in ring(ax)]
    assert [round(angle) for angle in angles] == [90, 30, 330, 270, 210, 150]
    assert len(marks(ax)) == 8
    assert {"master", "client"} <= set(texts(ax))


def test_a_state_is_told_by_shape_colour_and_word(story: Story) -> None:
    ax = story.plots().topology()
    assert [colour for _, colour, _ in ring(ax)] == [
        to_hex(LOOKS[state].face) for state in ("alive", "dead", "alive", "draining", "alive", "alive")
    ]
    assert len({look.marker for look in LOOKS.values()}) == len(LOOKS)
    labels = {text.split("\n")[0]: text.split("\n")[1:] for text in texts(ax) if "\n" in text}
    assert labels["keeper-1"] == ["alive", "6.0 MB, 2 replicas"]
    assert labels["keeper-2"] == ["dead", "0.0 MB, 0 replicas"]
    assert labels["keeper-3"] == ["alive", "4.0 MB, 1 replica"]
    assert labels["keeper-5"][0] == "alive, paused"


def test_a_killed_master_is_told_as_dead(story: Story) -> None:
    story.fault("kill", "master")
    assert "master dead" in texts(story.plots().topology())


def test_the_mark_is_the_larger_the_more_is_stored(story: Story) -> None:
    areas = [area for _, _, area in ring(story.plots().topology())]
    assert areas[0] > areas[2] > areas[5]


def test_what_is_under_way_is_known_with_its_progress(story: Story) -> None:
    assert fold_under_way(story.events) == [
        UnderWay("copy", "keeper-1", "keeper-6", "b.mp4", MB // 2, 2 * MB),
        UnderWay("upload", "client", "keeper-3", "c.mp4", 0, MB),
    ]


def test_a_download_under_way_comes_from_all_its_holders() -> None:
    story = Story(HOLDERS)
    request = download(story)
    moving = [(one.source, one.target, one.done_bytes) for one in fold_under_way(story.events)]
    assert moving == [("keeper-1", "client", 2 * MB), ("keeper-2", "client", MB), ("keeper-10", "client", MB)]
    story.note("client", Kind.DOWNLOAD_DONE, cause=request, seconds=1.0, holders=3)
    assert fold_under_way(story.events) == []


def test_an_arrow_for_each_transfer_says_how_far_it_is(story: Story) -> None:
    ax = story.plots().topology()
    assert arrows(ax) == 2
    assert {"25 %", "0 %"} <= set(texts(ax))


def test_a_past_moment_is_drawn_as_it_was(story: Story) -> None:
    ax = story.plots().topology(at=2.0)
    assert ax.get_title(loc="left") == "Topology at 2.0 s"
    assert arrows(ax) == 0
    assert any(text.startswith("keeper-2\nalive, killed") for text in texts(ax)), (
        "killed, and the master does not know yet"
    )
    with pytest.raises(InvalidOption, match="at"):
        story.plots().topology(at=99.0)


def test_a_partition_is_named_beside_the_picture_while_it_lasts(story: Story) -> None:
    story.fault("partition", a=["keeper-1"], b=["keeper-2", "keeper-3"])
    assert legend_texts(story.plots().topology())[-1] == "apart: keeper-1 | keeper-2, 3"
    story.fault("heal")
    assert not legend_texts(story.plots().topology())[-1].startswith("apart")


def test_a_bar_lies_across_the_way_to_each_keeper_that_is_cut_off_from_the_master(story: Story) -> None:
    story.fault("partition", a=["keeper-1", "keeper-3"], b=["master", "keeper-6"])
    ax = story.plots().topology()

    places, (x, y) = _places(names(6), []), MASTER_AT
    bars = [line for line in ax.lines if to_hex(line.get_color()) == to_hex(VERMILLION)]
    for bar, (to_x, to_y) in zip(bars, (places["keeper-1"], places["keeper-3"]), strict=True):
        middle = x + CUT_AT * (to_x - x), y + CUT_AT * (to_y - y)
        assert np.asarray(bar.get_xydata())[0] == pytest.approx(middle)

    story.fault("heal")
    story.fault("partition", a=["keeper-1"], b=["keeper-2"])
    assert not story.plots().topology().lines, "between keepers there is no way drawn that it could lie across"


@pytest.mark.parametrize("count", [1, 2, 6, 14, 15, 50])
@pytest.mark.parametrize("size", [None, (5.5, 3.6)])
def test_it_is_readable_for_any_number_of_keepers(count: int, size: tuple[float, float] | None) -> None:
    story = Story(names(count))
    story.commit("a.mp4", "v1", "keeper-1", size=123 * MB)
    story.dies(f"keeper-{count}")
    ax = story.plots().topology(ax=Figure(figsize=size, layout="constrained").subplots() if size else None)
    draw(ax)
    labels = boxes(text for text in ax.texts if text.get_text().startswith("keeper-"))
    assert len(labels) == count
    if count <= 14 and size is None:
        assert overlaps(labels) == 0
    page = ax.bbox.padded(3)
    assert all(label.x0 >= page.x0 and label.x1 <= page.x1 for label in labels), "the ring leaves room for them"
    assert all(label.y0 >= page.y0 and label.y1 <= page.y1 for label in labels)
    assert legend_is_beside(ax)


def test_labels_along_the_radius_stay_clear_of_each_other() -> None:
    ax = Story(names(50)).plots().topology()
    draw(ax)
    labels = [text for text in ax.texts if text.get_text().startswith("keeper-")]
    middles = [ax.transData.transform(text.xy) for text in labels if isinstance(text, Annotation)]
    gaps = [math.dist(one, other) for one, other in itertools.pairwise(middles)]
    size = float(labels[0].get_fontsize()) * ax.figure.dpi / 72
    assert min(gaps) > size, "there is more than a line between neighbours"


def test_it_writes_nothing_to_the_log(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    draw(story.plots().topology())
    assert caplog.records == []


def test_without_keepers_it_says_so() -> None:
    ax = Story().plots().topology()
    draw(ax)
    assert texts(ax) == ["no keepers yet"]
