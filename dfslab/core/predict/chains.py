"""The Markov chain behind every durability figure: keepers die, copies are made again, and sometimes not in time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dfslab.core.checks import check_count, check_positive, check_timeout
from dfslab.core.errors import InvalidOption

Matrix = list[list[float]]

STEP = 0.25
"""How much may happen, on average, in the first step of `state_chances`, before it is squared."""
JUMPS = 30
"""Jumps in that step that are counted: more of them have a chance of less than 1e-50."""


@dataclass(frozen=True)
class RepairChain:
    """A birth-death chain that counts the keepers that are down with their copies not yet made again.

    With `keepers` left out it is about one file: its `replicas` copies are each on a keeper of their own, and
    the file is lost at the moment when all of them are down. With `keepers` it is about all files of a cluster
    in which every `replicas` keepers have some file in common, as many files placed at random come to: the
    first file is lost when any `replicas` of them are down.

    Attributes
    ----------
    replicas : int
        Copies of each file.
    mtbf_s : float
        Mean time between failures of one keeper, seconds.
    recovery_s : float
        Mean time from a keeper's failure until all its copies are made again, seconds.
    keepers : int, optional
        By default `replicas`.

    Raises
    ------
    InvalidOption
        For what is no count or no time, and for fewer keepers than replicas.

    Notes
    -----
    Assumed: keepers fail independently, each at the constant rate λ = 1 / MTBF; each that is down is made good
    at the rate μ = 1 / recovery, all at once; no disk comes back with its copies. With k of n keepers down::

        k -> k + 1  at the rate (n - k) λ          k -> k - 1  at the rate k μ          lost at k = replicas

    Patterson, Gibson & Katz, "A case for redundant arrays of inexpensive disks (RAID)", SIGMOD 1988, have the
    mean time of this chain for groups of disks that survive one failure; Ford et al., "Availability in globally
    distributed storage systems", OSDI 2010, use it for replicas and stripes, and measure where it is too hopeful.

    Examples
    --------
    >>> day = 86_400.0
    >>> chain = RepairChain(replicas=3, mtbf_s=100 * day, recovery_s=day)
    >>> f"{chain.mean_time_to_loss_s / (365 * day):.0f} years, {chain.loss_within(365 * day):.1e} within one"
    '946 years, 1.1e-03 within one'
    """

    replicas: int
    mtbf_s: float
    recovery_s: float
    keepers: int | None = None

    def __post_init__(self) -> None:
        check_count("replicas", self.replicas)
        check_positive("mtbf_s", self.mtbf_s)
        check_positive("recovery_s", self.recovery_s)
        if self.keepers is not None and check_count("keepers", self.keepers) < self.replicas:
            reason = f"{self.replicas} copies need as many keepers"
            raise InvalidOption(option="keepers", value=repr(self.keepers), reason=reason)

    @property
    def exposed(self) -> int:
        """Keepers whose failures count."""
        return self.replicas if self.keepers is None else self.keepers

    def failing(self, down: int) -> float:
        """Return the rate of the next failure, per second, with so many keepers down."""
        return (self.exposed - down) / self.mtbf_s

    def making(self, down: int) -> float:
        """Return the rate at which one of those that are down is made good, per second."""
        return down / self.recovery_s

    @property
    def mean_time_to_loss_s(self) -> float:
        """Mean time from all being well to the first loss, seconds.

        From k down it takes, on average, T(k) until k + 1 are down for the first time: 1 / (rates) until
        anything happens, and after a repair the way back up and T(k) again, so that::

            T(0) = 1 / (n λ)        T(k) = (1 + k μ T(k - 1)) / ((n - k) λ)        mean = T(0) + ... + T(replicas - 1)
        """
        step = total = 1 / self.failing(0)
        for down in range(1, self.replicas):
            step = (1 + self.making(down) * step) / self.failing(down)
            total += step
        return total

    def loss_within(self, time_s: float) -> float:
        """Return the chance that something is lost within so many seconds, exactly: the last of `state_chances`."""
        return self.state_chances(time_s)[-1]

    def state_chances(self, time_s: float) -> list[float]:
        """Return the chance of 0, 1, ..., `replicas` keepers down after so many seconds; the last one is for good.

        Raises
        ------
        InvalidOption

        Notes
        -----
        The chances are a row of exp(Q t). A short step is summed up over how many jumps it holds, which is
        Poisson distributed (uniformisation: Jensen, "Markoff chains as an aid in the study of Markoff
        processes", Skandinavisk Aktuarietidskrift 36, 1953), then squared until it is as long as `time_s`
        (Moler & Van Loan, "Nineteen dubious ways to compute the exponential of a matrix", SIAM Review 20,
        1978, method 3). Nothing is ever subtracted, and rows are kept at a sum of 1, so that a chance of 1e-15 is
        as exact as one of a half.
        """
        check_timeout("time_s", time_s)
        busiest = max(self.failing(down) + self.making(down) for down in range(self.replicas))
        squarings = max(0, math.ceil(math.log2(max(busiest * time_s / STEP, 1.0))))
        step = self._short_step(busiest, time_s / 2**squarings)
        for _ in range(squarings):
            step = _whole(_product(step, step))
        return step[0]

    def _short_step(self, busiest: float, time_s: float) -> Matrix:
        """Return the chances of going from each state to each other one in a time in which little happens."""
        size = self.replicas + 1
        jump = self._jump(busiest)
        power: Matrix = [[float(row == column) for column in range(size)] for row in range(size)]
        weight = math.exp(-busiest * time_s)
        total: Matrix = [[weight * one for one in row] for row in power]
        for jumps in range(1, JUMPS + size):
            power = _product(power, jump)
            weight *= busiest * time_s / jumps
            total = _sum(total, power, weight)
        return _whole(total)

    def _jump(self, busiest: float) -> Matrix:
        """Return the chances of where a jump leads, when every state jumps at the rate of the busiest."""
        jump = [[0.0] * (self.replicas + 1) for _ in range(self.replicas + 1)]
        for down in range(self.replicas):
            jump[down][down + 1] = self.failing(down) / busiest
            if down:
                jump[down][down - 1] = self.making(down) / busiest
            jump[down][down] = (busiest - self.failing(down) - self.making(down)) / busiest
        jump[-1][-1] = 1.0
        return _whole(jump)


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = list(zip(*right, strict=True))
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in left]


def _sum(total: Matrix, more: Matrix, weight: float) -> Matrix:
    rows = zip(total, more, strict=True)
    return [[a + weight * b for a, b in zip(row, other, strict=True)] for row, other in rows]


def _whole(matrix: Matrix) -> Matrix:
    """Return it with rows that sum to 1 again, after rounding."""
    return [[max(0.0, one) / sum(row) for one in row] for row in matrix]
