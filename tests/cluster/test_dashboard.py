"""The dashboard of a real cluster: its buttons do what they say, its views follow, and it ends with the cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dfslab
from dfslab.cluster import Cluster
from dfslab.views.dashboard import Dashboard
from dfslab.views.dashboard.acting import descendants

from .conftest import Starter, cell

WITHIN_S = 20.0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # threads of the cluster and of the dashboard work meanwhile


def widget(dashboard: Dashboard, name: str) -> Any:
    """Return the widget that a page would find by the class `dfs-<name>`."""
    (found,) = [one for one in descendants(dashboard) if f"dfs-{name}" in getattr(one, "_dom_classes", ())]
    return found


def press(dashboard: Dashboard, button: str, node: str | None = None) -> None:
    """Choose a node, press a button, and wait until what it does is over."""
    if node is not None:
        widget(dashboard, "node").value = node
    acting = dashboard._acting
    assert acting is not None
    before = len(acting.work.entries)
    widget(dashboard, button).click()
    until(lambda: len(acting.work.entries) > before and acting.work.entries[-1][1] in ("done", "failed"))


def error(dashboard: Dashboard) -> str:
    dashboard.refresh()
    return str(widget(dashboard, "error").value)


def test_every_button_does_to_the_cluster_what_it_says(cluster: Cluster) -> None:
    cluster.upload(bytes(300_000), name="a.bin")
    cluster.wait_for_replicas()
    dashboard = cluster.dashboard()
    holder = cluster.stat("a.bin").holders[0]

    for button in ("pause", "resume", "fill-disk", "free-disk", "drop-heartbeats", "restore-heartbeats", "kill"):
        press(dashboard, button, holder)
        assert error(dashboard) == "", button
    cluster.wait_for_dead(holder)
    press(dashboard, "restart-wiped", holder)
    cluster.wait_for_alive(holder)
    widget(dashboard, "rate").value = "50"
    press(dashboard, "set-link", holder)
    widget(dashboard, "side-a").value, widget(dashboard, "side-b").value = (holder,), ("client",)
    for button in ("partition", "heal", "add-keeper", "kill-master", "restart-master", "heal-all"):
        press(dashboard, button)
        assert error(dashboard) == "", button

    told = cluster.events()
    actions = [dfslab.Action.from_event(event).kind for event in cluster.trace if event.kind == "fault"]
    assert {"pause", "resume", "fill_disk", "free_disk", "drop_heartbeats", "restore_heartbeats"} <= set(actions)
    assert {"kill", "restart", "set_link", "partition", "heal", "add_keeper", "kill_master"} <= set(actions)
    assert (told.kind == "node_error").sum() == 0
    press(dashboard, "decommission", "keeper-5")
    assert error(dashboard) == ""
    assert cell(cluster, "keeper-5", "state") == "decommissioned"
    until(lambda: "keeper-5" not in widget(dashboard, "node").options)


def test_damage_is_found_and_shown(cluster: Cluster) -> None:
    cluster.upload(bytes(range(256)) * 2_000, name="a.bin")
    cluster.wait_for_replicas()
    dashboard = cluster.dashboard()
    victim = cluster.stat("a.bin").holders[0]

    press(dashboard, "corrupt", victim)
    press(dashboard, "heal-all")

    until(lambda: "was found corrupt" in widget(dashboard, "events").value)
    assert error(dashboard) == ""
    cluster.wait_for_replicas()


def test_too_many_faults_are_refused_on_the_page_unless_forced(cluster: Cluster) -> None:
    dashboard = cluster.dashboard()
    press(dashboard, "kill", "keeper-1")
    press(dashboard, "kill", "keeper-2")

    press(dashboard, "kill", "keeper-3")
    assert "would be broken at once" in error(dashboard)
    assert cluster.keepers().shape[0] == 4
    widget(dashboard, "force").value = True
    press(dashboard, "kill", "keeper-3")
    assert error(dashboard) == ""
    press(dashboard, "heal-all")
    cluster.wait_for_replicas()


def test_files_go_up_and_down_through_the_page(cluster: Cluster) -> None:
    dashboard = cluster.dashboard()
    widget(dashboard, "sample").value = "test-card.mp4"
    press(dashboard, "upload-sample")
    until(lambda: widget(dashboard, "file").value == "test-card.mp4")

    press(dashboard, "download")

    python, state, said = dashboard._acting.work.entries[-1]  # type: ignore[union-attr]
    assert (python, state) == ("cluster.download('test-card.mp4')", "done")
    path = Path(said.split(": ")[0])
    assert path.read_bytes() == dfslab.samples.videos()[0].read_bytes()
    press(dashboard, "delete")
    assert cluster.files().empty


def test_the_line_that_a_sample_shows_uploads_that_sample(cluster: Cluster) -> None:
    dashboard = cluster.dashboard()
    for sample in ("color-waves.mp4", "a video of 16 MB"):
        widget(dashboard, "sample").value = sample
        press(dashboard, "upload-sample")
    lines = [python for python, _, _ in dashboard._acting.work.entries]  # type: ignore[union-attr]

    assert cluster.stat("video-16mb.mp4").size == 16_000_000
    again = eval(lines[0], {"cluster": cluster, "dfslab": dfslab})  # what a student would copy from the page
    assert again.name == "color-waves.mp4"


def test_a_second_dashboard_replaces_the_first_and_leaves_one_refresher(cluster: Cluster) -> None:
    first = cluster.dashboard()
    second = cluster.dashboard()

    assert "newer dashboard" in first.children[0].value
    assert [thread.name for thread in threading.enumerate() if thread.name == "dashboard"] == ["dashboard"]
    assert error(second) == ""
    second.close()
    assert error(cluster.dashboard()) == ""


def test_closing_the_cluster_leaves_a_dashboard_that_says_so_and_no_thread(start: Starter) -> None:
    cluster = start()
    dashboard = cluster.dashboard()
    press(dashboard, "kill", "keeper-1")

    cluster.close()

    assert "This cluster is closed" in widget(dashboard, "error").value
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("dashboard")] == []
    assert widget(dashboard, "kill").disabled
    assert "keeper-1" in repr(dashboard)
    with pytest.raises(dfslab.errors.ClusterClosed):
        cluster.dashboard()


def test_closing_in_the_middle_of_what_a_button_has_begun_ends_it(start: Starter) -> None:
    cluster = start(link=dfslab.Link(rate_mb_s=4))
    dashboard = cluster.dashboard()
    widget(dashboard, "sample").value = "a video of 16 MB"
    widget(dashboard, "upload-sample").click()
    until(lambda: "upload_started" in set(cluster.events().kind))

    cluster.close()

    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("dashboard")] == []


def test_a_saved_trace_shows_the_same_as_the_cluster_did(start: Starter, tmp_path: Path) -> None:
    cluster = start()
    cluster.upload(bytes(100_000), name="a.bin")
    cluster.wait_for_replicas()
    victim = cluster.stat("a.bin").holders[0]
    before = cluster.now_s
    cluster.kill(victim)
    cluster.wait_for_dead(victim)
    cluster.wait_for_replicas()
    cluster.trace.to_jsonl(tmp_path / "trace.jsonl")
    live = cluster.dashboard()

    saved = dfslab.replay(tmp_path / "trace.jsonl").dashboard()

    assert saved._views.lookup.value == live._views.lookup.value
    assert saved._views.topology.nodes == live._views.topology.nodes
    saved._views.slider.at = before
    assert "✗ dead" not in saved._views.lookup.value
    saved.close()


def test_it_never_fails_while_the_cluster_works_hard(cluster: Cluster) -> None:
    dashboard = cluster.dashboard()
    for number in range(30):
        cluster.upload(bytes(200_000), name=f"{number % 5}.bin")
        cluster.download(f"{number % 5}.bin")
        if number == 10:
            cluster.kill(2)
        if number == 20:
            cluster.restart(2)
        dashboard._views.slider.at = [None, cluster.now_s / 2][number % 2]
        dashboard.refresh()
        assert dashboard._failure == ""
    dashboard._views.slider.at = None
    assert error(dashboard) == ""
