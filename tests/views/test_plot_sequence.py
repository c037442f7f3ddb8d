"""The protocol as it happened."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from dfslab.core.errors import InvalidOption, NoSuchFile
from dfslab.core.trace import Kind
from dfslab.views.messages import Message, Wire, messages_of
from dfslab.views.plots.sequence import MOST_KEEPERS

from .looks import boxes, draw, legend_is_beside, legend_texts, overlaps
from .story import MB, Story
from .test_plot_download_chunks import download

KEEPERS = [f"keeper-{number}" for number in range(1, 5)]


def upload(story: Story, name: str, version: str, *, keeper: str, targets: list[str]) -> None:
    """Tell of an upload to one keeper and the copies to the others, a hundredth of a second a line."""
    transfer = f"t-{version}"

    def tell(node: str, kind: Kind, **fields: object) -> None:
        story.at(story.now + 0.01).note(node, kind, **fields)

    about = {"file_name": name, "bytes": MB}
    tell("client", Kind.UPLOAD_REQUESTED, transfer=transfer, **about)
    granted = {"keeper": keeper, "upload": transfer, "name": name, "for_version": version}
    tell("master", Kind.SLOT_GRANTED, peer="client", **granted)
    tell("client", Kind.UPLOAD_STARTED, version=version, peer=keeper, transfer=transfer, **about)
    tell(keeper, Kind.REPLICA_STORED, version=version, peer="master", bytes=MB, copy="")
    story.at(story.now + 0.01).commit(name, version, keeper)
    tell("master", Kind.UPLOAD_ACKNOWLEDGED, version=version, peer="client", upload=transfer, **about)
    for target in targets:
        copy(story, version, keeper, target)


def copy(story: Story, version: str, source: str, target: str, cause: str = "") -> None:
    name = f"c-{version}-{target}"
    story.copy_ordered(name, version, source, target, cause=cause, bytes=MB)
    story.at(story.now + 0.01).note(target, Kind.COPY_STARTED, version=version, peer=source, bytes=MB, copy=name)
    story.at(story.now + 0.01).note(target, Kind.REPLICA_STORED, version=version, peer="master", bytes=MB, copy=name)
    story.at(story.now + 0.01).copy_done(name, version, source, target)


@pytest.fixture
def story() -> Story:
    """An upload of a.mp4 to three keepers, one of which is killed and replaced; another file beside it."""
    story = Story(KEEPERS)
    story.at(1.0)
    upload(story, "a.mp4", "v1", keeper="keeper-2", targets=["keeper-1", "keeper-3"])
    upload(story, "b.mp4", "v2", keeper="keeper-1", targets=[])
    story.at(5.0).fault("kill", "keeper-2")
    story.at(8.0)
    cause = story.note("master", Kind.KEEPER_DEAD, peer="keeper-2")
    copy(story, "v1", "keeper-1", "keeper-4", cause)
    return story


def told(story: Story, name: str, what: str) -> list[tuple[str, str, str, str]]:
    return [(one.step, one.source, one.target, one.words) for one in messages_of(story.events, name, what, 3)]


def lifelines(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_xticklabels()]


def arrows(ax: Axes) -> list[tuple[float, float, float]]:
    """Return from where to where each arrow goes, and in which row."""
    found = [one for one in ax.texts if isinstance(one, Annotation) and one.arrow_patch is not None]
    return [(one.xyann[0], one.xy[0], one.xy[1]) for one in found]


def test_an_upload_is_told_in_the_seven_steps_of_the_protocol(story: Story) -> None:
    assert told(story, "a.mp4", "upload") == [
        ("1", "client", "master", "a slot for 1 MB?"),
        ("2", "master", "client", "send it to keeper-2"),
        ("3", "client", "keeper-2", "1 MB"),
        ("4", "keeper-2", "master", "I hold it"),
        ("5", "master", "master", "table: + keeper-2"),
        ("6", "master", "client", "success"),
        *copied("keeper-2", "keeper-1"),
        *copied("keeper-2", "keeper-3"),
    ]


def copied(source: str, target: str) -> list[tuple[str, str, str, str]]:
    """Both are told (step 7), the bytes go straight from keeper to keeper, then as in steps 4 and 5."""
    return [
        ("7", "master", source, f"serve {target}"),
        ("7", "master", target, f"fetch from {source}"),
        ("7", source, target, "1 MB"),
        ("4", target, "master", "I hold it"),
        ("5", "master", "master", f"table: + {target}"),
    ]


def test_a_repair_begins_with_what_was_done_to_the_keeper_and_the_masters_verdict(story: Story) -> None:
    assert told(story, "a.mp4", "repair") == [
        ("", "keeper-2", "keeper-2", "✗ killed"),
        ("", "master", "master", "keeper-2 is dead"),
        *copied("keeper-1", "keeper-4"),
    ]


def test_a_keeper_that_was_cut_off_is_shown_as_such(story: Story) -> None:
    story.at(20.0).fault("partition", a=["keeper-4"], b=["master"])
    story.at(23.0)
    copy(story, "v1", "keeper-1", "keeper-2", story.note("master", Kind.KEEPER_DEAD, peer="keeper-4"))
    assert told(story, "a.mp4", "repair")[:2] == [
        ("", "keeper-4", "keeper-4", "✗ partitioned"),
        ("", "master", "master", "keeper-4 is dead"),
    ]


def test_only_bytes_of_the_file_go_over_tcp(story: Story) -> None:
    data = [one for one in messages_of(story.events, "a.mp4", "upload", 3) if one.wire is Wire.DATA]
    assert [(one.source, one.target) for one in data] == [
        ("client", "keeper-2"),
        ("keeper-2", "keeper-1"),
        ("keeper-2", "keeper-3"),
    ]


def test_the_newest_upload_of_a_name_is_told_and_no_other(story: Story) -> None:
    upload(story, "a.mp4", "v3", keeper="keeper-4", targets=[])
    assert [one[1:3] for one in told(story, "a.mp4", "upload")][2] == ("client", "keeper-4")
    assert len(told(story, "a.mp4", "upload")) == 6
    assert len(told(story, "b.mp4", "upload")) == 6


def test_an_upload_is_told_until_it_has_all_its_replicas_and_not_what_came_later(story: Story) -> None:
    before = told(story, "b.mp4", "upload")
    for target in ("keeper-2", "keeper-3", "keeper-4"):
        copy(story, "v2", "keeper-1", target)
    assert told(story, "b.mp4", "upload") == [
        *before,
        *copied("keeper-1", "keeper-2"),
        *copied("keeper-1", "keeper-3"),
    ]


def test_an_acknowledgement_that_waits_for_all_copies_is_told_after_them() -> None:
    story = Story(KEEPERS)
    about = {"file_name": "a", "bytes": MB}
    story.note("client", Kind.UPLOAD_REQUESTED, transfer="t", **about)
    granted = {"keeper": "keeper-1", "upload": "t", "name": "a", "for_version": "v1"}
    story.note("master", Kind.SLOT_GRANTED, peer="client", **granted)
    story.commit("a", "v1", "keeper-1")
    copy(story, "v1", "keeper-1", "keeper-2")
    copy(story, "v1", "keeper-1", "keeper-3")
    story.note("master", Kind.UPLOAD_ACKNOWLEDGED, version="v1", peer="client", upload="t", **about)
    assert told(story, "a", "upload")[-1] == ("6", "master", "client", "success")


def test_an_upload_of_a_client_elsewhere_begins_with_what_the_master_says_of_it() -> None:
    """Its own lines are not in this trace."""
    story = Story(KEEPERS)
    granted = {"keeper": "keeper-1", "upload": "t", "name": "a", "for_version": "v1"}
    story.note("master", Kind.SLOT_GRANTED, peer="elsewhere", bytes=MB, **granted)
    story.commit("a", "v1", "keeper-1")
    assert told(story, "a", "upload") == [
        ("2", "master", "elsewhere", "send it to keeper-1"),
        ("5", "master", "master", "table: + keeper-1"),
    ]


def test_an_upload_that_had_to_try_again_shows_what_failed() -> None:
    story = Story(KEEPERS)
    story.note("client", Kind.UPLOAD_REQUESTED, file_name="a", transfer="t", bytes=10)
    fields = {"file_name": "a", "version": "v1", "peer": "keeper-1", "transfer": "t", "bytes": 10}
    story.note("client", Kind.UPLOAD_RETRIED, reason="keeper-1 is gone", **fields)
    story.note("client", Kind.UPLOAD_FAILED, file_name="a", transfer="t", reason="nobody is left")
    assert [(one.source, one.target, one.words, one.wire) for one in messages_of(story.events, "a", "upload", 3)][
        1:
    ] == [
        ("keeper-1", "client", "✗ keeper-1 is gone", Wire.FAILED),
        ("client", "client", "✗ nobody is left", Wire.FAILED),
    ]


def test_a_download_asks_once_and_fetches_from_all_holders() -> None:
    story = Story(["keeper-1", "keeper-2", "keeper-10"])
    story.commit("a.mp4", "v1")
    request = download(story)
    story.note("client", Kind.DOWNLOAD_DONE, file_name="a.mp4", cause=request, bytes=4 * MB, seconds=1.0, holders=3)
    assert told(story, "a.mp4", "download") == [
        ("a", "client", "master", "who holds a.mp4?"),
        ("b", "master", "client", "keeper-1, 2, 10"),
        ("c", "client", "keeper-1", "chunks?"),
        ("c", "client", "keeper-2", "chunks?"),
        ("c", "client", "keeper-10", "chunks?"),
        ("", "keeper-2", "client", "✗ chunk 1: "),
        ("d", "keeper-2", "client", "1 chunk, 1 MB"),
        ("d", "keeper-10", "client", "1 chunk, 1 MB"),
        ("d", "keeper-1", "client", "2 chunks, 2 MB"),
        ("e", "client", "client", "whole and checked"),
    ]


def test_a_renamed_file_has_the_upload_of_its_old_name(story: Story) -> None:
    before = told(story, "a.mp4", "upload")
    story.rename("a.mp4", "c.mp4", "v1")
    assert told(story, "c.mp4", "upload") == before
    assert told(story, "c.mp4", "repair") == told(story, "a.mp4", "repair")


def test_lifelines_stand_for_the_nodes_concerned_and_arrows_go_between_them(story: Story) -> None:
    ax = story.plots().sequence("a.mp4")
    assert lifelines(ax) == ["client", "master", "keeper-1", "keeper-2", "keeper-3"]
    assert arrows(ax)[:4] == [(0, 1, 0), (1, 0, 1), (0, 3, 2), (3, 1, 3)]
    assert lifelines(story.plots().sequence("a.mp4", what="repair")) == ["master", "keeper-1", "keeper-2", "keeper-4"]


def test_time_runs_down_and_the_true_times_are_on_the_left(story: Story) -> None:
    ax = story.plots().sequence("b.mp4")
    bottom, top = ax.get_ylim()
    assert bottom > top
    times = [label.get_text() for label in ax.get_yticklabels()]
    assert times == sorted(times)
    assert times[0] == "1.130"
    assert ax.get_ylabel() == "time since the start (s)"


def test_moments_that_are_the_same_are_written_once(story: Story) -> None:
    labels = [label.get_text() for label in story.plots().sequence("a.mp4").get_yticklabels()]
    shown = [label for label in labels if label]
    assert len(labels) == 16
    assert len(shown) == len(set(shown)) < len(labels)


@pytest.mark.parametrize("what", ["upload", "repair"])
def test_it_is_legible(story: Story, what: str) -> None:
    ax = story.plots().sequence("a.mp4", what=what)
    draw(ax)
    assert overlaps(boxes(one for one in ax.texts if len(one.get_text()) > 1)) == 0
    assert overlaps(boxes([*ax.get_xticklabels(), *ax.get_yticklabels(), ax._left_title])) == 0  # type: ignore[attr-defined]
    assert ax.get_title(loc="left") == f"{what.capitalize()} of a.mp4"
    assert "step of the protocol" in legend_texts(ax)
    assert legend_is_beside(ax)


def test_small_axes_get_small_text_and_names_that_do_not_run_into_each_other(story: Story) -> None:
    figure = Figure(figsize=(12, 7), layout="constrained")
    ax = figure.subplots(2, 2)[0][0]
    story.plots().sequence("a.mp4", ax=ax)
    draw(ax)
    assert overlaps(boxes(ax.get_xticklabels())) == 0
    assert overlaps(boxes(ax.get_yticklabels())) == 0


def test_of_many_keepers_the_first_few_are_shown(monkeypatch: pytest.MonkeyPatch, story: Story) -> None:
    from dfslab.views.plots import sequence

    many = [Message(0.1 * number, "client", f"keeper-{number}", "chunks?", "c") for number in range(1, 51)]
    monkeypatch.setattr(sequence, "messages_of", lambda *args: many)
    ax = story.plots().sequence("a.mp4", what="download")
    assert len(lifelines(ax)) == 2 + MOST_KEEPERS


def test_what_there_was_none_of_is_said(story: Story) -> None:
    ax = story.plots().sequence("a.mp4", what="download")
    draw(ax)
    assert [text.get_text() for text in ax.texts] == ["no download of a.mp4 in the trace"]


def test_unknown_names_and_kinds_are_errors(story: Story) -> None:
    with pytest.raises(NoSuchFile, match="zebra"):
        story.plots().sequence("zebra")
    with pytest.raises(InvalidOption, match=r"what.*rename.*'upload', 'download', 'repair'"):
        story.plots().sequence("a.mp4", what="rename")
