"""Record the trace that the gallery is drawn from: a real cluster, and what a lesson of 40 s does to it.

Usage: python tools/record_gallery.py [TRACE]

The folder in which the cluster worked is replaced by /srv/dfslab, so that the trace names no machine.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dfslab

REPO = Path(__file__).resolve().parent.parent
TRACE = REPO / "docs" / "gallery" / "trace.jsonl"
ROOT = "/srv/dfslab"
CLIP, NOTES, TALK = "lectures/clip.mp4", "notes.pdf", "talk.mp4"
SIZES = {CLIP: 24_000_000, NOTES: 3_000_000, TALK: 9_000_000}

CALM_S = 1.5
"""Between two things that happen, so that the pictures show them apart."""


def record(trace: Path) -> None:
    """Play the lesson and write its trace."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "cluster"
        link = dfslab.Link(rate_mb_s=20, delay_ms=1)
        with dfslab.cluster.start(n=6, name="gallery", root=root, link=link, seed=7) as cluster:
            play(cluster, Path(folder) / "downloads")
            saved = cluster.trace.to_jsonl(Path(folder) / "trace.jsonl")
        trace.parent.mkdir(parents=True, exist_ok=True)
        trace.write_text(Path(saved).read_text("utf-8").replace(str(root), ROOT), "utf-8")


def play(cluster: dfslab.cluster.Cluster, downloads: Path) -> None:
    """Upload, download, break and repair."""
    downloads.mkdir()
    content = random.Random(7)
    for name, size in SIZES.items():
        cluster.upload(content.randbytes(size), name=name)
    cluster.wait_for_replicas()
    for holders in (1, 2, 3):
        for _ in range(4):
            cluster.download(CLIP, downloads, holders=holders)
    with downloading(cluster, downloads):
        victim = cluster.kill(cluster.stat(CLIP).holders[0])
    cluster.wait_for_dead(victim)
    cluster.wait_for_replicas()
    time.sleep(CALM_S)
    cluster.restart(victim)
    time.sleep(CALM_S)
    with cluster.pause(cluster.stat(NOTES).holders[0]):
        time.sleep(2.2)
    time.sleep(CALM_S)
    cluster.corrupt(TALK, cluster.stat(TALK).holders[0])
    cluster.download(TALK, downloads, holders=1)  # from the first holder, which is found out
    cluster.wait_for_replicas()
    time.sleep(CALM_S)
    lonely = cluster.stat(CLIP).holders[1]
    with cluster.partition([lonely], ["master"]):
        cluster.wait_for_dead(lonely)
        time.sleep(CALM_S)
    time.sleep(CALM_S)
    with cluster.set_link("client", rate_mb_s=30):
        cluster.download(CLIP, downloads)
    cluster.upload(content.randbytes(SIZES[CLIP]), name="encore.mp4")
    cluster.wait_for_replicas()
    time.sleep(CALM_S)


@contextmanager
def downloading(cluster: dfslab.cluster.Cluster, downloads: Path) -> Iterator[None]:
    """Run a download beside the block, which begins when some chunks have arrived."""
    begun = threading.Event()
    thread = threading.Thread(
        target=cluster.download,
        args=(CLIP, downloads),
        kwargs={"progress": lambda done, total: begun.set() if done > total / 3 else None},
    )
    thread.start()
    begun.wait(10.0)
    yield
    thread.join()


if __name__ == "__main__":
    record(Path(sys.argv[1]) if len(sys.argv) > 1 else TRACE)
