"""Cut a failing history down to the faults that it takes (delta debugging, Zeller & Hildebrandt, TSE 2002)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from dfslab.core.guarantees import Guarantee
from dfslab.sim.simulation import Outcome, Settings, simulate

MAX_RUNS = 200


def shrink(outcome: Outcome, run: Callable[[Settings], Outcome] = simulate) -> Outcome:
    """Return the outcome of a history with as few faults as were found to break the same guarantee.

    Parameters
    ----------
    outcome : Outcome
        Of a history that broke a guarantee.
    run : callable
        Lives through a history.
    """
    assert outcome.broken is not None
    shrinking = _Shrinking(outcome, outcome.broken.guarantee, run)
    return shrinking.result()


class _Shrinking:
    def __init__(self, outcome: Outcome, guarantee: Guarantee, run: Callable[[Settings], Outcome]) -> None:
        self._best, self._guarantee, self._run = outcome, guarantee, run
        self._runs = 0

    def result(self) -> Outcome:
        """Leave ever smaller parts of the faults out, as long as the guarantee still breaks."""
        parts = 2
        while (faults := self._numbers()) and self._runs < MAX_RUNS:
            size = -(-len(faults) // parts)
            if self._leave_one_part_out(faults, size):
                parts = max(2, parts - 1)
            elif size == 1:
                break
            else:
                parts = min(len(faults), 2 * parts)
        return self._best

    def _numbers(self) -> list[int]:
        return [fault.number for fault in self._best.faults]

    def _leave_one_part_out(self, faults: Sequence[int], size: int) -> bool:
        for start in range(0, len(faults), size):
            if self._still_breaks([*faults[:start], *faults[start + size :]]):
                return True
        return False

    def _still_breaks(self, faults: Sequence[int]) -> bool:
        if self._runs >= MAX_RUNS:
            return False
        self._runs += 1
        outcome = self._run(replace(self._best.settings, only=tuple(faults)))
        if outcome.broken is None or outcome.broken.guarantee is not self._guarantee:
            return False
        self._best = outcome
        return True
