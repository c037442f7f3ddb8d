"""What the formulas of `dfslab.core.predict` say of the things that a trace tells, for pictures to shade."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dfslab.core.fault_periods import fault_periods
from dfslab.core.history import Table
from dfslab.core.link_history import LinkHistory
from dfslab.core.links import LinkTable
from dfslab.core.options import Options
from dfslab.core.predict import Prediction, Wires, detection_s, download_between, rate_of, repair_between
from dfslab.core.setup import Setup
from dfslab.core.trace import TraceEvent
from dfslab.views.observations import Death, Moved, deaths_of, moves_of


@dataclass(frozen=True)
class Window:
    """When something is predicted to happen: seconds since the cluster started."""

    subject: str
    low_s: float
    typical_s: float
    high_s: float

    @classmethod
    def after(cls, subject: str, start_s: float, prediction: Prediction) -> Window:
        """Return the window that a predicted duration from `start_s` on leads to."""
        low, typical, high = prediction.low, prediction.typical, prediction.high
        return cls(subject, start_s + low, start_s + typical, start_s + high)


def predicted_deaths(events: Iterable[TraceEvent], keepers: Sequence[str], options: Options) -> list[Window]:
    """Return when each keeper that fell silent is to be declared dead, unless it is back before."""
    prediction = detection_s(options)
    windows = []
    silent_until: dict[str, float] = {}
    for period in fault_periods(events):
        for keeper in [keeper for keeper in keepers if period.silences(keeper)]:
            already = period.start_s < silent_until.get(keeper, -math.inf)
            if not already and period.end_s > period.start_s + prediction.low:
                windows.append(Window.after(keeper, period.start_s, prediction))
            silent_until[keeper] = max(period.end_s, silent_until.get(keeper, -math.inf))
    return windows


def predicted_recoveries(
    base: Table, events: Sequence[TraceEvent], setup: Setup, versions: Iterable[str] | None = None
) -> list[Window]:
    """Return when the files that lost a copy by a death are to be whole again: only what links in force allow to say.

    Parameters
    ----------
    base : Table
        The table before the first event.
    events : sequence of TraceEvent
    setup : Setup
    versions : iterable of str, optional
        Only deaths that cost one of these a copy.
    """
    wires, wanted = _WiresThen(events, setup), None if versions is None else dict.fromkeys(versions)
    found = []
    for death in deaths_of(base, events, setup.options.replicas):
        concerned = wanted is None or any(version in wanted for version in death.versions)
        if concerned and death.sources and death.targets:
            prediction = detection_s(setup.options) + _repair(death, wires, setup.options)
            if prediction.is_known:
                found.append(Window.after(death.keeper, death.silent_at, prediction))
    return found


class _WiresThen:
    """The wires of each moment, the same object while the links stay the same."""

    def __init__(self, events: Iterable[TraceEvent], setup: Setup) -> None:
        self._links = LinkHistory(events, setup)
        self._wires: dict[LinkTable, Wires] = {}

    def at(self, time_s: float) -> Wires:
        table = self._links.at(time_s)
        return self._wires.setdefault(table, Wires(table))


def _repair(death: Death, wires: _WiresThen, options: Options) -> Prediction:
    return repair_between(wires.at(death.dead_at), death.sources, death.targets, death.sizes, options=options)


def predicted_rates(events: Sequence[TraceEvent], setup: Setup, name: str | None = None) -> dict[int, Prediction]:
    """Return the predicted rate of downloads by the number of their holders, in MB/s (10^6 bytes).

    For a number that the trace has downloads of, the widest range and the middle of their predictions;
    for one below that it has none of, that of the newest download with so many of the holders.
    """
    wires = _WiresThen(events, setup)
    moves = [moved for moved in moves_of(events, setup.options.ack_replicas) if _counts(moved, name)]
    predictions: dict[int, list[Prediction]] = {}
    for moved in moves:
        predictions.setdefault(len(moved.keepers), []).append(_rate(moved, moved.keepers, wires, setup.options))
    pool = list(dict.fromkeys(keeper for moved in moves for keeper in moved.keepers))
    for count in range(1, max(predictions, default=0)):
        if count not in predictions:
            predictions[count] = [_rate(moves[-1], pool[:count], wires, setup.options)]
    return {count: _together(these) for count, these in sorted(predictions.items()) if these[0].is_known}


def _counts(moved: Moved, name: str | None) -> bool:
    transfer = moved.transfer
    return transfer.kind == "download" and transfer.bytes > 0 and (name is None or transfer.file_name == name)


def _rate(moved: Moved, holders: Sequence[str], wires: _WiresThen, options: Options) -> Prediction:
    size, then = moved.transfer.bytes, wires.at(moved.transfer.start_s)
    return rate_of(size, download_between(then, moved.client, holders, size, options=options))


def _together(these: Sequence[Prediction]) -> Prediction:
    typical = statistics.median(one.typical for one in these)
    return Prediction(min(one.low for one in these), typical, max(one.high for one in these), "MB/s")
