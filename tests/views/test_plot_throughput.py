"""Bytes a second over time."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch

from dfslab.core.trace import Kind
from dfslab.views.flow import Flow, fold_flows

from .looks import draw, fault_spans, legend_is_beside, legend_texts, texts
from .story import MB, Story
from .test_plot_download_chunks import KEEPERS, download


def upload(story: Story) -> None:
    """Tell of an upload of 8 MB: 2 MB in the first second, 6 MB in the next."""
    about = {"file_name": "a.mp4", "version": "v1", "peer": "keeper-1", "transfer": "t1"}
    story.note("client", Kind.UPLOAD_STARTED, bytes=8 * MB, **about)
    story.at(story.now + 1).note("client", Kind.PROGRESS, bytes=2 * MB, total=8 * MB, **about)
    story.at(story.now + 1).note("keeper-1", Kind.REPLICA_STORED, version="v1", bytes=8 * MB, copy="")


@pytest.fixture
def story() -> Story:
    story = Story(KEEPERS)
    upload(story.at(1.0))
    story.at(4.0).note("keeper-2", Kind.COPY_STARTED, version="v1", peer="keeper-1", bytes=8 * MB, copy="c1")
    story.at(6.0).note("keeper-2", Kind.REPLICA_STORED, version="v1", bytes=8 * MB, copy="c1")
    download(story.at(7.0))
    return story.at(10.0)


def steps(ax: Axes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {str(one.get_label()): one.get_data()[:2] for one in ax.patches if isinstance(one, StepPatch)}


def test_bytes_count_evenly_between_two_signs_of_progress(story: Story) -> None:
    flows = fold_flows(story.events)
    seconds = np.arange(0.0, 11.0)
    assert flows["upload"].rates_mb_s(seconds).tolist() == pytest.approx([0, 2, 6, 0, 0, 0, 0, 0, 0, 0])
    assert flows["copy"].rates_mb_s(seconds).tolist() == pytest.approx([0, 0, 0, 0, 4, 4, 0, 0, 0, 0])
    assert flows["download"].rates_mb_s(seconds).tolist() == pytest.approx([0, 0, 0, 0, 0, 0, 0, 5, 0, 0])


def test_an_upload_of_several_tries_counts_each() -> None:
    story = Story()
    for version in ("v1", "v2"):
        fields = {"file_name": "a", "version": version, "peer": "keeper-1", "transfer": "t1"}
        story.note("client", Kind.UPLOAD_STARTED, bytes=2 * MB, **fields)
        story.at(story.now + 1).note("client", Kind.PROGRESS, bytes=MB, total=2 * MB, **fields)
    assert sum(fold_flows(story.events)["upload"].bytes) == 2 * MB


def test_a_copy_whose_keeper_leaves_no_lines_counts_by_the_masters_word_and_no_byte_twice() -> None:
    for heard in (True, False):
        story = Story(KEEPERS)
        fields: dict[str, str] = {"version": "v1", "peer": "keeper-2", "source": "keeper-1", "copy": "c1"}
        story.at(1.0).note("master", Kind.COPY_ORDERED, bytes=2 * MB, **fields)
        if heard:
            story.at(2.0).note("keeper-2", Kind.REPLICA_STORED, version="v1", bytes=2 * MB, copy="c1")
        story.at(3.0).note("master", Kind.COPY_DONE, bytes=2 * MB, **fields)

        copies = fold_flows(story.events)["copy"]
        assert list(zip(copies.start_s, copies.end_s, copies.bytes, strict=True)) == [
            (1.0, 2.0 if heard else 3.0, 2 * MB)
        ]


def test_what_took_no_measurable_time_has_a_rate_all_the_same() -> None:
    flow = Flow()
    flow.add(1.0, 1.0, 3 * MB)
    assert flow.rates_mb_s(np.array([0.0, 0.5, 1.5])).tolist() == pytest.approx([0, 3])


def test_no_byte_is_lost_or_counted_twice_by_the_drawing(story: Story) -> None:
    for label, moved in (("uploads", 8), ("copies", 8), ("downloads", 5)):
        rates, edges = steps(story.plots().throughput())[label]
        assert float((rates * np.diff(edges)).sum()) == pytest.approx(moved, rel=1e-6)


def test_it_has_a_title_axis_names_with_units_faults_and_a_legend_beside_the_data(story: Story) -> None:
    story.fault("kill", "keeper-1")
    ax = story.at(16.0).plots().throughput()
    draw(ax)
    assert ax.get_title(loc="left") == "Throughput"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time since the start (s)", "MB/s (mean of 0.1 s)")
    assert legend_texts(ax) == ["uploads", "downloads", "copies"]
    assert legend_is_beside(ax)
    assert fault_spans(ax) == {"dead": [(10.0, 16.0)]}


def test_lines_differ_in_more_than_their_colour(story: Story) -> None:
    ax = story.plots().throughput()
    assert len({str(one.get_linestyle()) for one in ax.patches}) == 3


def test_without_transfers_it_says_so() -> None:
    ax = Story(KEEPERS).plots().throughput()
    draw(ax)
    assert texts(ax) == ["nothing was moved yet"]
