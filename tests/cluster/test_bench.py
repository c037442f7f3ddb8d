"""Benchmarks on real clusters: small ones, so that they take moments."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import dfslab
from dfslab import bench
from dfslab.cluster import Cluster
from dfslab.core.errors import InvalidOption, SourceUnreadable, TargetUnwritable, WaitTimedOut
from dfslab.core.links import Link
from dfslab.core.policies.chunk_scheduler import WorkStealing
from dfslab.lab.bench import repairs
from dfslab.lab.bench.plan import in_blocks
from dfslab.lab.bench.runs import COLUMNS, runs_of

TWENTY = Link(rate_mb_s=20)
SMALL: dict[str, Any] = {"repeats": 2, "progress": False}


def dtypes_of(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}  # type: ignore[misc]  # names are strings


def running() -> list[str]:
    return list(dfslab.cluster._running)


# -- what comes back ----------------------------------------------------------------------------


def test_a_parallel_download_measures_every_combination_so_often() -> None:
    runs = bench.parallel_download((1, 3), (0.5, 1), clients=(None, Link(rate_mb_s=100)), **SMALL)

    assert isinstance(runs, bench.Runs)
    assert dtypes_of(runs) == COLUMNS["parallel_download"]
    assert (runs.groupby(["holders", "size_mb", "client_link"]).size() == 2).all()
    assert len(runs) == 2 * 2 * 2 * 2
    assert list(runs.run) == list(range(1, 17))
    assert runs.rate_mb_s.tolist() == pytest.approx((runs.size_mb / runs.seconds).tolist())
    limited = runs.client_rate_mb_s.notna()
    assert runs.predicted_mb_s[limited].notna().all()
    assert runs.predicted_mb_s[~limited].isna().all()


def test_emulated_links_give_the_rates_that_were_predicted() -> None:
    """20 MB/s a keeper: 20, 40, 60; with a client of 30 MB/s, 20, 30, 30.

    A busy machine takes from the rates; nothing adds to them. Too little is what the next number of holders
    down would have given.
    """
    runs = bench.parallel_download(sizes_mb=(16,), links=[TWENTY], clients=[None, Link(rate_mb_s=30)], **SMALL)

    best = runs.groupby(["client_link", "holders"])[["rate_mb_s", "predicted_mb_s"]].max()
    assert list(best.predicted_mb_s) == pytest.approx([20, 30, 30, 20, 40, 60], rel=0.05)  # buckets start full
    assert (best.rate_mb_s > [16, 22, 22, 16, 25, 45]).all()
    assert (runs.rate_mb_s <= runs.predicted_high_mb_s * 1.001).all()


def test_an_upload_takes_longer_the_more_copies_it_waits_for() -> None:
    runs = bench.upload((1, 3), (2,), links=[TWENTY], **SMALL)

    assert dtypes_of(runs) == COLUMNS["upload"]
    one, three = runs.groupby("ack_replicas").seconds.min()
    assert one < three
    assert (runs.seconds >= runs.predicted_low_s - 0.001).all()


def test_hedging_makes_up_for_a_slow_holder() -> None:
    runs = bench.schedulers(size_mb=8, slow=Link(rate_mb_s=1), **SMALL)

    assert dtypes_of(runs) == COLUMNS["schedulers"]
    best = runs.groupby("scheduler").seconds.min()
    assert best["work-stealing"] < 0.8 * best["no-hedging"]
    assert set(runs.slow_link) == {"1 MB/s"}


def test_schedulers_of_ones_own_are_named_by_their_class_or_as_one_likes() -> None:
    class Mine(WorkStealing):
        pass

    listed = bench.schedulers([Mine], size_mb=0.3, link=None, slow=None, **SMALL)
    named = bench.schedulers({"a": Mine(), "b": "no-hedging"}, size_mb=0.3, link=None, slow=None, **SMALL)

    assert set(listed.scheduler) == {"Mine"}
    assert set(named.scheduler) == {"a", "b"}


def test_a_repair_is_measured_from_the_kill_and_compared_with_its_prediction() -> None:
    runs = bench.repair(("eager",), files=2, size_mb=0.5, keepers=4, repeats=1, progress=False)

    assert dtypes_of(runs) == COLUMNS["repair"]
    (run,) = runs.to_dict("records")
    assert 0 < run["detection_s"] < run["seconds"]
    assert run["copies_lost"] in (1, 2)
    assert 0 < run["predicted_low_s"] < run["predicted_s"] < run["predicted_high_s"]


# -- order, clusters, progress ------------------------------------------------------------------


def test_a_keeper_that_was_taken_for_dead_too_early_is_killed_again_in_a_new_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kills: list[str] = []

    def kill(cluster: Cluster, after_s: float) -> None:
        kills.append(cluster.name)

    monkeypatch.setattr(repairs, "_kill_and_wait", kill)
    with pytest.raises(WaitTimedOut, match="taken for dead before; try a lower speed"):
        bench.repair(("eager",), files=1, size_mb=0.1, keepers=2, replicas=1, repeats=1, progress=False)

    assert kills == ["bench-repair"] * repairs.TRIES
    assert running() == []


def test_every_round_has_every_setting_once_in_an_order_that_the_seed_decides() -> None:
    order = in_blocks("abcd", 3, seed=1)

    assert [repeat for repeat, _ in order] == [1] * 4 + [2] * 4 + [3] * 4
    blocks = ["".join(setting for _, setting in order[start : start + 4]) for start in (0, 4, 8)]
    assert all(sorted(block) == list("abcd") for block in blocks)
    assert len(set(blocks)) > 1
    assert order == in_blocks("abcd", 3, seed=1) != in_blocks("abcd", 3, seed=2)


def test_the_clusters_of_a_benchmark_are_closed_and_ones_own_is_left_alone() -> None:
    with dfslab.cluster.start(n=1, replicas=1, name="lab"):
        bench.parallel_download((1,), (0.1,), replicas=1, **SMALL)

        assert running() == ["lab"]


def test_the_cluster_is_closed_also_when_a_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        assert running() == ["bench-parallel_download"]
        raise RuntimeError("the run failed")

    monkeypatch.setattr(Cluster, "download", fail)
    with pytest.raises(RuntimeError, match="the run failed"):
        bench.parallel_download((1,), (0.1,), **SMALL)

    assert running() == []


def test_a_bar_is_shown_only_to_people_and_only_if_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing on the stderr of a script or of a graded notebook."""
    bench.parallel_download((1,), (0.1,), replicas=1, repeats=1)
    assert capsys.readouterr() == ("", "")

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    bench.parallel_download((1,), (0.1,), replicas=1, repeats=1, progress=False)
    assert capsys.readouterr() == ("", "")
    bench.parallel_download((1,), (0.1,), replicas=1, repeats=1)
    assert "parallel_download: 100%" in capsys.readouterr().err


# -- saving -------------------------------------------------------------------------------------


def some_runs() -> bench.Runs:
    """Return runs of `parallel_download` as if they had been measured."""
    rows: list[dict[str, Any]] = [
        {name: "text" if dtype == "string" else 1 for name, dtype in COLUMNS["parallel_download"].items()}
        | {"benchmark": "parallel_download", "run": run, "keeper_rate_mb_s": math.nan}
        for run in (1, 2, 3)
    ]
    return runs_of("parallel_download", rows)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_runs_that_were_saved_are_loaded_as_they_were(ending: str, tmp_path: Path) -> None:
    runs = some_runs()

    path = runs.save(tmp_path / f"runs.{ending}")

    assert path == tmp_path / f"runs.{ending}"
    loaded = bench.load(path)
    assert isinstance(loaded, bench.Runs)
    pd.testing.assert_frame_equal(loaded, runs)


def test_runs_that_can_not_be_saved_leave_what_was_there(tmp_path: Path) -> None:
    path = some_runs().save(tmp_path / "runs.parquet")
    mixed = some_runs()
    mixed["more"] = pd.Series([1, "two", b"three"], dtype=object)  # a column that Parquet can't hold

    with pytest.raises(ValueError):
        mixed.save(path)

    assert list(tmp_path.iterdir()) == [path]
    assert len(bench.load(path)) == 3


def test_a_selection_of_runs_can_still_be_drawn_and_saved() -> None:
    runs = some_runs()

    assert isinstance(runs[runs.run > 1], bench.Runs)
    assert len(runs[runs.run > 1]) == 2


def test_no_runs_have_the_same_columns() -> None:
    assert dtypes_of(runs_of("repair", [])) == COLUMNS["repair"]


def test_what_is_no_file_of_runs_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "old.csv").write_text("benchmark,run\nupload,1\n")
    (tmp_path / "broken.parquet").write_bytes(b"nothing of the kind")

    with pytest.raises(InvalidOption, match=r"path=.*\.parquet or \.csv"):
        some_runs().save(tmp_path / "runs.xlsx")
    with pytest.raises(TargetUnwritable):
        some_runs().save(tmp_path / "no" / "folder.csv")
    with pytest.raises(InvalidOption, match=r"path=.*\.parquet or \.csv"):
        bench.load("runs.txt")
    with pytest.raises(SourceUnreadable):
        bench.load(tmp_path / "missing.csv")
    with pytest.raises(SourceUnreadable):
        bench.load(tmp_path / "broken.parquet")
    with pytest.raises(InvalidOption, match="one benchmark"):
        bench.load(tmp_path / "other.csv")
    with pytest.raises(InvalidOption, match="no column repeat"):
        bench.load(tmp_path / "old.csv")


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: bench.parallel_download(holders=(4,)), r"holders=4.*at most 3.*replicas=3"),
        (lambda: bench.parallel_download(holders=(0,)), "holders=0"),
        (lambda: bench.parallel_download(holders=()), "holders="),
        (lambda: bench.parallel_download(holders=2), "holders=2.*sequence"),  # type: ignore[arg-type]
        (lambda: bench.parallel_download(sizes_mb=(-1,)), "sizes_mb=-1"),
        (lambda: bench.parallel_download(sizes_mb=(1e-9,)), "sizes_mb=1e-09.*one byte"),
        (lambda: bench.parallel_download(repeats=0), "repeats=0"),
        (lambda: bench.parallel_download(links=[20]), "links=20.*dfslab.Link"),  # type: ignore[list-item]
        (lambda: bench.parallel_download(clients=[30]), "clients=30.*dfslab.Link"),  # type: ignore[list-item]
        (lambda: bench.parallel_download(scheduler="fastest"), "chunk_scheduler='fastest'"),
        (lambda: bench.parallel_download(seed=0.5), "seed=0.5"),  # type: ignore[arg-type]
        (lambda: bench.parallel_download(replicas=0), "replicas=0"),
        (lambda: bench.upload(ack_replicas=(4,)), "ack_replicas=4"),
        (lambda: bench.upload(repair="never"), "repair='never'"),
        (lambda: bench.schedulers("work-stealing"), "schedulers='work-stealing'.*sequence or a mapping"),
        (lambda: bench.schedulers([]), "schedulers="),
        (lambda: bench.schedulers(["nonesuch"]), "nonesuch"),
        (lambda: bench.schedulers(holders=0), "holders=0"),
        (lambda: bench.schedulers(slow=1), "slow=1"),  # type: ignore[arg-type]
        (lambda: bench.repair(modes=("never",)), "modes='never'.*eager, scan"),
        (lambda: bench.repair(keepers=3), "replicas=3.*keepers=3"),
        (lambda: bench.repair(files=0), "files=0"),
        (lambda: bench.repair(speed=0), "speed=0"),
        (lambda: bench.repair(heartbeat_timeout_s=0.5), r"heartbeat_timeout_s=0.5"),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_started(call: Callable[[], object], named: str) -> None:
    with pytest.raises(InvalidOption, match=named):
        call()

    assert running() == []
