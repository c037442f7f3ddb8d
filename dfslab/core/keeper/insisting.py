"""Telling the master of a stored replica (step 4) until it answers, and what to make of it when it does not."""

from __future__ import annotations

from dataclasses import dataclass

from dfslab.core.errors import (
    CatalogFull,
    CatalogUnwritable,
    DfsError,
    MasterUnavailable,
    NotRecorded,
    StaleIncarnation,
)
from dfslab.core.keeper.events import ReportGivenUp, StoredAnswered
from dfslab.core.patience import Patience

PATIENCE_S = 15.0
"""How long a keeper repeats step 4 before it leaves that to a registration."""
UNANSWERED = (MasterUnavailable, CatalogUnwritable, StaleIncarnation)
"""What it may meet and be answered later all the same."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Step 4 is not repeated any more: what the keeper's core is told, and the error for whoever waits."""

    event: ReportGivenUp | StoredAnswered
    error: DfsError


class Insistence:
    """The repeating of one report; to be told twice does the master no harm.

    Parameters
    ----------
    keeper, version : str
    now : float
        Seconds.
    """

    def __init__(self, keeper: str, version: str, now: float) -> None:
        self._keeper, self._version = keeper, version
        self._patience = Patience(PATIENCE_S, pause_s=0.05, longest_s=1.0, since=now)
        self._may_be_recorded = False

    def failed(self, error: DfsError, now: float) -> float | GivenUp:
        """Return how long to wait before the report is repeated, or what giving up means.

        A master whose disk is full says so for as long as it lasts: the client is told at once, and the
        keeper lets the replica go, so that no later report finds it. Unless an earlier report may have been
        recorded: then nobody is told that nothing was changed.
        """
        if isinstance(error, CatalogFull):
            refused = self._unrecorded(error) if self._may_be_recorded else error
            return GivenUp(StoredAnswered(self._version, keep=False, reason=str(error)), refused)
        self._may_be_recorded = self._may_be_recorded or not error.definite
        pause_s = self._patience.next_pause(now)
        return GivenUp(ReportGivenUp(), self._unrecorded(error)) if pause_s is None else pause_s

    def stopped(self, error: DfsError) -> GivenUp:
        """Return what giving up means now, because the keeper ends."""
        return GivenUp(ReportGivenUp(), self._unrecorded(error))

    def _unrecorded(self, error: DfsError) -> NotRecorded:
        return NotRecorded(keeper=self._keeper, version=self._version, reason=str(error))
