"""How long until every file has its copies back."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dfslab.core.links import Link
from dfslab.core.nodes import MASTER
from dfslab.core.options import Options
from dfslab.core.predict.detection import detection_s
from dfslab.core.predict.prediction import (
    RATE_TOLERANCE,
    SLACK_S,
    Prediction,
    check_amount,
    check_machine,
    check_options,
    check_some,
    unknown,
)
from dfslab.core.predict.wires import EARLY, LATE, MEAN, Wires, named, tries


def repair_s(
    sizes_bytes: Sequence[int],
    *,
    sources: Sequence[Link],
    targets: Sequence[Link] | None = None,
    master: Link | None = None,
    options: Options | None = None,
    machine_mb_s: float | None = None,
    slack_s: float = SLACK_S,
) -> Prediction:
    """Predict the time from "dead" in the lookup table to full replication.

    Parameters
    ----------
    sizes_bytes : sequence of int
        The files that lost a copy, one entry for each copy to make.
    sources : sequence of Link
        The live keepers that hold them.
    targets : sequence of Link, optional
        The live keepers that may take a copy; by default all keepers are as the sources are.
    master : Link, optional
        By default as fast as the machine.
    options : Options, optional
        `repair`, `replication_interval_s` and `copies_per_keeper` matter.
    machine_mb_s : float, optional
        The rate of a node whose link sets no limit; where neither says, the prediction is NaN.
    slack_s : float
        What a busy machine may add, once for all and once more for each round of copies.

    Returns
    -------
    Prediction
        Seconds. Nothing lost takes no time.

    Raises
    ------
    InvalidOption
        For a size below 0, no source, or what is no link.

    Notes
    -----
    Repair is many to many: all holders send, all keepers receive. With B bytes in all, m copies, and N
    nodes on a side with rates r_i, three things bound it from below: that side's cards together, and the
    largest file through one pair::

        low = max(B / Σ sources, B / Σ targets, max size / min(source, target))

    `typical` counts whole copies: an even share is ceil(m / N) of them, on as many nodes as it takes,
    and the slowest of these ends last; where their links differ, it is the mean over which they are, for
    placement does not look at links. `high` gives each node its share and one more, at
    its slowest, and adds the two sides: each copy is held up either by its source or by its target
    (in max-min fairness every flow has a bottleneck: Bertsekas & Gallager, Data Networks), so the last
    one by at most the loads of both, the argument for open shops as well (a schedule without needless
    idling is at most twice the load: Racsmány, in Bárány & Fiala, Szigma 15, 1982).

    A round of at most `copies_per_keeper` copies a keeper costs an order, a handshake, a request
    and a report besides.

    *When it begins*: `repair="eager"`: at once. `repair="scan"`: with the next scan, 0 to R =
    `replication_interval_s` later, and each further round waits R for the next::

        typical += R/2 + (rounds - 1) R        high += R + τ + (rounds - 1) R

    Source: Ghemawat et al., "The Google file system", SOSP 2003, §4.3 (re-replication) and §6.2.5 (a
    chunkserver's 600 GB restored by all the others at once); Chun et al., "Efficient replica
    maintenance for distributed storage systems", NSDI 2006 (many nodes hold copies of what one held, so
    that repair is parallel).

    Examples
    --------
    >>> ten = Link(rate_mb_s=10)
    >>> round(repair_s([20_000_000], sources=[ten] * 2, targets=[ten] * 3).typical, 1)
    2.0
    """
    check_some("sources", sources)
    if targets is not None:
        check_some("targets", targets)
    sides = {**named(sources, "sources"), **named(sources if targets is None else targets, "targets")}
    names = list(sides)
    return repair_between(
        Wires.of({MASTER: master or Link(), **sides}, check_machine(machine_mb_s)),
        names[: len(sources)],
        names[len(sources) :],
        sizes_bytes,
        options=options,
        slack_s=slack_s,
    )


def recovery_s(
    sizes_bytes: Sequence[int],
    *,
    sources: Sequence[Link],
    targets: Sequence[Link] | None = None,
    master: Link | None = None,
    options: Options | None = None,
    machine_mb_s: float | None = None,
    slack_s: float = SLACK_S,
) -> Prediction:
    """Predict the time from a keeper's silence to full replication: `detection_s`, then `repair_s`.

    The parameters are those of `repair_s`.

    Returns
    -------
    Prediction
        Seconds.

    Examples
    --------
    >>> ten = Link(rate_mb_s=10)
    >>> now = Options(heartbeat_interval_s=1, heartbeat_timeout_s=3)
    >>> round(recovery_s([20_000_000], sources=[ten] * 2, targets=[ten] * 3, options=now).typical, 2)
    4.53
    """
    repair = repair_s(
        sizes_bytes,
        sources=sources,
        targets=targets,
        master=master,
        options=options,
        machine_mb_s=machine_mb_s,
        slack_s=slack_s,
    )
    return detection_s(options, slack_s=slack_s) + repair


def repair_between(
    wires: Wires,
    sources: Sequence[str],
    targets: Sequence[str],
    sizes_bytes: Sequence[int],
    *,
    options: Options | None = None,
    slack_s: float = SLACK_S,
) -> Prediction:
    """Predict the repair of files that `sources` hold and `targets` may take; see `repair_s`."""
    check_amount("slack_s", slack_s)
    sizes = [check_amount("sizes_bytes", size) for size in sizes_bytes]
    options = check_options(options)
    if not sizes:
        return Prediction(0.0, 0.0, 0.0)
    if any(math.isinf(wires.rate(source, target)) for source in sources for target in targets):
        return unknown()
    rounds = math.ceil(len(sizes) / (options.copies_per_keeper * min(len(sources), len(targets))))
    move, wait = _Move(wires, sources, targets, sizes), _wait_s(options, rounds)
    hops = [move.hops(when) for when in (EARLY, MEAN, LATE)]
    loss = max(wires.loss(source, target) for source in sources for target in targets)
    late = move.crowded() * (1 + RATE_TOLERANCE) + rounds * (hops[2] + slack_s) + slack_s
    return wait + Prediction(
        move.fluid() + hops[0],
        move.shared() * tries(loss) + rounds * hops[1],
        math.inf if loss else late,
    )


def _wait_s(options: Options, rounds: int) -> Prediction:
    """Return how long copies wait to be ordered."""
    if options.repair == "eager":
        return Prediction(0.0, 0.0, 0.0)
    interval, later = options.replication_interval_s, (rounds - 1) * options.replication_interval_s
    return Prediction(0.0, interval / 2 + later, interval + options.tick_s + later)


class _Move:
    """Bytes on their way from many holders to many targets."""

    def __init__(self, wires: Wires, sources: Sequence[str], targets: Sequence[str], sizes: Sequence[float]) -> None:
        self._wires, self._sources, self._targets, self._sizes = wires, sources, targets, sizes
        self._sides = [[wires.rate(node) for node in side] for side in (sources, targets)]

    def hops(self, when: int) -> float:
        """Return the seconds of one copy's messages: an order, a handshake, a request and a report."""
        pick, trips = (min, 2) if when == EARLY else (max, 4)
        between = [self._wires.delay(a, b, when) for a in self._sources for b in self._targets]
        told = [self._wires.delay(MASTER, target, when) for target in self._targets]
        return trips * pick(between) + 2 * pick(told)

    def fluid(self) -> float:
        """Return the time below which no plan can be."""
        total, longest = sum(self._sizes), max(self._sizes)
        through = min(max(side) for side in self._sides)
        burst = self._wires.burst(*self._sources, *self._targets)
        return max(0.0, max(total / sum(side) for side in self._sides) - burst, longest / through - burst)

    def shared(self) -> float:
        """Return the time when whole copies are shared out evenly, among nodes that nobody chose for their rates."""
        copies, mean, longest = len(self._sizes), sum(self._sizes) / len(self._sizes), max(self._sizes)
        burst = self._wires.burst(*self._sources, *self._targets)
        times = [
            _slowest_of(copies, [math.ceil(copies / len(side)) * mean / rate for rate in side]) for side in self._sides
        ]
        times += [_slowest_of(1, [longest / rate for rate in side]) for side in self._sides]
        return max(self.fluid(), max(times) - burst)

    def crowded(self) -> float:
        """Return the time when each side's busiest node has its share and one more copy, or everything."""
        total, longest = sum(self._sizes), max(self._sizes)
        loads = (min(total, total / len(side) + longest) / min(side) for side in self._sides)
        return max(
            self.shared(), sum(loads) if len(self._sizes) > 1 else longest / min(min(side) for side in self._sides)
        )


def _slowest_of(count: int, times: Sequence[float]) -> float:
    """Return the mean of the longest time among so many different nodes, drawn evenly; of all of them, the longest.

    The i-th longest of N is the longest drawn, if it is and none before it: C(N - i, n - 1) draws of C(N, n).
    """
    total, drawn = len(times), min(count, len(times))
    ways = math.comb(total, drawn)
    longest_first = sorted(times, reverse=True)
    return sum(time * math.comb(total - 1 - place, drawn - 1) for place, time in enumerate(longest_first)) / ways
