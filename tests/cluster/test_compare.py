"""Predicted against observed on a real cluster with emulated links, live and from its saved trace."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import dfslab
from dfslab.core.links import Link

MB = 1_000_000
TWENTY = Link(rate_mb_s=20, delay_ms=2)


def of(frame: pd.DataFrame, quantity: str) -> pd.DataFrame:
    return frame[frame.quantity == quantity]


def test_real_servers_do_as_was_predicted_and_never_better(tmp_path: Path) -> None:
    with dfslab.cluster.start(n=4, link=TWENTY, speed=4, seed=3, name="compare") as cluster:
        cluster.upload(bytes(4 * MB), name="one.bin")
        cluster.wait_for_replicas()
        cluster.upload(bytes(2 * MB), name="three.bin", ack_replicas=3)
        for holders in (1, 2, 3):
            cluster.download("one.bin", holders=holders)
        cluster.set_link("client", rate_mb_s=10)
        cluster.download("one.bin")
        victim = cluster.stat("one.bin").holders[0]
        cluster.kill(victim)
        cluster.wait_for_dead(victim)
        cluster.wait_for_replicas()

        frame = cluster.compare()
        replayed = dfslab.replay(cluster.trace.to_jsonl(tmp_path / "trace.jsonl")).compare()

    assert list(frame.quantity) == ["upload"] * 2 + ["download"] * 4 + ["detection", "recovery"]
    assert frame.predicted.notna().all()
    assert (frame.observed >= frame.predicted_low - 0.001).all(), frame
    assert frame.relative_error.abs().median() < 0.3, frame
    assert frame.within.mean() > 0.5, "a machine that does other things as well may make some of them late"
    slowest = of(frame, "download").observed
    assert slowest.iloc[3] > 0.35, "the client's own 10 MB/s, which the trace says it had by then"
    pd.testing.assert_frame_equal(frame, replayed, atol=1e-5)


def test_a_partition_is_a_silence_and_a_paused_holder_leaves_no_prediction() -> None:
    with dfslab.cluster.start(n=4, link=TWENTY, speed=5, seed=3, name="compare") as cluster:
        cluster.upload(bytes(MB), name="a.bin")
        cluster.wait_for_replicas()
        first, second, *_ = cluster.stat("a.bin").holders
        cluster.pause(second)
        cluster.download("a.bin")
        cluster.resume(second)
        cluster.partition(["master"], [first])
        cluster.wait_for_dead(first)
        cluster.heal()

        frame = cluster.compare()

    assert of(frame, "download").predicted.isna().all()
    detection = of(frame, "detection").query("subject == @first")
    assert len(detection) == 1
    assert (detection.observed >= detection.predicted_low).all()
