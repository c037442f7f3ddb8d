"""How a dashboard behaves, without a page: what it shows when, what a click does, how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import ipywidgets
import pytest

from dfslab.core.faults import ACTIONS
from dfslab.core.trace import Trace
from dfslab.views.dashboard import Dashboard
from dfslab.views.dashboard.acting import descendants
from dfslab.views.source import Source

from .controls import FakeControls, Refused
from .story import Story
from .test_html import Page

WITHIN_S = 10.0


class Stage:
    """A trace that grows while a dashboard looks at it."""

    def __init__(self) -> None:
        self.story, self.trace, self.controls = Story(["keeper-1", "keeper-2", "keeper-3"]), Trace(), FakeControls()
        self.story.commit("a.mp4", "v1", "keeper-1", "keeper-2", "keeper-3")
        self.play()
        self.source = Source(
            self.trace.events, self.trace.table, lambda: self.story.now, self.story.source().setup, self.trace.since
        )
        self.dashboard = Dashboard(self.source, self.controls)

    def play(self) -> None:
        """Put what the story has added into the trace."""
        for event in self.story.events[self.trace.dropped + len(self.trace.events()) :]:
            self.trace.append(event)

    def widget(self, name: str) -> Any:
        """Return the widget that a page would find by the class `dfs-<name>`."""
        everything = descendants(self.dashboard)
        (found,) = [one for one in everything if f"dfs-{name}" in getattr(one, "_dom_classes", ())]
        return found

    def click(self, name: str) -> None:
        self.widget(name).click()

    def shows(self, name: str) -> Page:
        return Page(self.widget(name).value)

    def choose(self, node: str) -> None:
        self.widget("node").value = node


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # a thread of the dashboard works meanwhile


@pytest.fixture
def stage() -> Iterator[Stage]:
    before = set(threading.enumerate())
    made = Stage()
    yield made
    made.controls.gate.set()
    made.dashboard.close()
    assert [thread.name for thread in set(threading.enumerate()) - before] == []


def test_what_happens_is_shown_without_anybody_asking(stage: Stage) -> None:
    stage.story.at(5.0).dies("keeper-2")
    stage.play()

    until(lambda: ["keeper-2", "✗ dead"] in [row[:2] for row in stage.shows("lookup").rows])
    assert "2 of 3 keepers alive" in stage.shows("summary").text
    assert "1 short of 3 live copies" in stage.shows("summary").text
    assert "declared keeper-2 dead" in stage.shows("events").text


def test_what_has_not_changed_is_not_sent_again(stage: Stage) -> None:
    stage.dashboard.refresh()
    sent: list[str] = []
    for widget in descendants(stage.dashboard):
        widget.observe(lambda change: sent.append(f"{type(change['owner']).__name__}.{change['name']}"))

    for _ in range(3):
        stage.dashboard.refresh()

    assert sent == []


@pytest.mark.parametrize(
    ("button", "does"),
    [
        ("kill", 'cluster.kill("keeper-2")'),
        ("restart", 'cluster.restart("keeper-2")'),
        ("restart-wiped", 'cluster.restart("keeper-2", wipe=True)'),
        ("pause", 'cluster.pause("keeper-2")'),
        ("resume", 'cluster.resume("keeper-2")'),
        ("fill-disk", 'cluster.fill_disk("keeper-2")'),
        ("free-disk", 'cluster.free_disk("keeper-2")'),
        ("drop-heartbeats", 'cluster.drop_heartbeats("keeper-2")'),
        ("restore-heartbeats", 'cluster.restore_heartbeats("keeper-2")'),
        ("decommission", 'cluster.decommission("keeper-2")'),
        ("corrupt", 'cluster.corrupt("a.mp4", "keeper-2", how="bitflip")'),
        ("kill-master", "cluster.kill_master()"),
        ("restart-master", "cluster.restart_master()"),
        ("add-keeper", "cluster.add_keeper()"),
        ("heal", "cluster.heal()"),
    ],
)
def test_a_button_does_what_the_line_of_python_says_that_it_shows(stage: Stage, button: str, does: str) -> None:
    stage.choose("keeper-2")
    stage.click(button)

    until(lambda: stage.controls.done == [does])
    until(lambda: f"✓{does}" in stage.shows("python").text)


def test_there_is_a_button_for_every_action(stage: Stage) -> None:
    classes = {name for widget in descendants(stage.dashboard) for name in getattr(widget, "_dom_classes", ())}

    assert {f"dfs-{kind.replace('_', '-')}" for kind in ACTIONS} <= classes


def test_the_masters_own_death_is_the_same_button_with_the_master_chosen(stage: Stage) -> None:
    stage.choose("master")
    stage.click("kill")
    stage.click("restart")

    until(lambda: stage.controls.done == ["cluster.kill_master()", "cluster.restart_master()"])


def test_a_link_is_changed_in_the_fields_that_are_filled_in(stage: Stage) -> None:
    stage.choose("keeper-2")
    stage.widget("rate").value = "5"
    stage.widget("loss").value = "0.1"
    stage.click("set-link")
    stage.widget("rate").value, stage.widget("loss").value = "none", ""
    stage.click("set-link")

    until(
        lambda: (
            stage.controls.done
            == [
                'cluster.set_link("keeper-2", rate_mb_s=5.0, loss=0.1)',
                'cluster.set_link("keeper-2", rate_mb_s=None)',
            ]
        )
    )


def test_a_partition_is_between_the_two_selections(stage: Stage) -> None:
    stage.widget("side-a").value = ("keeper-1",)
    stage.widget("side-b").value = ("master", "keeper-2")
    stage.click("partition")

    until(lambda: stage.controls.done == ['cluster.partition(["keeper-1"], ["master", "keeper-2"])'])


@pytest.mark.parametrize(
    ("prepare", "button", "says"),
    [
        (lambda stage: stage.choose("master"), "pause", "keeper='master' is refused"),
        (lambda stage: None, "partition", "a=[] is refused"),
        (lambda stage: None, "set-link", "link='' is refused"),
        (lambda stage: setattr(stage.widget("delay"), "value", "soon"), "set-link", "delay_ms='soon' is refused"),
        (lambda stage: None, "upload", "file='' is refused"),
    ],
)
def test_what_can_not_be_tried_is_explained(
    stage: Stage, prepare: Callable[[Stage], None], button: str, says: str
) -> None:
    prepare(stage)
    stage.click(button)

    until(lambda: says in stage.shows("error").text)
    assert stage.controls.done == []


def test_an_error_of_the_cluster_is_shown_escaped_until_something_succeeds(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.controls.error = Refused()
    stage.choose("keeper-1")
    stage.click("kill")

    until(lambda: "<script>alert('x')</script> is already dead" in stage.shows("error").text)
    assert 'cluster.kill("keeper-1"):' in stage.shows("error").text
    assert "already dead" in stage.shows("python").text
    assert "script" not in stage.shows("error").tags | stage.shows("python").tags

    stage.controls.error = None
    stage.click("restart")
    until(lambda: stage.shows("error").text == "")
    assert capsys.readouterr() == ("", "")


def test_also_an_error_that_nobody_expected_is_shown(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.controls.error = ZeroDivisionError("by <0>")
    stage.click("heal-all")

    until(lambda: "ZeroDivisionError: by <0>" in stage.shows("error").text)
    assert capsys.readouterr() == ("", "")


def test_force_goes_along_and_is_said(stage: Stage) -> None:
    stage.choose("keeper-1")
    stage.widget("force").value = True
    stage.click("kill")

    until(lambda: stage.controls.done == ['cluster.kill("keeper-1") by force'])
    until(lambda: 'cluster.kill("keeper-1")by force' in stage.shows("python").text)


def test_a_click_returns_at_once_and_a_keeper_can_be_killed_in_the_middle_of_an_upload(stage: Stage) -> None:
    stage.controls.gate.clear()
    stage.click("upload-sample")
    stage.choose("keeper-1")
    stage.click("kill")

    until(lambda: sorted(stage.controls.threads) == ["dashboard-faults", "dashboard-transfers"])
    until(lambda: stage.shows("python").text.count("↻") == 2)
    stage.controls.gate.set()
    until(lambda: sorted(stage.controls.done) == ['cluster.kill("keeper-1")', "upload small.mp4"])


def test_files_go_up_and_down_and_away(stage: Stage) -> None:
    chosen = {"name": "mine.mp4", "type": "video/mp4", "size": 5, "content": memoryview(b"12345")}
    stage.widget("choose-file").value = ({**chosen, "last_modified": datetime.now(UTC)},)
    stage.widget("sample").value = "large.mp4"
    for button in ("upload", "upload-sample", "download", "delete"):
        stage.click(button)

    until(
        lambda: (
            stage.controls.done == ["upload 5 bytes as mine.mp4", "upload large.mp4", "download a.mp4", "delete a.mp4"]
        )
    )
    until(lambda: "to /downloads/a.mp4, 1 MB, 20 MB/s" in stage.shows("python").text)


def test_a_click_on_a_node_chooses_it_for_the_buttons_and_the_other_way_round(stage: Stage) -> None:
    topology, pages = stage.dashboard._views.topology, stage.widget("pages")
    pages.selected_index = pages.titles.index("Cluster")
    topology.selected = "keeper-3"
    assert stage.widget("node").value == "keeper-3"
    assert pages.titles[pages.selected_index] == "Node"

    pages.selected_index = pages.titles.index("Files")
    stage.choose("keeper-1")
    assert topology.selected == "keeper-1"
    assert pages.titles[pages.selected_index] == "Files"


def test_the_slider_moves_every_view_to_a_past_moment_and_back(stage: Stage) -> None:
    stage.story.at(5.0).fault("kill", "keeper-2")
    stage.story.at(8.0).dies("keeper-2")
    stage.play()
    stage.dashboard.refresh()
    slider = stage.dashboard._views.slider

    slider.at = 2.0
    stage.dashboard.refresh()
    assert all(row[-3] == "● alive" for row in stage.shows("lookup").rows[1:])
    assert "3 of 3 keepers alive" in stage.shows("summary").text
    assert "as it was at 2.0 s" in stage.shows("summary").text
    assert "kill" not in stage.shows("events").text
    assert [node["state"] for node in stage.dashboard._views.topology.nodes] == ["running"] * 5
    assert "the buttons act on the cluster as it is now" in stage.shows("error").text

    slider.at = 6.0
    stage.dashboard.refresh()
    nodes = {node["name"]: node for node in stage.dashboard._views.topology.nodes}
    assert nodes["keeper-2"]["word"] == "dead, not noticed yet"

    slider.at = None
    stage.dashboard.refresh()
    assert "2 of 3 keepers alive" in stage.shows("summary").text
    assert stage.shows("error").text == ""


@pytest.mark.parametrize("at", [-3.0, 1e9])
def test_a_moment_outside_the_trace_is_its_nearest_end(stage: Stage, at: float) -> None:
    stage.dashboard._views.slider.at = at
    stage.dashboard.refresh()

    assert "as it was at 0.0 s" in stage.shows("summary").text


def test_the_table_is_filtered(stage: Stage) -> None:
    stage.story.at(1.0).commit("b.mp4", "v2", "keeper-1")
    stage.play()
    stage.dashboard.refresh()

    stage.widget("filter").value = "B.mp4"
    until(lambda: "a.mp4" not in stage.shows("lookup").text)
    stage.widget("filter").value = "keeper-3"
    until(lambda: "b.mp4" not in stage.shows("lookup").text)
    stage.widget("filter").value = ""
    stage.widget("only").value = "short of copies"
    until(lambda: "a.mp4" not in stage.shows("lookup").text)


def test_it_catches_up_when_more_has_happened_than_the_trace_keeps() -> None:
    story, trace = Story(["keeper-1"]), Trace(capacity=4)
    source = Source(trace.events, trace.table, lambda: story.now, since=trace.since)
    dashboard = Dashboard(source)
    for number in range(9):
        story.commit(f"{number}.mp4", f"v{number}", "keeper-1")
    trace.extend(story.events)

    dashboard.refresh()

    assert "9 files" in dashboard._views.summary.value
    dashboard.close()


# -- the end -------------------------------------------------------------------------------------


def test_a_dashboard_that_was_ended_says_why_lets_nothing_be_clicked_and_has_no_thread(stage: Stage) -> None:
    stage.dashboard.end("This cluster is closed.")

    assert "This cluster is closed." in stage.shows("error").text
    still = stage.dashboard.snapshot()
    assert "This cluster is closed." in still._repr_html_(), "also in a notebook that is saved from here on"
    assert repr(still).startswith("This cluster is closed.\n")
    assert "keeper-1" in stage.shows("lookup").text
    buttons = [one for one in descendants(stage.dashboard) if isinstance(one, ipywidgets.Button)]
    assert len(buttons) > 15
    assert all(button.disabled for button in buttons)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("dashboard")] == []
    stage.click("kill-master")
    assert stage.controls.done == []


def test_a_dashboard_that_was_replaced_keeps_one_line(stage: Stage) -> None:
    buttons = [one for one in descendants(stage.dashboard) if isinstance(one, ipywidgets.Button)]

    stage.dashboard.replace()

    assert [child.value for child in stage.dashboard.children] == [stage.widget("error").value]
    assert "newer dashboard" in stage.shows("error").text
    assert all(button.comm is button.layout.comm is button.style.comm is None for button in buttons)


def test_running_the_cell_again_and_again_leaves_few_widgets_behind() -> None:
    source = Story(["keeper-1"]).source()

    def again() -> int:
        Dashboard(source, FakeControls()).replace()
        return len(ipywidgets.widgets.widget._instances)

    first = again()
    assert again() - first < 10


def test_a_long_transfer_does_not_hold_up_the_dashboard_that_replaces_this_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dfslab.views.dashboard.dashboard.REPLACE_JOIN_S", 0.05)
    stage.controls.gate.clear()
    stage.click("upload-sample")
    until(lambda: stage.controls.threads)

    stage.dashboard.replace()

    assert "newer dashboard" in stage.shows("error").text
    stage.controls.gate.set()
    until(lambda: stage.controls.done == ["upload small.mp4"])
    until(lambda: not [one for one in threading.enumerate() if one.name.startswith("dashboard")])


def test_a_saved_trace_has_the_views_and_the_slider_and_nothing_to_act_on() -> None:
    story = Story(["keeper-1", "keeper-2"])
    story.commit("a.mp4", "v1", "keeper-1", "keeper-2")
    story.at(9.0).dies("keeper-1")
    before = threading.active_count()
    dashboard = Dashboard(story.source())

    assert not [one for one in descendants(dashboard) if isinstance(one, ipywidgets.Button)]
    dashboard._views.slider.at = 1.0
    assert "as it was at 1.0 s" in dashboard._views.summary.value
    assert "2 of 2 keepers alive" in dashboard._views.summary.value
    assert threading.active_count() == before
    dashboard.close()


# -- without widgets -----------------------------------------------------------------------------


def test_without_widgets_there_are_html_and_text(stage: Stage) -> None:
    stage.story.at(3.0).fault("pause", "keeper-3")
    stage.play()
    stage.dashboard.refresh()

    bundle = stage.dashboard._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in bundle
    page = Page(bundle["text/html"])
    assert "script" not in page.tags
    assert ["keeper-3", "‖ paused, not noticed yet", "", "1"] in page.rows
    assert bundle["text/plain"] == repr(stage.dashboard)
    assert "keeper-3   paused, not noticed yet, 1 copy" in repr(stage.dashboard)
    assert "✓ a.mp4 (1 MB): 3 of 3 live copies, on keeper-1, keeper-2, keeper-3" in repr(stage.dashboard)


def test_a_snapshot_stays_as_it_was(stage: Stage) -> None:
    still = stage.dashboard.snapshot()
    before = still._repr_html_()

    stage.story.at(4.0).dies("keeper-1")
    stage.play()
    stage.dashboard.refresh()

    assert still._repr_html_() == before
    assert stage.dashboard.snapshot()._repr_html_() != before
