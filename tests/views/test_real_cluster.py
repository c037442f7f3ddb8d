"""The views of what real servers did: uploads, a death, repair, downloads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dfslab
from dfslab.core.errors import NoSuchFile
from dfslab.core.history import Table
from dfslab.core.trace import Trace, TraceEvent
from dfslab.views import tables
from dfslab.views.plots import Plots
from dfslab.views.source import Source

from .looks import draw, fault_labels, legend_texts, texts

SIZES = {"one.bin": 3_000_000, "two.bin": 400_000, "from-elsewhere.bin": 10_000}


@dataclass
class Scene:
    """What a cluster left behind, taken before it was closed."""

    while_dead: Table
    table: Table
    events: list[TraceEvent]
    now: float
    dry_run: pd.DataFrame
    html: str
    closed_html: str
    downloads: list[dfslab.Download]
    victim: str

    @property
    def plots(self) -> Plots:
        return Plots(Source(lambda: self.events, lambda at=None: Table() if at else self.table, lambda: self.now))

    @property
    def transfers(self) -> pd.DataFrame:
        return tables.transfers(self.events)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder: Path = tmp_path_factory.mktemp("downloads")
    with dfslab.cluster.start(n=4, speed=5, seed=1, name="views") as cluster:
        cluster.upload(bytes(SIZES["one.bin"]), name="one.bin")
        cluster.upload(bytes(SIZES["two.bin"]), name="two.bin")
        with dfslab.Client(cluster.address, token=cluster.token, name="elsewhere") as client:
            client.upload(bytes(SIZES["from-elsewhere.bin"]), name="from-elsewhere.bin")
        cluster.wait_for_replicas()
        downloads = [cluster.download("one.bin", folder, holders=holders) for holders in (1, 2, 3)]
        victim = cluster.stat("one.bin").holders[0]
        cluster.kill(victim)
        cluster.wait_for_dead(victim)
        recorder = cluster._recorder
        while_dead = recorder.table()
        cluster.wait_for_replicas()
        cluster.restart(victim)
        dry_run = cluster.scan_now(dry_run=True)
        html = cluster._repr_html_()
        scene = Scene(
            while_dead, recorder.table(), recorder.events(), cluster.now_s, dry_run, html, "", downloads, victim
        )
    scene.closed_html = cluster._repr_html_()
    return scene


def test_rows_of_the_killed_keeper_are_not_alive_and_all_others_are(scene: Scene) -> None:
    frame = tables.lookup_table(scene.while_dead)
    assert (frame.is_alive == (frame.data_node != scene.victim)).all()
    assert not frame.is_alive.all()


def test_file_path_is_the_absolute_path_of_the_replica(scene: Scene) -> None:
    frame = tables.lookup_table(scene.table)
    assert all(Path(path).is_absolute() for path in frame.file_path)
    assert all(keeper in path for keeper, path in zip(frame.data_node, frame.file_path, strict=True))


def test_every_file_is_back_at_its_goal(scene: Scene) -> None:
    frame = tables.files(scene.table, 3).set_index("file_name")
    assert frame.size_bytes.to_dict() == SIZES
    assert (frame.state == "ok").all()
    assert (frame.live_copies >= 3).all()


def test_keepers_hold_what_the_lookup_table_says(scene: Scene) -> None:
    keepers = tables.keepers(scene.table).set_index("keeper")
    rows = tables.lookup_table(scene.table)
    assert keepers.is_alive.all()
    assert keepers.loc[scene.victim, "incarnation"] == 2
    assert keepers.replicas.sum() == len(rows)
    assert keepers.stored_bytes.to_dict() == rows.groupby("data_node").size_bytes.sum().to_dict()


def test_uploads_are_done_with_their_client_and_keeper(scene: Scene) -> None:
    uploads = scene.transfers.query("kind == 'upload'").set_index("file_name")
    assert list(uploads.index) == list(SIZES)
    assert uploads.bytes.to_dict() == SIZES
    assert (uploads.state == "done").all()
    assert list(uploads.source) == ["client", "client", "elsewhere"]
    assert uploads.target.str.fullmatch(r"keeper-\d").all()


def test_downloads_are_what_the_client_got_back(scene: Scene) -> None:
    frame = scene.transfers.query("kind == 'download'")
    assert (frame.state == "done").all()
    assert list(frame.version) == [download.version for download in scene.downloads]
    assert list(frame.seconds) == pytest.approx([download.seconds for download in scene.downloads])
    assert list(frame.throughput_mb_s) == pytest.approx([download.throughput_mb_s for download in scene.downloads])
    assert list(frame.source) == [",".join(download.bytes_by_keeper()) for download in scene.downloads]


def test_copies_go_between_different_keepers_and_none_is_left_running(scene: Scene) -> None:
    copies = scene.transfers.query("kind == 'copy'")
    assert len(copies) >= 2 * len(SIZES) + 1
    assert (copies.source != copies.target).all()
    assert set(copies.state) <= {"done", "failed"}
    assert (copies[copies.state == "done"].seconds > 0).all()


def test_times_run_forward(scene: Scene) -> None:
    frame = scene.transfers
    assert (frame.end_s >= frame.start_s).all()
    assert frame.start_s.is_monotonic_increasing


def test_a_dry_run_of_the_scan_is_a_table_of_actions(scene: Scene) -> None:
    assert list(scene.dry_run.columns) == ["action", "file_name", "version", "source", "target", "reason"]


def test_the_pictures_show_it(scene: Scene) -> None:
    timeline = scene.plots.replication_timeline()
    draw(timeline)
    assert legend_texts(timeline)[1:] == list(SIZES)
    assert [label.get_text() for label in fault_labels(timeline)] == [f"{scene.victim} dead"]
    matrix = scene.plots.lookup_table()
    draw(matrix)
    assert [label.get_text() for label in matrix.get_yticklabels()] == sorted(SIZES)
    rates = scene.plots.download_throughput()
    draw(rates)
    (median,) = rates.lines
    assert np.size(median.get_xdata()) == len({len(download.bytes_by_keeper()) for download in scene.downloads})


@pytest.mark.parametrize("picture", [name for name in vars(Plots) if not name.startswith("_")])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 1.0])
def test_every_picture_can_be_drawn_of_every_moment(scene: Scene, picture: str, share: float) -> None:
    """Time travel: transfers under way, a keeper that is dead and not yet found so, nothing at all."""
    trace = Trace()
    trace.extend(scene.events)
    source = Source(trace.events, trace.table, lambda: scene.now).at(share * scene.now)
    if picture == "sequence":
        for what in ("upload", "download", "repair"):
            _draw_or_unknown(Plots(source), what)
        return
    draw(getattr(Plots(source), picture)())


def _draw_or_unknown(plots: Plots, what: str) -> None:
    """Draw the messages about a file, which early on nobody has heard of."""
    try:
        ax = plots.sequence("one.bin", what=what)
    except NoSuchFile:
        assert texts(plots.storage_balance()) == ["nothing is stored yet"]
    else:
        draw(ax)


def test_the_cluster_shows_itself_in_html(scene: Scene) -> None:
    assert "3 files" in scene.html
    assert all(f"keeper-{number}" in scene.html for number in range(1, 5))
    assert "closed" in scene.closed_html
