"""How a benchmark prints its figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured thing: its samples, their unit, and the most that its median may be."""

    name: str
    samples: Sequence[float]
    unit: str
    limit: float | None = None

    @property
    def median(self) -> float:
        """The middle sample."""
        return statistics.median(self.samples)

    def line(self) -> str:
        """Return a line of the table."""
        spread = f"{min(self.samples):.3g}-{max(self.samples):.3g}"
        limit = "" if self.limit is None else f"< {self.limit:g}"
        verdict = "" if self.limit is None else ("ok" if self.median < self.limit else "MISSED")
        return f"{self.name:<46}{self.median:>9.3g} {self.unit:<4}{spread:>16}{limit:>9}  {verdict}"


def show(title: str, figures: Sequence[Figure]) -> None:
    """Print a table of figures: median, unit, smallest and largest sample, limit, verdict."""
    print(title)
    print(f"{'':<46}{'median':>9}     {'spread':>16}{'limit':>9}")
    for figure in figures:
        print(figure.line())
    print()


def repeat(times: int, measure: Callable[[], float]) -> list[float]:
    """Return the results of so many runs."""
    return [measure() for _ in range(times)]
