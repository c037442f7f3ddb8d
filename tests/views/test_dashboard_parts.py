"""What the dashboard shows of a trace: its parts as HTML and SVG, without widgets."""

from __future__ import annotations

import base64
import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfslab.core.fault_periods import FaultPeriod
from dfslab.core.faults import ACTIONS
from dfslab.core.trace import Kind
from dfslab.views.dashboard.chart import HEIGHT, LANES, LEFT, RIGHT, WIDTH, Frame, bands, steps, ticks
from dfslab.views.dashboard.lookup import DEAD, ROWS_SHOWN, SHORT, Filter, lookup_html
from dfslab.views.dashboard.observed import Observed
from dfslab.views.dashboard.parts import FEED_SHOWN, feed_html, history_html, notice_html, summary_html, transfers_html
from dfslab.views.dashboard.rates import BUCKET_S, Rates
from dfslab.views.dashboard.static import FILES_IN_TEXT, still_html, still_text
from dfslab.views.dashboard.throughput import throughput
from dfslab.views.dashboard.timeline import timeline
from dfslab.views.dashboard.told import TONES, tell
from dfslab.views.dashboard.topology import flows_shown, nodes_shown
from dfslab.views.sentences import _SENTENCES

from .story import MB, Story
from .test_html import Page

EVIL = "<img src=x onerror=alert('1')>&\".mp4"


def observed(story: Story, replicas: int = 3) -> Observed:
    return Observed.of(story.source(replicas))[1]


def three_files() -> Story:
    story = Story(["keeper-1", "keeper-2", "keeper-3", "keeper-10"])
    story.at(1.0).commit("a.mp4", "v1", "keeper-1", "keeper-2", "keeper-3")
    story.commit("b.mp4", "v2", "keeper-1", "keeper-10")
    story.commit("c.mp4", "v3", "keeper-2", "keeper-3", "keeper-10")
    return story


# -- the lookup table ----------------------------------------------------------------------------


def test_the_lookup_table_has_a_row_a_replica_with_its_liveness_as_sign_and_word() -> None:
    story = three_files()
    story.at(5.0).dies("keeper-2")
    story.corrupt("v3", "keeper-3")

    rows = Page(lookup_html(observed(story), Filter())).rows

    assert rows[0] == ["file_name", "data_node", "is_alive", "state", "file_path"]
    assert rows[1] == [
        "a.mp41 MB, ✗ 2 of 3 live",
        "keeper-1",
        "● alive",
        "✓ valid",
        "/disks/keeper-1/replicas/v1",
    ]
    assert rows[2][:3] == ["keeper-2", "✗ dead", "✓ valid"]
    assert ["keeper-3", "● alive", "✗ corrupt", "/disks/keeper-3/replicas/v3"] in rows
    assert len(rows) == 1 + 8


def test_a_copy_that_is_being_made_is_a_row_already() -> None:
    story = three_files()
    story.note(
        "master",
        Kind.COPY_ORDERED,
        version="v2",
        file_name="b.mp4",
        peer="keeper-3",
        bytes=MB,
        source="keeper-1",
        copy="c",
        reason="2 of 3 live copies",
    )
    story.note("keeper-3", Kind.PROGRESS, version="v2", bytes=MB // 4, peer="keeper-1", copy="c", total=MB)

    assert ["keeper-3", "● alive", "⇄ copying 25 %", ""] in Page(lookup_html(observed(story), Filter())).rows


@pytest.mark.parametrize(
    ("wanted", "files"),
    [
        (Filter(), ["a.mp4", "b.mp4", "c.mp4"]),
        (Filter("B."), ["b.mp4"]),
        (Filter("keeper-10"), ["b.mp4", "c.mp4"]),
        (Filter("keeper-10 c"), ["c.mp4"]),
        (Filter("keeper-1"), ["a.mp4", "b.mp4"]),
        (Filter(only=SHORT), ["a.mp4", "b.mp4"]),
        (Filter(only=DEAD), ["a.mp4", "b.mp4"]),
        (Filter("nothing like it"), []),
    ],
)
def test_the_lookup_table_shows_the_files_that_the_filter_lets_pass(wanted: Filter, files: list[str]) -> None:
    story = three_files()
    story.dies("keeper-1")
    story.commit("a.mp4", "v4", "keeper-2", "keeper-3", "keeper-1")
    story.delete("a.mp4", "v1")

    found = re.findall("<tbody data-file='(.*?)'>", lookup_html(observed(story), wanted))

    assert found == files


def test_a_long_lookup_table_is_capped_and_says_how_much_more_there_is() -> None:
    story = Story(["keeper-1", "keeper-2", "keeper-3"])
    for number in range(100):
        story.commit(f"{number:03d}.mp4", f"v{number}", "keeper-1", "keeper-2", "keeper-3")

    html = lookup_html(observed(story), Filter())

    assert len(Page(html).rows) - 1 == ROWS_SHOWN
    assert f"{100 - ROWS_SHOWN // 3} more files" in html


def test_an_empty_table_says_why() -> None:
    assert "no files yet" in lookup_html(observed(Story()), Filter())
    assert "no file matches" in lookup_html(observed(three_files()), Filter("x"))


# -- everything is escaped -----------------------------------------------------------------------


def test_no_name_becomes_markup_anywhere() -> None:
    story = Story([EVIL])
    story.commit(EVIL, EVIL, EVIL)
    transfer: dict[str, Any] = {"file_name": EVIL, "transfer": EVIL, "bytes": 10}
    story.note(EVIL, Kind.UPLOAD_REQUESTED, **transfer)
    story.note(EVIL, Kind.UPLOAD_STARTED, version=EVIL, peer=EVIL, **transfer)
    story.note(EVIL, Kind.UPLOAD_FAILED, reason=EVIL, **transfer)
    story.note("lab", Kind.FAULT, peer=EVIL, action=EVIL)
    story.fault("kill", EVIL)
    seen = observed(story)

    for html in (
        lookup_html(seen, Filter()),
        summary_html(seen, EVIL),
        transfers_html(seen),
        feed_html(seen),
        timeline(seen, 9.0, None).html,
        throughput(seen, 9.0, None).html,
        history_html([(EVIL, "failed", EVIL)]),
        notice_html(EVIL, kind="error"),
        IMAGE.sub("", still_html(seen, 9.0)),
        *drawings(still_html(seen, 9.0)),
    ):
        assert "img" not in Page(html.replace("<style>", "<div>").replace("</style>", "</div>")).tags


IMAGE = re.compile(r"<img alt='([^']*)' style='[^']*' src='data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)'>")


def drawings(html: str) -> list[str]:
    """Return the drawings that a still picture of the dashboard carries as images, each a document of its own."""
    found = [base64.b64decode(data).decode() for _, data in IMAGE.findall(html)]
    for drawing in found:
        assert ElementTree.fromstring(drawing).tag == "{http://www.w3.org/2000/svg}svg"
    return found


def test_a_page_that_trusts_nobody_shows_the_drawings_too() -> None:
    """Jupyter takes SVG out of a notebook that is not trusted, and leaves its words; images it leaves."""
    html = still_html(observed(three_files()), 9.0)

    topology, copies, moved = drawings(html)
    assert "<svg" not in html
    assert [re.split(r"\W", alt)[0] for alt, _ in IMAGE.findall(html)] == ["master", "Live", "Throughput"]
    assert "keeper-1" in topology
    assert "goal: 3 copies" in copies
    assert "copies between keepers" in moved
    assert "--dfs-ink" in topology
    assert ".dfs-chart" in moved
    assert ".dfs-chart" not in topology


# -- transfers and feed --------------------------------------------------------------------------


def test_a_transfer_has_a_bar_that_follows_its_progress() -> None:
    story = three_files()
    story.at(2.0)
    upload: dict[str, Any] = {"file_name": "d.mp4", "transfer": "t1"}
    story.note("client", Kind.UPLOAD_REQUESTED, bytes=4 * MB, **upload)
    story.note("client", Kind.UPLOAD_STARTED, version="v9", peer="keeper-2", bytes=4 * MB, **upload)
    story.at(3.0).note(
        "client", Kind.PROGRESS, version="v9", peer="keeper-2", bytes=MB, file_name="d.mp4", transfer="t1", total=4 * MB
    )
    html = transfers_html(observed(story))
    assert "aria-valuenow='25'" in html
    assert Page(html).rows == [["↑ upload", "d.mp4", "client → keeper-2", "", "1 MB of 4 MB"]]

    story.at(4.0).note("client", Kind.UPLOAD_DONE, version="v9", bytes=4 * MB, **upload)
    assert Page(transfers_html(observed(story))).rows == [
        ["↑ upload", "d.mp4", "client → keeper-2", "", "✓ 4 MB, 2 MB/s"]
    ]


def test_a_download_moves_with_its_chunks() -> None:
    story = three_files()
    request = story.note("client", Kind.DOWNLOAD_REQUESTED, file_name="a.mp4", peer="master")
    started = story.note(
        "client", Kind.DOWNLOAD_STARTED, file_name="a.mp4", bytes=MB, cause=request, holders=["keeper-1"]
    )
    for keeper, outcome in (("keeper-1", "ok"), ("keeper-2", "ok"), ("keeper-2", "duplicate")):
        story.note(
            "client",
            Kind.CHUNK_FETCHED,
            peer=keeper,
            bytes=MB // 4,
            cause=started,
            outcome=outcome,
            start_s=1.0,
            end_s=1.0,
        )
    seen = observed(story)

    assert "aria-valuenow='50'" in transfers_html(seen)
    assert [(flow["from"], flow["to"]) for flow in flows_shown(seen, story.now)] == [
        ("keeper-1", "client"),
        ("keeper-2", "client"),
    ]


def test_the_feed_is_newest_first_and_bounded() -> None:
    story = Story()
    for number in range(300):
        story.at(float(number)).registers(f"keeper-{number}")

    lines = re.findall(r"<time>(.*?) s</time>", feed_html(observed(story)))

    assert lines == [f"{299.0 - number:.1f}" for number in range(FEED_SHOWN)]


@pytest.mark.parametrize("kind", TONES)
def test_every_kind_that_is_told_has_a_sentence(kind: Kind) -> None:
    assert kind in _SENTENCES


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_told_as_the_python_that_does_it(action: str) -> None:
    story = three_files()
    peer = "master" if action.endswith("_master") else "keeper-1"
    detail: dict[str, Any] = {"a": ["keeper-1"], "b": ["master"]} if action == "partition" else {}
    story.note("lab", Kind.FAULT, peer=peer, file_name="a.mp4", action=action.removesuffix("_master"), **detail)

    told = tell(story.events[-1], story.table)

    assert told is not None
    assert told.text.startswith(f"cluster.{action}(")


def test_what_a_newer_version_calls_its_faults_is_told_all_the_same() -> None:
    story = Story()
    story.note("lab", Kind.FAULT, peer="keeper-1", action="flood")

    told = tell(story.events[-1], story.table)

    assert told is not None
    assert told.text == "flood keeper-1"


# -- nodes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("happens", "word", "state"),
    [
        ([], "alive", "running"),
        (["kill"], "dead, not noticed yet", "dead"),
        (["kill", "dies"], "dead", "dead"),
        (["pause"], "paused, not noticed yet", "paused"),
        (["pause", "dies", "resume"], "taken for dead", "running"),
        (["kill", "dies", "restart", "registers"], "alive", "running"),
        (["drains"], "draining", "running"),
    ],
)
def test_a_node_shows_what_is_so_and_what_the_master_believes(happens: list[str], word: str, state: str) -> None:
    story = Story(["keeper-1", "keeper-2"])
    for number, what in enumerate(happens, start=1):
        story.at(float(number))
        if what in ("dies", "registers", "drains"):
            getattr(story, what)("keeper-1")
        else:
            story.fault(what, "keeper-1")

    nodes = {node["name"]: node for node in nodes_shown(observed(story))}

    assert (nodes["keeper-1"]["word"], nodes["keeper-1"]["state"]) == (word, state)
    assert list(nodes) == ["master", "client", "keeper-1", "keeper-2"]


def test_other_faults_are_named_and_a_cut_line_is_shown() -> None:
    story = Story(["keeper-1", "keeper-2", "keeper-3"])
    story.fault("fill_disk", "keeper-1")
    story.fault("drop_heartbeats", "keeper-1")
    story.note("lab", Kind.FAULT, action="partition", a=["keeper-2"], b=["master", "client"], one_way=False)
    nodes = {node["name"]: node for node in nodes_shown(observed(story))}
    assert nodes["keeper-1"]["troubles"] == ["disk full", "heartbeats dropped"]
    assert [name for name, node in nodes.items() if node["cut"]] == ["keeper-1", "keeper-2"]

    story.at(1.0).fault("free_disk", "keeper-1")
    story.fault("restore_heartbeats", "keeper-1")
    story.note("lab", Kind.FAULT, action="heal")
    assert not any(node["troubles"] or node["cut"] for node in nodes_shown(observed(story)))


# -- charts --------------------------------------------------------------------------------------


def test_the_timeline_shows_few_files_by_name_and_many_as_a_spread() -> None:
    story = three_files()
    few = timeline(observed(story), 10.0, None).html
    for number in range(9):
        story.commit(f"{number}.mp4", f"w{number}", "keeper-1")
    many = timeline(observed(story), 10.0, None).html

    assert [name in few for name in ("a.mp4", "b.mp4", "c.mp4", "goal: 3 copies")] == [True] * 4
    assert [name in many for name in ("most of 12 files", "median", "fewest")] == [True] * 3
    for text in ("live copies (number)", "time since the start (s)", "aria-label"):
        assert text in few


def test_the_timeline_begins_with_the_value_that_a_line_had_before() -> None:
    story = three_files()
    story.at(100.0).dies("keeper-1")

    html = timeline(observed(story), 110.0, 20.0).html

    left = [path.split("H")[0] for path in re.findall(r"class='line l\d' d='(.*?)'", html) if path.startswith("M")]
    assert left
    assert all(start.startswith(f"M{LEFT} ") for start in left[:3])


def test_an_empty_timeline_says_that_there_are_no_files() -> None:
    assert "no files yet" in timeline(observed(Story()), 0.0, 60.0).html


@given(st.lists(st.tuples(st.floats(0, 100), st.one_of(st.just(math.nan), st.floats(0, 5))), max_size=60).map(sorted))
def test_a_line_stays_within_the_picture_and_begins_with_a_move(points: list[tuple[float, float]]) -> None:
    frame = Frame(0.0, 100.0, 5.0)

    path = steps(frame, [time_s for time_s, _ in points], [value for _, value in points], 100.0)

    assert path == "" or path.startswith(("M", "H"))
    assert path.count("M") <= 1 + sum(1 for _, value in points if math.isnan(value))
    for x in re.findall(r"[MH](\d+)", path):
        assert LEFT <= int(x) <= WIDTH - RIGHT
    for y in re.findall(r"V([\d.]+)", path):
        assert frame.top - 0.1 <= float(y) <= frame.floor + 0.1


def test_however_much_has_happened_a_path_is_no_longer_than_the_picture_is_wide() -> None:
    times = [number / 1000 for number in range(100_000)]

    path = steps(Frame(0.0, 100.0, 5.0), times, [number % 4 for number in range(100_000)], 100.0)

    assert len(path) < 25 * WIDTH


def test_ticks_are_round_and_within_the_range() -> None:
    assert ticks(0.0, 60.0, 6) == [0, 10, 20, 30, 40, 50, 60]
    assert ticks(47.3, 107.3, 6) == [50, 60, 70, 80, 90, 100]
    assert ticks(0.0, 1.1, 4) == [0, 0.5, 1.0]


def test_bands_have_labels_that_do_not_run_into_each_other() -> None:
    periods = [FaultPeriod("dead", f"keeper-{n}", 10.0 + n, math.inf, str(n), {}) for n in range(8)]
    periods.append(FaultPeriod("paused", "keeper-9", 1.0, 2.0, "9", {}))

    found = bands(periods, 5.0, 60.0, 50.0)

    assert [band.lane for band in found] == [*range(LANES), *[-1] * (8 - LANES)]
    assert all(band.end_s == 50.0 for band in found)


def test_a_chart_fits_its_box() -> None:
    story = three_files()
    story.at(5.0).fault("kill", "keeper-1")
    html = throughput(observed(story), 20.0, 60.0).html

    assert f"viewBox='0 0 {WIDTH} {HEIGHT}'" in html
    assert "throughput (MB/s)" in html
    assert "keeper-1 dead" in html


# -- throughput ----------------------------------------------------------------------------------


def test_bytes_are_spread_evenly_over_the_time_in_which_they_moved() -> None:
    story, rates = Story(), Rates()
    story.at(1.0).note("client", Kind.UPLOAD_STARTED, version="v", peer="keeper-1", bytes=10 * MB, transfer="t")
    story.at(2.0).note("client", Kind.PROGRESS, version="v", bytes=4 * MB, transfer="t", total=10 * MB)
    story.at(3.0).note("keeper-1", Kind.REPLICA_STORED, version="v", bytes=10 * MB, copy="")
    for event in story.events:
        rates.apply(event)

    times, by_kind = rates.between(0.0, 3.0, 100)

    assert times == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert by_kind["upload"] == pytest.approx([0, 0, 4, 4, 6, 6, 0])
    assert by_kind["copy"] == [0.0] * 7


def test_a_copy_whose_keeper_leaves_no_lines_counts_by_the_masters_word_and_no_byte_twice() -> None:
    for heard in (True, False):
        story, rates = Story(), Rates()
        story.at(1.0).note("master", Kind.COPY_ORDERED, version="v", peer="keeper-2", source="keeper-1", copy="c")
        story.at(2.0)
        if heard:
            story.note("keeper-2", Kind.REPLICA_STORED, version="v", bytes=MB, copy="c")
        story.note("master", Kind.COPY_DONE, version="v", bytes=MB, copy="c", source="keeper-1", peer="keeper-2")
        for event in story.events:
            rates.apply(event)
        assert sum(rates.buckets["copy"].values()) == pytest.approx(MB)


def test_a_long_time_is_shown_in_no_more_columns_than_asked_for() -> None:
    rates = Rates()
    rates.buckets["copy"] = dict.fromkeys(range(7200), BUCKET_S * 1000000.0)

    times, by_kind = rates.between(0.0, 3600.0, 240)

    assert len(times) <= 241
    assert by_kind["copy"][10:200] == pytest.approx([1.0] * 190)


# -- bounded -------------------------------------------------------------------------------------


def test_a_long_life_does_not_make_it_grow() -> None:
    story = Story(["keeper-1", "keeper-2"])
    story.commit("a.mp4", "v", "keeper-1")
    for number in range(3_000):
        story.at(float(number))
        request = story.note("client", Kind.DOWNLOAD_REQUESTED, file_name="a.mp4")
        story.note("client", Kind.DOWNLOAD_STARTED, file_name="a.mp4", bytes=MB, cause=request, holders=[])
        story.note("client", Kind.DOWNLOAD_DONE, file_name="a.mp4", bytes=MB, cause=request, seconds=0.1, holders=1)
        story.dies("keeper-1")
        story.at(number + 0.5).registers("keeper-1")
    seen = Observed(story.trace().base, story.source().setup)
    for start in range(0, len(story.events), 50):
        seen.extend(story.events[start : start + 50])

    assert len(seen.transfers.rows) <= 40
    assert len(seen.transfers._request_of) <= 40
    assert len(seen.feed) <= 200
    assert len(seen.copies.lines[0].times) == len(seen.copies.lines[0].copies) <= 4_050
    assert [len(column) <= 4_050 for column in seen.copies.spread] == [True] * 4


def test_the_text_of_many_files_is_short() -> None:
    story = Story(["keeper-1"])
    for number in range(50):
        story.commit(f"{number}.mp4", f"v{number}", "keeper-1")

    lines = still_text(observed(story), 1.0).splitlines()

    assert len(lines) == 1 + 2 + FILES_IN_TEXT + 1
    assert lines[-1].strip() == "and 30 more files"


def test_one_copy_is_no_copies() -> None:
    story = Story(["keeper-1", "keeper-2"])
    story.commit("a.mp4", "v1", "keeper-1")

    text = still_text(observed(story), 1.0)

    assert "keeper-1   alive, 1 copy\n" in text
    assert "keeper-2   alive, 0 copies\n" in text
