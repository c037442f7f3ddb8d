"""Files that are lost: the right chain, the chains of usual mistakes, and what chance allows a simulation to count."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dfslab.core.predict import RepairChain
from dfslab.exercises.drawing import BLUE, ORANGE, VERMILION, axes, svg

TAIL = 2e-8
"""The chance that a right simulation counts fewer, or more, than is allowed, each."""


class _OneFailsAtATime(RepairChain):
    def failing(self, down: int) -> float:
        return 1 / self.mtbf_s


class _AllFailAtTheSameRate(RepairChain):
    def failing(self, down: int) -> float:
        return self.exposed / self.mtbf_s


class _OneIsMadeAtATime(RepairChain):
    def making(self, down: int) -> float:
        return min(down, 1) / self.recovery_s


class _NothingIsMade(RepairChain):
    def making(self, down: int) -> float:
        return 0.0


@dataclass(frozen=True)
class File:
    """One file, and how long it is looked at.

    Attributes
    ----------
    copies : int
    mtbf_s, repair_s, time_s : float
    """

    copies: int
    mtbf_s: float
    repair_s: float
    time_s: float

    def __str__(self) -> str:
        return f"copies={self.copies}, mtbf_s={self.mtbf_s:g}, repair_s={self.repair_s:g}, time_s={self.time_s:g}"

    @property
    def chain(self) -> RepairChain:
        """The chain that counts its copies."""
        return RepairChain(self.copies, self.mtbf_s, self.repair_s)

    @property
    def chance(self) -> float:
        """How likely it is lost."""
        return self.chain.loss_within(self.time_s)

    def mistaken(self) -> Mapping[str, float]:
        """Return what usual mistakes make of the chance, by what each of them has overlooked."""
        chains = {
            "only one of the live copies can fail: i of them fail at the rate i / mtbf_s": _OneFailsAtATime,
            "a copy that is gone fails again: only the live ones can": _AllFailAtTheSameRate,
            "one missing copy is made at a time: k of them are made at the rate k / repair_s": _OneIsMadeAtATime,
            "nothing is repaired": _NothingIsMade,
        }
        settings = (self.copies, self.mtbf_s, self.repair_s)
        both = 1 / self.mtbf_s + 1 / self.repair_s
        down = -math.expm1(-both * self.time_s) / (self.mtbf_s * both)
        return {
            **{what: chain(*settings).loss_within(self.time_s) for what, chain in chains.items()},
            "a lost file comes back: when no copy is left there is nothing to copy from": down**self.copies,
            "it is lost as soon as one copy fails": -math.expm1(-self.copies * self.time_s / self.mtbf_s),
            "the mean time to loss is taken for all there is to know (1 - exp(-t / mean))": -math.expm1(
                -self.time_s / self.chain.mean_time_to_loss_s
            ),
        }


def picture(file: File, answers: Mapping[float, float]) -> str:
    """Draw the chance of a loss over time, with what was answered for some times, as SVG."""
    ax = axes(2.6)
    until_s = max(answers)
    times = [until_s * part / 40 for part in range(41)]
    ax.plot(times, [file.chain.loss_within(one) for one in times], color=BLUE, label="the chain")
    ax.plot(list(answers), list(answers.values()), "X", color=VERMILION, markersize=8, label="your answers")
    ax.set(xlabel="time (s)", ylabel="chance that it is lost", title=f"{file.copies} copies")
    ax.legend(frameon=False)
    return svg(ax)


def log_chances(runs: int, chance: float) -> Iterator[float]:
    """Yield the logarithm of the binomial chance of 0, 1, ..., `runs` hits."""
    for hits in range(runs + 1):
        ways = math.lgamma(runs + 1) - math.lgamma(hits + 1) - math.lgamma(runs - hits + 1)
        yield ways + hits * math.log(chance) + (runs - hits) * math.log1p(-chance)


def allowed(runs: int, chance: float, tail: float = TAIL) -> tuple[int, int]:
    """Return the fewest and the most hits of so many runs that chance allows.

    Fewer come, or more, with a chance of at most `tail` each (the binomial distribution, summed up).
    """
    chances = [math.exp(one) for one in log_chances(runs, chance)]
    return _reached(chances, tail), runs - _reached(chances[::-1], tail)


def _reached(chances: list[float], tail: float) -> int:
    """Return the first number of hits at which the sum from 0 on is more than `tail`."""
    total = 0.0
    for hits, one in enumerate(chances):
        total += one
        if total > tail:
            return hits
    return len(chances) - 1


@dataclass(frozen=True)
class Counted:
    """What a simulation has counted of a file's lives.

    Attributes
    ----------
    file : File
    hits, runs : int
    """

    file: File
    hits: int
    runs: int

    @property
    def allowed(self) -> tuple[int, int]:
        """The fewest and the most that chance allows."""
        return allowed(self.runs, self.file.chance)

    @property
    def is_allowed(self) -> bool:
        """True when chance may have done this."""
        low, high = self.allowed
        return low <= self.hits <= high

    def fitting_mistake(self) -> str:
        """Return the usual mistake that fits what was counted best, if one does."""
        off = {
            what: abs(self.hits / self.runs - chance)
            for what, chance in self.file.mistaken().items()
            if 0 < chance < 1 and allowed(self.runs, chance)[0] <= self.hits <= allowed(self.runs, chance)[1]
        }
        return min(off, key=lambda what: off[what]) if off else ""

    def picture(self) -> str:
        """Draw how often chance has it, and what was counted, as SVG."""
        ax = axes(2.2)
        low, high = self.allowed
        counts = range(max(0, low - 20), min(self.runs, high + 20))
        chances = [math.exp(one) for one in log_chances(self.runs, self.file.chance)]
        ax.fill_between(counts, [chances[count] for count in counts], color=BLUE, alpha=0.5, label="a right simulation")
        ax.axvspan(low, high, color=ORANGE, alpha=0.15, label="allowed")
        ax.axvline(self.hits, color=VERMILION, label="yours")
        ax.set(xlabel=f"runs of {self.runs:,} in which the file was lost", yticks=[], title=str(self.file))
        ax.legend(frameon=False)
        return svg(ax)
