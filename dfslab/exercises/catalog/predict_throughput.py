"""Exercise: how fast a parallel download is, foretold."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfslab import cluster as front_door
from dfslab.core.policies.chunk_schedulers.uniform import Uniform
from dfslab.core.policies.chunk_schedulers.work_stealing import WorkStealing
from dfslab.exercises.drawing import BLUE, VERMILION, axes, svg
from dfslab.exercises.model import Check, Draw, Exercise, Wrong
from dfslab.exercises.trial import Trial
from dfslab.exercises.worlds.downloads import MB, Holder, Served, download

SEEDS = 20
SIZE = 200_000_000
"""Of the file in virtual time, bytes: large enough that its first and its last chunk do not matter."""
TOLERANCE = 0.1
MACHINE_MB_S = 600.0
SCHEDULERS = {"work-stealing": WorkStealing, "uniform": Uniform}
CLUSTER_SIZE = 4_000_000
CLUSTER_TRIES = 3
CLUSTER_SHARE = 0.6
"""Of what was foretold, what a real cluster must reach, in the best of its tries: the machine may be busy."""

SPEC = """\
Write a function `throughput_mb_s(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients)` that returns how fast
one download of a large file is, in MB/s.

- `holders_mb_s` is a list of the rates of the holders' links, in MB/s; `None` stands for a link without a limit.
- `client_mb_s` is the rate of the client's own link, or `None`.
- `machine_mb_s` is what the computer, on which all of them run, moves at most, for all downloads together.
- `scheduler` is `"work-stealing"`: a holder that is done takes the next chunk, so that all are busy to the end; or
  `"uniform"`: each holder serves an equal part of the file, and then rests.
- `clients` of them, each with a link of its own of that rate, download from the same holders at the same time, and
  share evenly.

Delays are so short that they do not matter. The answer may be wrong by a tenth.
"""

STARTER = """\
def throughput_mb_s(holders_mb_s, client_mb_s, machine_mb_s, scheduler, clients):
    return 0.0
"""


@dataclass(frozen=True)
class _Case:
    holders_mb_s: Sequence[float | None]
    client_mb_s: float | None = None
    scheduler: str = "work-stealing"
    clients: int = 1

    def __str__(self) -> str:
        rates = ", ".join(map(_rate_words, self.holders_mb_s))
        clients = "a client" if self.clients == 1 else f"{self.clients} clients"
        return (
            f"holders: {rates}; {clients}: {_rate_words(self.client_mb_s)}; "
            f"machine: {MACHINE_MB_S:g} MB/s; {self.scheduler}"
        )

    def foretold(self, trial: Trial) -> float:
        """Return the submission's answer; raise Wrong when it is no rate."""
        answer = trial.call(list(self.holders_mb_s), self.client_mb_s, MACHINE_MB_S, self.scheduler, self.clients)
        if isinstance(answer, bool) or not isinstance(answer, int | float) or not 0 <= answer < math.inf:
            raise Wrong(f"a rate in MB/s is asked for, and it returned {answer!r:.80} ({self})")
        return float(answer)

    def served(self) -> Served:
        """Live through one of the downloads. All are alike, so each has its even share of what they have in common."""
        shared = [min(MACHINE_MB_S, rate or math.inf) / self.clients for rate in self.holders_mb_s]
        client = min(self.client_mb_s or math.inf, MACHINE_MB_S / self.clients)
        holders = {f"keeper-{number}": Holder(rate, delay_s=0.0005) for number, rate in enumerate(shared, 1)}
        return download(SCHEDULERS[self.scheduler](), holders, SIZE, until_s=1e4, client_mb_s=client, rest_s=0.5)


def _rate_words(rate_mb_s: float | None) -> str:
    return "no limit" if rate_mb_s is None else f"{rate_mb_s:g} MB/s"


def _judge(trial: Trial, case: _Case) -> None:
    foretold, served = case.foretold(trial), case.served()
    if abs(foretold - served.rate_mb_s) > TOLERANCE * served.rate_mb_s:
        side = "faster" if foretold > served.rate_mb_s else "slower"
        what = f"it foretells {foretold:.1f} MB/s, {side} than the {served.rate_mb_s:.1f} MB/s that it was ({case})"
        raise Wrong(f"{what}. {_why(case, served)}", picture=_drawing(served, foretold))


def _why(case: _Case, served: Served) -> str:
    """Return what was the limit, without the formula."""
    busy = _busy_shares(served)
    resting = min(busy, key=lambda keeper: busy[keeper])
    if served.rate_mb_s > 0.95 * MACHINE_MB_S / case.clients:
        return "The machine moved as much as it can"
    if served.rate_mb_s > 0.95 * (case.client_mb_s or math.inf):
        return "The client's own link was full to the end"
    if busy[resting] < 0.8:
        return f"{resting} was busy for {busy[resting]:.0%} of the time only"
    return "All holders were busy to the end, at the full rate of their links"


def _busy_shares(served: Served) -> Mapping[str, float]:
    return {
        keeper: sum(one.end_s - one.start_s for one in served.requests if one.keeper == keeper) / served.end_s
        for keeper in served.holders
    }


def _drawing(served: Served, foretold_mb_s: float) -> Draw:
    """Return what draws the bytes that arrived, beside those that were foretold, over time."""

    def draw() -> str:
        ax = axes(2.6)
        arrived_mb, points = 0.0, [(0.0, 0.0)]
        for one in sorted((one for one in served.requests if one.outcome == "ok"), key=lambda one: one.end_s):
            arrived_mb += one.chunk.length / MB
            points.append((one.end_s, arrived_mb))
        ax.plot(*zip(*points, strict=True), color=BLUE, label="arrived")
        if foretold_mb_s > 0:
            until_s = min(served.end_s, served.size / MB / foretold_mb_s)
            line = [0.0, foretold_mb_s * until_s]
            ax.plot([0.0, until_s], line, color=VERMILION, linestyle="--", label="foretold")
        ax.set(xlabel="time (s)", ylabel="MB", title="one download", xlim=(0, None), ylim=(0, None))
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        return svg(ax)

    return draw


def _holders_add_up(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        _judge(trial, _Case(_rates(rng)))


def _own_link(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        rates = _rates(rng)
        _judge(trial, _Case(rates, round(sum(rates) * rng.choice([0.3, 0.6, 1.5]), 1)))


def _machine(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        holders: list[float | None] = [None, *rng.choices([None, 50.0, 200.0], k=rng.choice([0, 1, 2]))]
        _judge(trial, _Case(holders, rng.choice([None, None, 100.0, 2000.0])))


def _uniform(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        rates = [rng.choice([20.0, 40.0]) for _ in range(rng.choice([2, 3, 4]))]
        rates[rng.randrange(len(rates))] = rng.choice([4.0, 8.0])
        _judge(trial, _Case(rates, rng.choice([None, None, 10.0, 100.0]), "uniform"))


def _several(trial: Trial) -> None:
    for _ in trial.seeds(SEEDS):
        rng = trial.rng()
        rates = _rates(rng)
        client_mb_s = round(sum(rates) * rng.choice([0.2, 0.9]), 1)
        _judge(trial, _Case(rates, client_mb_s, clients=rng.choice([2, 3, 4])))


def _rates(rng: random.Random) -> list[float]:
    return [rng.choice([10.0, 20.0, 40.0]) for _ in range(rng.choice([1, 2, 3, 4]))]


def _on_a_cluster(trial: Trial) -> None:
    case = _Case([4.0, 4.0, 4.0], 6.0)
    foretold = case.foretold(trial)
    content = random.Random(6).randbytes(CLUSTER_SIZE)
    with (
        tempfile.TemporaryDirectory() as folder,
        front_door.start(n=3, replicas=3, name="predict-throughput", speed=10, heartbeat_timeout_s=30) as cluster,
    ):
        cluster.upload(content, name="lecture.mp4")
        cluster.wait_for_replicas()
        for keeper in (1, 2, 3):
            cluster.set_link(keeper, rate_mb_s=4)
        cluster.set_link("client", rate_mb_s=6)
        best = 0.0
        for _ in range(CLUSTER_TRIES):
            best = max(best, cluster.download("lecture.mp4", to=Path(folder)).throughput_mb_s)
            if CLUSTER_SHARE * foretold <= best:
                break
    if best < CLUSTER_SHARE * foretold or best > foretold * (1 + 2 * TOLERANCE):
        what = f"it foretells {foretold:.1f} MB/s, and the best of {CLUSTER_TRIES} downloads from a real cluster had"
        raise Wrong(f"{what} {best:.1f} MB/s (three holders with 4 MB/s each, the client has 6 MB/s)")


EXERCISE = Exercise(
    name="predict-throughput",
    title="How fast will it be?",
    notebook="06_parallel_download",
    spec=SPEC,
    starter=STARTER,
    checks=(
        Check("The holders' rates are right together", 1, _holders_add_up),
        Check("The client's own link is a limit", 1, _own_link),
        Check("Links without a limit, and a machine that has one", 1, _machine),
        Check("Equal parts of the file, and a holder that is slow", 2, _uniform),
        Check("Several clients at the same time", 1, _several),
        Check("A real cluster is as fast as foretold", 1, _on_a_cluster),
    ),
)
