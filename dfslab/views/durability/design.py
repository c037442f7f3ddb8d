"""What a player decides, what that costs, and how long the files last with it."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cached_property

from dfslab.core.predict import Fleet, chance_interval, share_lost_by, simulate_losses
from dfslab.core.pretty import count_text

DAY_S = 86_400.0
YEAR_S = 365 * DAY_S
DATA_TB = 24
DISK_TB = 8
COPIES, KEEPERS, MTBF_DAYS, REPAIR_MB_S = (1, 5), (6, 40), (20, 200), (5, 60)
"""From where to where each of the four decisions may go."""

TB_COST, KEEPER_COST, MTBF_DAY_COST, MB_S_COST = 3.0, 8.0, 0.125, 0.4
EVENTS = 60_000
"""About how many failures and repairs all lives of a design come to, so that a slider answers at once."""
RUNS = (60, 400)


@dataclass(frozen=True)
class Design:
    """A fleet that keeps 24 TB of files on disks of 8 TB.

    Attributes
    ----------
    copies : int
        Of each file.
    keepers : int
    mtbf_days : int
        Mean time between failures of each keeper, days: better machines fail more rarely, and cost more.
    repair_mb_s : int
        What each keeper's network gives to repair, MB/s.
    """

    copies: int = 2
    keepers: int = 12
    mtbf_days: int = 60
    repair_mb_s: int = 20

    @property
    def cost(self) -> int:
        """What it costs a year: disk space, and for each keeper itself, its quality and its network."""
        keeper = KEEPER_COST + MTBF_DAY_COST * self.mtbf_days + MB_S_COST * self.repair_mb_s
        return round(TB_COST * DATA_TB * self.copies + self.keepers * keeper)

    @property
    def fewest_keepers(self) -> int:
        """So many have room for all the copies, and one more than there are copies."""
        return max(math.ceil(DATA_TB * self.copies / DISK_TB), self.copies + 1)

    @property
    def fits(self) -> bool:
        """True when the disks have room for it."""
        return self.keepers >= self.fewest_keepers

    @cached_property
    def fleet(self) -> Fleet:
        """The fleet, for the formulas; only for a design that fits."""
        return Fleet(self.keepers, self.copies, self.mtbf_days * DAY_S, DATA_TB * 1e12, self.repair_mb_s)

    @cached_property
    def chance(self) -> float:
        """The chance of losing a file within a year; 1 for a design that does not fit."""
        return self.fleet.loss_within(YEAR_S) if self.fits else 1.0

    @property
    def runs(self) -> int:
        """How many years are simulated: fewer where more happens in each."""
        events = 2 * self.keepers * 365 / self.mtbf_days
        return min(max(round(EVENTS / events), RUNS[0]), RUNS[1])

    def told(self) -> str:
        """Return it in words."""
        return (
            f"{count_text(self.copies, 'copy', 'copies')}, {count_text(self.keepers, 'keeper')}, "
            f"MTBF {self.mtbf_days} days, repair {self.repair_mb_s} MB/s"
        )


@dataclass(frozen=True)
class Tried:
    """A design, and simulated years of it: the same ones for the same design and seed.

    Attributes
    ----------
    design : Design
    losses : tuple of float
        When each simulated fleet lost its first file, seconds; infinity for those that lost none within the year.
    """

    design: Design
    losses: tuple[float, ...] = ()

    @classmethod
    def of(cls, design: Design, seed: int) -> Tried:
        """Live its years; one that does not fit has none."""
        if not design.fits:
            return cls(design)
        rng = random.Random(f"{seed}: {design}")
        return cls(design, tuple(simulate_losses(design.fleet.chain, rng, YEAR_S, runs=design.runs)))

    @property
    def hits(self) -> int:
        """Simulated fleets that lost a file."""
        return sum(loss <= YEAR_S for loss in self.losses)

    def share_by(self, time_s: float) -> tuple[float, float, float]:
        """Return the share of them that had lost a file by then, and its 95 % interval."""
        share = share_lost_by(self.losses, time_s)
        low, high = chance_interval(round(share * len(self.losses)), len(self.losses))
        return low, share, high

    def told(self, target: float, budget: float) -> str:
        """Return how it went, in a sentence or two."""
        design = self.design
        if not design.fits:
            return (
                f"The disks are too small: {count_text(design.copies, 'copy', 'copies')} of {DATA_TB} TB take "
                f"{design.fewest_keepers} keepers at least."
            )
        cost = f"Cost {design.cost} of {budget:g}"
        lost = (
            f"a file is lost within the year with a chance of {design.chance:.2%} (target {target:.2%}); "
            f"of {len(self.losses)} simulated years, {self.hits} lost one"
        )
        return f"{_judged(design, target, budget)} {cost}: {lost}."


def _judged(design: Design, target: float, budget: float) -> str:
    safe, cheap = design.chance <= target, design.cost <= budget
    if safe and cheap:
        return "You have it! Can it be done for less?"
    if safe:
        return "Safe enough, and too dear."
    return "Within the budget, and not safe enough." if cheap else "Too dear, and not safe enough."
