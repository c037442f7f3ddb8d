"""What the table is made of: a `Row` to measure, its alternating rounds, and the `Result` that they give.

A ratio is the median of the rounds' own ratios: what is compared ran within the same few seconds, so
that a machine that is slow for a while is slow for both, and their ratio stays.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

Measure = Callable[[], float]
"""Sets up what it needs, measures once, clears up, and returns the figure."""

Side = Literal["dfslab", "limit", "peer"]
SIDES: tuple[Side, ...] = ("dfslab", "limit", "peer")
"""Who is measured, in the order of a round."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: what is measured, on whom, and what is asked of it.

    Attributes
    ----------
    name, unit : str
    dfslab, limit, peer : Measure
        The thing itself, a bare baseline of the same shape, and another system that does the same.
        None where there is none; one at least there is.
    better : {"higher", "lower"}
    target : float, optional
        What the median must reach, or stay below.
    target_of_limit, target_of_peer : float, optional
        What the ratio must reach; see `Result.ratio`.
    together : str
        Rows that follow one another and share this word share their rounds: in each, a side's measures are
        called one after the other. So a row can be about what another has just measured.
    quick : bool
        It is part of the quick subset.
    """

    name: str
    unit: str
    dfslab: Measure | None = None
    limit: Measure | None = None
    peer: Measure | None = None
    better: Literal["higher", "lower"] = "higher"
    target: float | None = None
    target_of_limit: float | None = None
    target_of_peer: float | None = None
    together: str = ""
    quick: bool = False

    def on(self, measures: Mapping[Side, Measure]) -> Row:
        """Return this row, measured by these."""
        dfslab, limit, peer = (measures.get(side) for side in SIDES)
        return replace(self, dfslab=dfslab, limit=limit, peer=peer)

    def measure_of(self, side: Side) -> Measure | None:
        """Return how a side is measured, or None where it is not."""
        return {"dfslab": self.dfslab, "limit": self.limit, "peer": self.peer}[side]


@dataclass(frozen=True)
class Result:
    """A row and what every round has measured, a side's figures in the order of the rounds."""

    row: Row
    figures: Mapping[Side, Sequence[float]]

    def median(self, side: Side) -> float | None:
        """Return the middle figure of a side, or None where it was not measured."""
        figures = self.figures.get(side)
        return statistics.median(figures) if figures else None

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest figure: of dfslab, or of the first that was measured."""
        figures = next(figures for side in SIDES if (figures := self.figures.get(side)))
        return min(figures), max(figures)

    def ratio(self, side: Side) -> float | None:
        """Return how good dfslab is beside another side: 2 is twice as good, whichever way better points."""
        ours, theirs = self.figures.get("dfslab"), self.figures.get(side)
        if not ours or not theirs:
            return None
        pairs = zip(ours, theirs, strict=True)
        if self.row.better == "higher":
            return statistics.median(_over(our, their) for our, their in pairs)
        return statistics.median(_over(their, our) for our, their in pairs)

    @property
    def met(self) -> bool | None:
        """Whether every target is met; None where there is none, or where one can't be judged."""
        verdicts = [
            None if figure is None else (figure >= target if higher else figure < target)
            for figure, target, higher in self._asked()
            if target is not None
        ]
        if False in verdicts:
            return False
        return None if None in verdicts or not verdicts else True

    def _asked(self) -> Iterator[tuple[float | None, float | None, bool]]:
        yield self.median("dfslab"), self.row.target, self.row.better == "higher"
        yield self.ratio("limit"), self.row.target_of_limit, True
        yield self.ratio("peer"), self.row.target_of_peer, True


def _over(one: float, other: float) -> float:
    """Divide; what took nothing at all is endlessly better."""
    return one / other if other else float("inf")


def run(rows: Sequence[Row], rounds: int, tell: Callable[[Result], None] = lambda result: None) -> list[Result]:
    """Measure every row in so many rounds of dfslab, limit, peer, and return the results in order.

    `tell` is given each result as soon as it is there.
    """
    results = []
    for group in together(rows):
        for result in _run_group(group, rounds):
            results.append(result)
            tell(result)
    return results


def together(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows in the groups that share their rounds: most are alone."""
    keyed = groupby(enumerate(rows), key=lambda numbered: numbered[1].together or numbered[0])
    return [[row for _, row in group] for _, group in keyed]


def _run_group(group: Sequence[Row], rounds: int) -> list[Result]:
    figures: list[dict[Side, list[float]]] = [{} for _ in group]
    for _ in range(rounds):
        for side in SIDES:
            for row, measured in zip(group, figures, strict=True):
                measure = row.measure_of(side)
                if measure is not None:
                    measured.setdefault(side, []).append(measure())
    return [Result(row, measured) for row, measured in zip(group, figures, strict=True)]


def chosen(rows: Sequence[Row], *, containing: Sequence[str] = (), quick: bool = False) -> list[Row]:
    """Return the rows whose name has one of these words in it, with those that share their rounds.

    Without words all are chosen; `quick` leaves only those of the quick subset.
    """
    groups = together([row for row in rows if row.quick or not quick])
    wanted = [
        group for group in groups if not containing or any(word in row.name for row in group for word in containing)
    ]
    return [row for group in wanted for row in group]
