"""Exercise: a chunk scheduler with one queue for all holders."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from dfslab.cluster import Cluster
from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.downloads import MB, Holder, Served, download, well
from dfslab.exercises.worlds.real_downloads import SIZE, really_download

SEEDS = 20

SPEC = """\
Write a chunk scheduler with one queue for all: a class with one method, `next_chunk(keeper, waiting, in_flight,
chunk_s, now)`. It is asked whenever the holder `keeper` has nothing to do, and returns the chunk that it is to serve
next, or `None` to let it rest for the moment.

- `waiting` is a list of the chunks that nobody serves, in the order in which they are wanted: that of the file, with
  those first that a holder has failed to serve. A chunk has an `index`, an `offset` and a `length` in bytes.
- `in_flight`, `chunk_s` and `now` are not needed here: what is being served, and times in seconds.

While chunks wait, nobody rests, and the first one of `waiting` goes first. No chunk is served twice: when none is
waiting, the keeper rests. The scheduler remembers nothing: small chunks are put together on the way, so `waiting` is
another list each time.
"""

STARTER = """\
class MyScheduler:
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        return None
"""


def _once(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        size = rng.choice([1, 300_000, rng.randrange(1_000_000, 12_000_000)])
        served = _served(trial, well(*[10.0] * rng.choice([1, 2, 3, 5])), size)
        for answer in served.answers:
            if answer.is_second and answer.chunk is not None:
                other = answer.in_flight[answer.chunk.index].keepers[0]
                what = f"chunk {answer.chunk.index} was being served by {other}, and {answer.keeper} was given it, too"
                raise served.wrong(f"{what}: its bytes pass twice", answer.at_s)


def _nobody_rests(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        holders = well(*(rng.choice([2.0, 8.0, 20.0]) for _ in range(rng.choice([2, 3, 5]))))
        size = rng.randrange(6_000_000, 16_000_000)
        served = _served(trial, holders, size)
        ideal_s = size / MB / sum(one.rate_mb_s for one in holders.values())
        for answer in served.answers:
            if answer.rests:
                what = f"{answer.keeper} was given nothing while {len(answer.waiting)} chunks were waiting"
                told = f"the links carry the file in {ideal_s:.2f} s if all are busy; it took {served.end_s:.2f} s"
                raise served.wrong(f"{what}: {told}", answer.at_s)


def _in_order(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        holders = well(*(rng.choice([5.0, 20.0]) for _ in range(3)))
        served = _served(trial, holders, rng.randrange(2_000_000, 8_000_000))
        for answer in served.answers:
            if answer.chunk is not None and answer.waiting and answer.chunk != answer.waiting[0]:
                first = answer.waiting[0].index
                what = f"{answer.keeper} was given chunk {answer.chunk.index}, and chunk {first} was the first to wait"
                raise served.wrong(what, answer.at_s)


def _after_failures(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        served = _served(trial, _in_trouble(rng), rng.randrange(6_000_000, 12_000_000))
        failed = [one for one in served.requests if one.outcome == "failed"]
        for one in failed:
            for answer in served.answers:
                is_it = answer.waiting and answer.waiting[0].offset == one.chunk.offset and answer.at_s >= one.end_s
                if is_it and answer.chunk is not None and answer.chunk != answer.waiting[0]:
                    what = f"{one.keeper} failed to serve chunk {one.chunk.index}, and {answer.keeper}, free next, was"
                    told = f"given chunk {answer.chunk.index}: what has failed goes first"
                    raise served.wrong(f"{what} {told}", answer.at_s)


def _in_trouble(rng: random.Random) -> Mapping[str, Holder]:
    """Return four holders, of which one dies, and one fails now and then."""
    holders = well(*(rng.choice([5.0, 10.0]) for _ in range(4)))
    dying, failing = rng.sample(list(holders), 2)
    holders[dying] = replace(holders[dying], dies_s=rng.uniform(0.05, 0.5))
    holders[failing] = replace(holders[failing], fails=(1, 4))
    return holders


def _served(trial: Trial, holders: Mapping[str, Holder], size: int) -> Served:
    """Return a download that is whole; raise Wrong when it takes far too long."""
    alive = [one.rate_mb_s for one in holders.values() if one.dies_s > 60]
    until_s = 1 + 2 * size / MB / min(alive)
    served = download(trial.policy("chunk_scheduler"), holders, size, until_s=until_s)
    if not served.whole:
        missing = size - sum(one.chunk.length for one in served.requests if one.outcome == "ok")
        what = f"the download was not whole after {served.end_s:.2f} s: {missing / MB:.2f} MB are missing"
        resting = next((answer for answer in served.answers if answer.rests), None)
        if resting is None:
            raise served.wrong(what)
        told = f"first, {resting.keeper} was given nothing while {len(resting.waiting)} chunks were waiting"
        raise served.wrong(f"{what}; {told}", resting.at_s)
    return served


def _on_a_cluster(trial: Trial) -> None:
    def slow_one(cluster: Cluster) -> None:
        for keeper, rate_mb_s in ((1, 6), (2, 6), (3, 0.5)):
            cluster.set_link(keeper, rate_mb_s=rate_mb_s)

    done = really_download(trial, slow_one)
    ok = done.chunks[done.chunks.outcome == "ok"]
    slow = int(ok[ok.keeper == "keeper-3"].bytes.sum())
    if slow > SIZE / 5:
        what = f"on a real cluster, keeper-3 has a link of 0.5 MB/s and served {slow / MB:.1f} MB of {SIZE / MB:g}"
        raise Wrong(f"{what}; the others, with 6 MB/s each, have waited for it: it took {done.seconds:.1f} s")


EXERCISE = Exercise(
    name="chunk-queue",
    title="One queue for all holders",
    notebook="06_parallel_download",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("Every byte arrives, and no chunk is asked for twice", 1, _once),
        Check("Nobody rests while chunks wait, so that a fast holder serves more than a slow one", 2, _nobody_rests),
        Check("The chunk that waits first goes first", 1, _in_order),
        Check("What a holder has failed to serve goes first; a dead holder holds nobody up", 1, _after_failures),
        Check("It does so on a real cluster, of which one keeper is slow", 1, _on_a_cluster),
    ),
)
