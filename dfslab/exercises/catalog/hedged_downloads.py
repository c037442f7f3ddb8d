"""Exercise: a chunk scheduler that asks a second keeper for a chunk that is late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from dfslab.cluster import Cluster
from dfslab.core.policies.chunk_scheduler import InFlight
from dfslab.exercises.model import Check, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.downloads import MB, Answer, Holder, Served, download, well
from dfslab.exercises.worlds.real_downloads import really_download

SEEDS = 20
FACTOR, AT_FIRST_S = 2.0, 0.5
SLACK_S = 0.01

SPEC = """\
Write a chunk scheduler with one queue, as in `chunk-queue`, that also **hedges**: when no chunk is waiting, a keeper
that has nothing to do takes a second copy of a chunk that is late. Whichever copy arrives first is used. It has one
method, `next_chunk(keeper, waiting, in_flight, chunk_s, now)`.

- While chunks wait, the first one of `waiting` goes first, and nothing is asked for twice.
- `in_flight` is a dict of what is being served now, from the index of the chunk, the oldest first. Each value has the
  `chunk`, the `keepers` that serve it (a tuple of names) and `since_s`, when it was first asked for.
- `chunk_s` is how long a chunk has taken so far on average, in seconds; `None` before the first has arrived. `now` is
  in seconds.
- A chunk is **late** when it has been under way for twice `chunk_s` or longer; while there is no average, for 0.5 s
  or longer.
- Of the late ones, that which has been under way longest goes first. Two keepers at most serve a chunk at the same
  time. Who finds no late chunk rests.
"""

STARTER = """\
class MyScheduler:
    def next_chunk(self, keeper, waiting, in_flight, chunk_s, now):
        if waiting:
            return waiting[0]
        return None
"""


def _queue_first(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        holders = well(*(rng.choice([4.0, 10.0]) for _ in range(rng.choice([2, 3, 4]))))
        served = _served(trial, holders, rng.randrange(2_000_000, 8_000_000))
        for answer in served.answers:
            if not answer.waiting or answer.chunk == answer.waiting[0]:
                continue
            first = f"and chunk {answer.waiting[0].index} was the first of {len(answer.waiting)} that were waiting"
            given = "nothing" if answer.chunk is None else f"chunk {answer.chunk.index}"
            again = " a second time" if answer.is_second else ""
            raise served.wrong(f"{answer.keeper} was given {given}{again}, {first}", answer.at_s)


def _not_too_soon(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        holders = well(*(rng.uniform(4.0, 12.0) for _ in range(rng.choice([2, 3, 4]))))
        served = _served(trial, holders, rng.randrange(200_000, 8_000_000))
        for answer, flight in _seconds(served):
            under_way_s, late_s = answer.at_s - flight.since_s, _late_s(answer)
            if under_way_s < late_s - 1e-6:
                what = f"{answer.keeper} was given chunk {flight.chunk.index} a second time, which had been under way"
                raise served.wrong(f"{what} for {under_way_s:.3f} s: {_told(answer)}", answer.at_s)


def _nobody_is_held_up(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        holders = well(*[8.0] * rng.choice([2, 3, 4]))
        slow = rng.choice(list(holders))
        holders[slow] = replace(holders[slow], later_s=rng.uniform(0.05, 0.3), later_mb_s=rng.choice([0.0, 0.02]))
        served = _served(trial, holders, rng.randrange(6_000_000, 9_000_000))
        _nobody_rests_while_one_is_late(served)


def _at_first(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        holders = well(*[8.0] * rng.choice([2, 3, 4]))
        holders["keeper-1"] = Holder(8.0, later_s=0.0)
        served = _served(trial, holders, rng.randrange(50_000, 250_000))
        _nobody_rests_while_one_is_late(served)


def _oldest_first(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        holders = well(*[6.0] * 5)
        for keeper, freezes_s in zip(rng.sample(list(holders), 2), (0.05, 0.25), strict=True):
            holders[keeper] = replace(holders[keeper], later_s=freezes_s)
        served = _served(trial, holders, 12_000_000)
        for answer, flight in _seconds(served):
            if len(flight.keepers) > 1:
                by = " and ".join(flight.keepers)
                what = f"{answer.keeper} was given chunk {flight.chunk.index}, which {by} were serving already"
                raise served.wrong(f"{what}: two keepers at most serve a chunk", answer.at_s)
            oldest = next(iter(_late(answer)), flight)
            if oldest.since_s < flight.since_s:
                what = f"{answer.keeper} was given chunk {flight.chunk.index}, under way since {flight.since_s:.2f} s"
                told = f"chunk {oldest.chunk.index}, under way since {oldest.since_s:.2f} s, was late, too: the oldest"
                raise served.wrong(f"{what}; {told} goes first", answer.at_s)


def _seconds(served: Served) -> Iterator[tuple[Answer, InFlight]]:
    """Yield each answer that asks for a chunk a second time, with what was known of that chunk."""
    for answer in served.answers:
        if answer.is_second and answer.chunk is not None:
            yield answer, answer.in_flight[answer.chunk.index]


def _late_s(answer: Answer) -> float:
    return AT_FIRST_S if answer.chunk_s is None else FACTOR * answer.chunk_s


def _told(answer: Answer) -> str:
    if answer.chunk_s is None:
        return f"before the first chunk is there, one is late after {AT_FIRST_S:g} s"
    return f"the average is {answer.chunk_s:.3f} s, and a chunk is late after twice that"


def _late(answer: Answer, slack_s: float = 0.0) -> list[InFlight]:
    """Return the chunks that this keeper may have taken over, the oldest first."""
    flights = (flight for flight in answer.in_flight.values() if len(flight.keepers) == 1)
    late = [flight for flight in flights if answer.at_s - flight.since_s >= _late_s(answer) + slack_s]
    return [flight for flight in late if answer.keeper not in flight.keepers]


def _nobody_rests_while_one_is_late(served: Served) -> None:
    for answer in served.answers:
        late = [] if answer.chunk or answer.waiting else _late(answer, SLACK_S)
        if late:
            held, by = late[0], late[0].keepers[0]
            what = f"{answer.keeper} was given nothing although chunk {held.chunk.index} had been under way at {by} for"
            raise served.wrong(f"{what} {answer.at_s - held.since_s:.2f} s: {_told(answer)}", answer.at_s)


def _served(trial: Trial, holders: Mapping[str, Holder], size: int) -> Served:
    """Return a download that is whole; raise Wrong when it is not so in time, with the moment that it went wrong."""
    alive = [one.rate_mb_s for one in holders.values() if one.later_s > 60]
    until_s = 1.5 + 1.5 * size / MB / sum(alive)
    served = download(trial.policy("chunk_scheduler"), holders, size, until_s=until_s)
    if not served.whole:
        _nobody_rests_while_one_is_late(served)
        raise served.wrong(f"the download was not whole after {served.end_s:.2f} s")
    return served


def _on_a_cluster(trial: Trial) -> None:
    def freeze_one(cluster: Cluster) -> None:
        for keeper in (1, 2, 3):
            cluster.set_link(keeper, rate_mb_s=8)
        cluster.pause(1)

    done = really_download(trial, freeze_one)
    waited = done.chunks[(done.chunks.keeper == "keeper-1") & (done.chunks.outcome == "failed")]
    if len(waited):
        longest_s = float((waited.end_s - waited.start_s).max())
        what = f"on a real cluster, keeper-1 was frozen, and the client waited {longest_s:.1f} s for its chunk until it"
        raise Wrong(f"{what} gave it up; the others had nothing to do, and could have served it")


EXERCISE = Exercise(
    name="hedged-downloads",
    title="Ask twice for what is late",
    notebook="06_parallel_download",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("While chunks wait, the first of them goes first", 1, _queue_first),
        Check("A holder that freezes, or becomes slow, holds nobody up", 2, _nobody_is_held_up),
        Check("Before the first chunk is there, one is late after half a second", 1, _at_first),
        Check("Nothing is asked for a second time before it is late", 1, _not_too_soon),
        Check("Two keepers at most serve a chunk, and the oldest late one goes first", 1, _oldest_first),
        Check("It does so on a real cluster, of which one keeper is frozen", 1, _on_a_cluster),
    ),
)
