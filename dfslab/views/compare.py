"""Predicted against observed: what a trace shows to have taken how long, beside what the formulas say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from dfslab.core.fault_periods import fault_periods
from dfslab.core.history import Table
from dfslab.core.link_history import LinkHistory
from dfslab.core.nodes import MASTER
from dfslab.core.predict import (
    Prediction,
    Wires,
    check_machine,
    detection_s,
    download_between,
    repair_between,
    unknown,
    upload_between,
)
from dfslab.core.setup import Setup
from dfslab.core.trace import TraceEvent
from dfslab.views.observations import (
    Connections,
    Death,
    Moved,
    Use,
    deaths_of,
    is_disturbed,
    mark_shared,
    moves_of,
    uses_of,
)
from dfslab.views.tables import frame

COMPARISON = {
    "quantity": "string",
    "subject": "string",
    "start_s": "float64",
    "predicted_low": "float64",
    "predicted": "float64",
    "predicted_high": "float64",
    "observed": "float64",
    "unit": "string",
    "error": "float64",
    "relative_error": "float64",
    "within": "boolean",
}


@dataclass(frozen=True)
class Observation:
    """One thing that took a while, and what was predicted for it."""

    quantity: str
    subject: str
    start_s: float
    observed: float
    predicted: Prediction

    def row(self) -> tuple[object, ...]:
        """Return the row of the table."""
        predicted, error = self.predicted, self.observed - self.predicted.typical
        relative = error / predicted.typical if predicted.typical > 0 else math.nan
        within = self.observed in predicted if predicted.is_known else pd.NA
        return (
            self.quantity,
            self.subject,
            self.start_s,
            predicted.low,
            predicted.typical,
            predicted.high,
            self.observed,
            predicted.unit,
            error,
            relative,
            within,
        )


def compare(base: Table, events: Sequence[TraceEvent], setup: Setup, machine_mb_s: float | None = None) -> pd.DataFrame:
    """Return what took how long, predicted and observed, one row an observation, in order of their start.

    A prediction is made where its assumptions held: nothing else used a limited card in the same
    direction meanwhile, no other fault touched who took part, the transfer was done at the first
    attempt. Elsewhere, and where no link sets a rate and `machine_mb_s` is not given, it is NaN.

    Parameters
    ----------
    base : Table
        The table before the first event.
    events : sequence of TraceEvent
    setup : Setup
    machine_mb_s : float, optional
        The rate of a node whose link sets no limit.

    Returns
    -------
    DataFrame
        ================ ======= ========================================================================
        `quantity`       string  "detection" (from a keeper's silence to "dead"), "recovery" (from its
                                 silence until every file has its copies again), "download" or "upload"
        `subject`        string  the keeper or the file
        `start_s`        float64 when it began, seconds since the cluster started
        `predicted_low`  float64 see `dfslab.predict`
        `predicted`      float64 the typical value
        `predicted_high` float64 infinite where chance sets no bound
        `observed`       float64
        `unit`           string  of these four: "s"
        `error`          float64 `observed` - `predicted`
        `relative_error` float64 `error` / `predicted`
        `within`         boolean `observed` is between `predicted_low` and `predicted_high`; NA where there
                                 is no prediction
        ================ ======= ========================================================================

    Raises
    ------
    InvalidOption
        For a rate of the machine that is none.
    """
    comparing = _Comparing(base, events, setup, check_machine(machine_mb_s))
    found = sorted(comparing.observations(), key=lambda one: one.start_s)
    return frame(COMPARISON, (one.row() for one in found))


class _Comparing:
    """One trace, looked at for what can be compared."""

    def __init__(self, base: Table, events: Sequence[TraceEvent], setup: Setup, machine_mb_s: float | None) -> None:
        self._options, self._machine_mb_s = setup.options, machine_mb_s
        self._deaths = deaths_of(base, events, setup.options.replicas)
        self._moves = moves_of(events, setup.options.ack_replicas)
        self._links, self._periods = LinkHistory(events, setup), fault_periods(events)
        self._uses, self._connections = uses_of(events), Connections(events)
        self._repairs = {id(death): _repair_use(death) for death in self._deaths if death.repaired_at is not None}
        mark_shared([*self._uses.values(), *self._repairs.values()], self._links)

    def observations(self) -> list[Observation]:
        """Return everything that can be compared."""
        found = [self._detection(death) for death in self._deaths]
        found += [self._recovery(death) for death in self._deaths if id(death) in self._repairs]
        return found + [self._transfer(moved) for moved in self._moves]

    def _detection(self, death: Death) -> Observation:
        start_s, end_s = death.silent_at, death.dead_at
        predicted = unknown() if self._master_disturbed(death, end_s) else detection_s(self._options)
        return Observation("detection", death.keeper, start_s, end_s - start_s, predicted)

    def _recovery(self, death: Death) -> Observation:
        use, start_s = self._repairs[id(death)], death.silent_at
        predicted = unknown()
        if not use.shared and death.sources and death.targets and not self._master_disturbed(death, use.end_s):
            nodes = [*death.sources, *death.targets]
            predicted = self._unless_disturbed(nodes, start_s, use.end_s, lambda: self._predicted_recovery(death))
        return Observation("recovery", death.keeper, start_s, use.end_s - start_s, predicted)

    def _predicted_recovery(self, death: Death) -> Prediction:
        wires = Wires(self._links.at(death.dead_at), self._machine_mb_s)
        repair = repair_between(wires, death.sources, death.targets, death.sizes, options=self._options)
        return detection_s(self._options) + repair

    def _transfer(self, moved: Moved) -> Observation:
        transfer, predicted = moved.transfer, unknown()
        if not self._uses[transfer.kind, transfer.transfer].shared and not math.isnan(transfer.start_s):
            nodes = [moved.client, *moved.keepers, MASTER]
            predicted = self._unless_disturbed(
                nodes, transfer.start_s, transfer.end_s, lambda: self._predicted_transfer(moved)
            )
        return Observation(transfer.kind, transfer.file_name, transfer.start_s, transfer.seconds, predicted)

    def _predicted_transfer(self, moved: Moved) -> Prediction:
        start_s, size = moved.transfer.start_s, moved.transfer.bytes
        kept = frozenset(self._connections.at(start_s, moved.client, moved.keepers))
        wires = Wires(self._links.at(start_s), self._machine_mb_s, kept)
        if moved.transfer.kind == "download":
            return download_between(wires, moved.client, moved.keepers, size, options=self._options)
        if len(moved.keepers) < moved.ack_replicas:
            return unknown()
        keepers = moved.keepers[: self._options.replicas]
        return upload_between(wires, moved.client, keepers, size, moved.ack_replicas, options=self._options)

    def _master_disturbed(self, death: Death, end_s: float) -> bool:
        """Return True when something else touched the master than what cut the keeper off from it."""
        others = [period for period in self._periods if period not in death.causes]
        return is_disturbed(others, [MASTER], death.silent_at, end_s)

    def _unless_disturbed(
        self, nodes: Sequence[str], start_s: float, end_s: float, predict: Callable[[], Prediction]
    ) -> Prediction:
        return unknown() if is_disturbed(self._periods, nodes, start_s, end_s) else predict()


def _repair_use(death: Death) -> Use:
    end_s = death.dead_at if death.repaired_at is None else death.repaired_at
    return Use("repair", death.dead_at, end_s, tuple(death.sources), tuple(death.targets), tuple(death.versions))
