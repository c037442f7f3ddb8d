"""The heartbeat raster."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from dfslab.core.trace import Kind
from dfslab.views.beats import fold_beats
from dfslab.views.plots.heartbeats import FINEST_POINTS
from dfslab.views.style import PREDICTED_RANGE

from .looks import boxes, draw, fault_spans, legend_is_beside, legend_texts, overlaps, texts
from .story import Story


def beat(story: Story, *keepers: str) -> None:
    for keeper in keepers:
        story.note("master", Kind.HEARTBEAT, peer=keeper, incarnation=1, free_bytes=1)


@pytest.fixture
def story() -> Story:
    """keeper-1 beats each second; keeper-2 falls silent at 2 s, is dead at 5 s, is back at 8 s; keeper-10 skips one."""
    story = Story(["keeper-1", "keeper-2", "keeper-10"])
    for second in range(1, 11):
        story.at(float(second))
        if second == 5:
            story.dies("keeper-2")
        if second == 8:
            story.registers("keeper-2", 2)
        beat(story, "keeper-1")
        if second <= 2 or second > 8:
            beat(story, "keeper-2")
        if second != 4:
            beat(story, "keeper-10")
    return story


def ticks(ax: Axes) -> list[tuple[float, float]]:
    """Return time and lane of each heartbeat drawn."""
    (raster,) = (one for one in ax.collections if isinstance(one, LineCollection) and one.get_label() == "heartbeats")
    return [(float(x), round(float((y0 + y1) / 2), 6)) for (x, y0), (_, y1) in raster.get_segments()]


def marks(ax: Axes, label: str) -> list[tuple[float, float]]:
    (line,) = (line for line in ax.lines if line.get_label() == label)
    return [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]


def shaded(ax: Axes, label: str) -> list[tuple[float, float, float]]:
    (band,) = (one for one in ax.collections if isinstance(one, PolyCollection) and one.get_label() == label)
    corners = [np.asarray(path.vertices) for path in band.get_paths()]
    return [(float(c[:, 0].min()), float(c[:, 0].max()), float(c[:4, 1].mean())) for c in corners]


def test_a_heartbeat_that_arrived_is_a_tick_in_its_keepers_line(story: Story) -> None:
    ax = story.plots().heartbeats()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["keeper-1", "keeper-2", "keeper-10"]
    assert [time for time, lane in ticks(ax) if lane == 0] == [float(second) for second in range(1, 11)]
    assert [time for time, lane in ticks(ax) if lane == 1] == [1.0, 2.0, 9.0, 10.0]


def test_a_heartbeat_that_did_not_arrive_is_a_cross_where_it_was_due(story: Story) -> None:
    assert marks(story.plots().heartbeats(), "heartbeat missed") == [(3.0, 1.0), (4.0, 1.0), (4.0, 2.0)]


def test_silence_of_more_than_one_and_a_half_intervals_is_suspicious_until_the_next_sign(story: Story) -> None:
    assert shaded(story.plots().heartbeats(), "suspected: silent for 1.5 intervals") == [
        (3.5, 5.0, 1.0),
        (4.5, 5.0, 2.0),
    ]


def test_a_keeper_is_held_for_dead_until_it_registers_again(story: Story) -> None:
    ax = story.plots().heartbeats()
    assert shaded(ax, "held for dead") == [(5.0, 8.0, 1.0)]
    assert (8.0, 1.0) in marks(ax, "registered")


def test_silence_and_death_that_last_are_shown_up_to_now() -> None:
    story = Story(["keeper-1", "keeper-2"])
    story.at(3.0).dies("keeper-1")
    ax = story.at(4.2).plots().heartbeats()
    assert shaded(ax, "held for dead") == [(3.0, 4.2, 0.0)]
    assert marks(ax, "heartbeat missed") == [(1.0, 0.0), (2.0, 0.0), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (4.0, 1.0)]


def test_a_decommissioned_keeper_is_not_expected_to_speak() -> None:
    story = Story(["keeper-1"])
    story.at(1.0).note("master", Kind.KEEPER_DECOMMISSIONED, peer="keeper-1")
    (told,) = fold_beats(Story().table, story.events, 1.0, 60.0)
    assert (told.missed, told.suspected, told.dead) == ([], [], [])


def test_a_little_jitter_is_no_missed_heartbeat() -> None:
    story = Story(["keeper-1"])
    for time_s in (1.04, 1.96, 3.05, 4.4, 5.0):
        beat(story.at(time_s), "keeper-1")
    (told,) = fold_beats(Story().table, story.events, 1.0, 5.5)
    assert told.missed == []


@pytest.mark.parametrize(("back", "missed"), [(2.9, [2.0]), (3.1, [2.0]), (3.6, [2.0, 3.0]), (4.0, [2.0, 3.0])])
def test_the_heartbeat_that_is_back_a_little_early_or_late_is_not_missed(back: float, missed: list[float]) -> None:
    story = Story(["keeper-1"])
    beat(story.at(1.0), "keeper-1")
    beat(story.at(back), "keeper-1")
    (told,) = fold_beats(Story().table, story.events, 1.0, back)
    assert told.missed == missed


def test_what_fell_out_of_a_bounded_trace_is_taken_from_the_table_before(story: Story) -> None:
    trace = story.trace(capacity=3)
    (one, two, ten) = fold_beats(trace.table(-1.0), trace.events(), 1.0, 10.0)
    assert (one.beats, two.beats, ten.beats) == ([10.0], [10.0], [10.0])
    assert one.missed == two.missed == ten.missed == []


def test_it_has_a_title_axis_names_faults_and_a_legend_beside_the_data(story: Story) -> None:
    story.fault("kill", "keeper-1")
    ax = story.at(12.0).plots().heartbeats()
    draw(ax)
    assert ax.get_title(loc="left") == "Heartbeats, one expected every 1 s"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time since the start (s)", "data keeper")
    assert set(legend_texts(ax)) == {
        "suspected: silent for 1.5 intervals",
        "held for dead",
        "heartbeat",
        "heartbeat missed",
        "registered",
    }
    assert legend_is_beside(ax)
    assert fault_spans(ax)["dead"] == [(10.0, 12.0)]


def test_fifty_keepers_are_readable() -> None:
    story = Story([f"keeper-{number}" for number in range(1, 51)])
    for second in range(1, 60):
        beat(story.at(float(second)), *[f"keeper-{number}" for number in range(1, 51)])
    ax = story.plots().heartbeats()
    draw(ax)
    assert len(boxes(ax.get_yticklabels())) == 50
    assert overlaps(boxes(ax.get_yticklabels())) == 0
    ax = Figure(figsize=(4, 3), layout="constrained").subplots()
    story.plots().heartbeats(ax=ax)
    draw(ax)
    assert overlaps(boxes(ax.get_yticklabels())) == 0


def test_ticks_too_close_to_be_told_apart_are_drawn_once() -> None:
    story = Story(["keeper-1"])
    for number in range(20_000):
        beat(story.at(0.1 * number), "keeper-1")
    ax = story.plots(capacity=30_000).heartbeats()
    drawn = [time for time, _ in ticks(ax)]
    width = ax.bbox.width * 72 / ax.figure.dpi
    assert 300 < len(drawn) < 1.5 * width / FINEST_POINTS
    assert np.diff(sorted(drawn)).max() < 10, "and no gap appears where there was none"


def test_without_keepers_it_says_so() -> None:
    ax = Story().plots().heartbeats()
    draw(ax)
    assert texts(ax) == ["no keepers yet"]


def test_a_predicted_death_is_shaded_in_the_line_of_each_keeper_that_fell_silent(story: Story) -> None:
    """With beats each second and a timeout of 3 s it comes 2 to 3.1 s after the silence, a tenth more or less."""
    story.at(20.0).fault("kill", "keeper-1")
    story.at(30.0).fault("pause", "keeper-2")
    story.at(30.5).fault("resume", "keeper-2")
    story.at(40.0).fault("partition", a=["keeper-10", "keeper-1"], b=["master"])
    plots = story.at(50.0).plots()
    ax = plots.heartbeats(predict=True)
    (band,) = (one for one in ax.collections if one.get_alpha() == PREDICTED_RANGE["alpha"])
    spans = [np.asarray(path.vertices) for path in band.get_paths()]
    found = [(float(c[:, 0].min()), float(c[:, 0].max()), round(float(c[:4, 1].mean()))) for c in spans]
    assert found == [pytest.approx(one) for one in ((21.9, 23.2, 0), (41.9, 43.2, 2))]
    assert legend_texts(ax)[-1] == "death predicted"
    assert "death predicted" not in legend_texts(plots.heartbeats())
