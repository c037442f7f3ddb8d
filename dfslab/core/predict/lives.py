"""Lives of clusters, drawn at random: the model of `RepairChain` keeper by keeper, and two ways in which it errs."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from dfslab.core.checks import check_count, check_positive
from dfslab.core.errors import InvalidOption
from dfslab.core.predict.chains import RepairChain


@dataclass(frozen=True)
class Bursts:
    """Failures that come together: now and then several keepers die at one moment.

    A rack loses its power, an update goes wrong: Ford et al., "Availability in globally distributed storage
    systems", OSDI 2010, §4, find about 37 % of the node failures that they saw to be part of such a burst.

    Attributes
    ----------
    every_s : float
        Mean time from one burst to the next, seconds.
    keepers : int
        How many die in each, whichever.
    """

    every_s: float
    keepers: int

    def __post_init__(self) -> None:
        check_positive("every_s", self.every_s)
        check_count("keepers", self.keepers)


def first_loss_s(
    chain: RepairChain,
    rng: random.Random,
    until_s: float = math.inf,
    *,
    fixed_recovery: bool = False,
    bursts: Bursts | None = None,
) -> float:
    """Live one life, keeper by keeper, and return when it lost its first file, seconds; infinity when it did not.

    Every keeper draws when it will fail; one that is down draws when it is made good. Nothing here knows of the
    chain's states, so that the two can be held against each other.

    Parameters
    ----------
    chain : RepairChain
        The keepers, and their rates.
    rng : random.Random
        The chance of this life.
    until_s : float
        Where it ends if nothing was lost.
    fixed_recovery : bool
        Every recovery takes `recovery_s`, not an exponential time with that mean.
    bursts : Bursts, optional
        Failures in addition to those of single keepers.

    Raises
    ------
    InvalidOption
        A burst of more keepers than there are.
    """
    if bursts is not None and bursts.keepers > chain.exposed:
        reason = f"there are {chain.exposed} keepers"
        raise InvalidOption(option="bursts.keepers", value=repr(bursts.keepers), reason=reason)
    failing, making = 1 / chain.mtbf_s, 1 / chain.recovery_s
    due = [rng.expovariate(failing) for _ in range(chain.exposed)]
    up = [True] * chain.exposed
    burst_s = rng.expovariate(1 / bursts.every_s) if bursts else math.inf
    down = 0
    while True:
        next_s = min(due)
        now_s = min(next_s, burst_s)
        if now_s > until_s:
            return math.inf
        struck = [due.index(next_s)]
        if bursts and burst_s < next_s:
            struck = [keeper for keeper in rng.sample(range(chain.exposed), bursts.keepers) if up[keeper]]
            burst_s += rng.expovariate(1 / bursts.every_s)
        for keeper in struck:
            if up[keeper]:
                due[keeper] = now_s + (chain.recovery_s if fixed_recovery else rng.expovariate(making))
            else:
                due[keeper] = now_s + rng.expovariate(failing)
            down += 1 if up[keeper] else -1
            up[keeper] = not up[keeper]
        if down >= chain.replicas:
            return now_s


def simulate_losses(
    chain: RepairChain,
    rng: random.Random,
    until_s: float = math.inf,
    *,
    runs: int = 1000,
    fixed_recovery: bool = False,
    bursts: Bursts | None = None,
) -> list[float]:
    """Live many lives, and return when each of them lost its first file, as `first_loss_s` does.

    Raises
    ------
    InvalidOption

    Examples
    --------
    >>> hour = 3600.0
    >>> chain = RepairChain(replicas=2, mtbf_s=100 * hour, recovery_s=10 * hour)
    >>> losses = simulate_losses(chain, random.Random(8), until_s=500 * hour, runs=1000)
    >>> hits = sum(loss < math.inf for loss in losses)
    >>> low, high = chance_interval(hits, 1000)
    >>> low < chain.loss_within(500 * hour) < high
    True
    """
    check_count("runs", runs)
    return [first_loss_s(chain, rng, until_s, fixed_recovery=fixed_recovery, bursts=bursts) for _ in range(runs)]


def chance_interval(hits: int, runs: int, sigmas: float = 1.96) -> tuple[float, float]:
    """Return between which two values a chance may lie that was met in `hits` of so many independent runs.

    Parameters
    ----------
    hits, runs : int
    sigmas : float
        How sure it is to be, in standard deviations of a normal distribution: 1.96 for 95 %, 5.2 for all but one in
        five million.

    Raises
    ------
    InvalidOption

    Notes
    -----
    Wilson's interval ("Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22, 1927): it holds for few hits too, and for none at all.

    Examples
    --------
    >>> [round(bound, 4) for bound in chance_interval(0, 300)]
    [0.0, 0.0126]
    """
    check_count("runs", runs)
    check_positive("sigmas", sigmas)
    share, width = hits / runs, sigmas**2 / runs
    middle = (share + width / 2) / (1 + width)
    half = sigmas / (1 + width) * math.sqrt(share * (1 - share) / runs + width / (4 * runs))
    return max(0.0, middle - half), min(1.0, middle + half)


def share_lost_by(losses: Sequence[float], time_s: float) -> float:
    """Return which share of the lives had lost a file by a moment."""
    return sum(loss <= time_s for loss in losses) / len(losses)
