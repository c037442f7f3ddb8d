"""Step 4 is repeated until the master answers; what giving up means, and what nobody may be told."""

from __future__ import annotations

import pytest

from dfslab.core.errors import CatalogFull, DfsError, MasterUnavailable, NotRecorded, StaleIncarnation
from dfslab.core.keeper.events import ReportGivenUp, StoredAnswered
from dfslab.core.keeper.insisting import GivenUp, Insistence

FULL = CatalogFull(path="catalog.sqlite")
GONE = MasterUnavailable(address="h:1", reason="nobody listens there")
SILENT = MasterUnavailable(address="h:1", reason="no answer in time", definite=False)
STALE = StaleIncarnation(keeper="keeper-1", incarnation=3)


def insistence() -> Insistence:
    return Insistence("keeper-1", "v1", 100.0)


@pytest.mark.parametrize("error", [GONE, SILENT, STALE])
def test_it_is_repeated_with_growing_pauses_for_15_s_and_then_left_to_a_registration(error: DfsError) -> None:
    """FAULTS 4: never half-known."""
    one = insistence()

    pauses = [one.failed(error, now) for now in (100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 114.9)]
    end = one.failed(error, 115.0)

    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert isinstance(end, GivenUp)
    assert end.event == ReportGivenUp()
    assert isinstance(end.error, NotRecorded)
    assert not end.error.definite


def test_a_master_without_room_is_not_asked_again_and_the_replica_goes() -> None:
    """FAULTS 14: read-only, and it says so."""
    end = insistence().failed(FULL, 100.0)

    assert end == GivenUp(StoredAnswered("v1", keep=False, reason=str(FULL)), FULL)


def test_a_master_that_ran_out_of_room_later_may_have_recorded_an_earlier_report() -> None:
    """Found by the simulator (seed 32): the file was recorded, then overwritten, and its client was told "nothing"."""
    one = insistence()
    one.failed(GONE, 100.0)
    one.failed(SILENT, 100.1)

    end = one.failed(FULL, 101.0)

    assert isinstance(end, GivenUp)
    assert end.event == StoredAnswered("v1", keep=False, reason=str(FULL))
    assert isinstance(end.error, NotRecorded)
    assert not end.error.definite
    assert str(FULL) in str(end.error)


def test_a_report_that_never_arrived_leaves_the_refusal_definite() -> None:
    one = insistence()
    one.failed(GONE, 100.0)
    one.failed(STALE, 100.1)

    assert one.failed(FULL, 101.0) == GivenUp(StoredAnswered("v1", keep=False, reason=str(FULL)), FULL)
