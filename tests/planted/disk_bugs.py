"""Bugs in what a keeper does with its disk, for the simulator to find."""

from __future__ import annotations

from functools import partial

from dfslab.core.guarantees import Guarantee
from dfslab.core.keeper.shelf import Step
from tests.planted.mutant import Edit, InHistories, Swap

_SHELF = "dfslab.core.keeper.shelf"
_KEEPER = "dfslab.sim.keeper"


def _leave_out(step: Step, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(one for one in steps if one is not step)


DISK_BUGS = (
    InHistories(
        name="data not synced",
        wrong="A replica is published without an fsync of its data.",
        changes=(Swap(f"{_SHELF}:PUBLISH", partial(_leave_out, Step.SYNC_DATA)),),
        breaks=frozenset({Guarantee.FENCED}),
    ),
    InHistories(
        name="checksums not synced",
        wrong="A replica is published without an fsync of its checksums.",
        changes=(Swap(f"{_SHELF}:PUBLISH", partial(_leave_out, Step.SYNC_CHECKSUMS)),),
        breaks=frozenset({Guarantee.FENCED}),
    ),
    InHistories(
        name="directory not synced",
        wrong="A replica is published without an fsync of the directory that its name is in.",
        changes=(Swap(f"{_SHELF}:PUBLISH", partial(_leave_out, Step.SYNC_DIRECTORY)),),
        breaks=frozenset({Guarantee.FENCED}),
    ),
    InHistories(
        name="leftovers stay",
        wrong="A keeper that starts does not sweep what its last life was writing.",
        changes=(Edit(f"{_SHELF}:leftovers", "return [name for name in there if", "return [name for name in () if"),),
        breaks=frozenset({Guarantee.TIDY}),
        begin=1,
    ),
    InHistories(
        name="reader checks nothing",
        wrong="A reader takes the bytes of a replica without comparing their checksums.",
        changes=(Edit(f"{_KEEPER}:fetch_range", "if bad is not None:", "if False:"),),
        breaks=frozenset({Guarantee.EXACT}),
        begin=18,
    ),
    InHistories(
        name="copy checks nothing",
        wrong="A copy is made from a corrupt replica: the target does not compare the checksums of what it fetches.",
        changes=(
            Edit(
                f"{_KEEPER}:fetch_range",
                "if bad is not None:",
                'if bad is not None and not life.node.startswith("keeper"):',
            ),
        ),
        breaks=frozenset({Guarantee.FENCED, Guarantee.SURVIVES}),
        begin=39,
    ),
    InHistories(
        name="deletion not synced",
        wrong="A replica is deleted without an fsync of the directory, so that it may be back after a loss of power.",
        changes=(Swap(f"{_SHELF}:DELETE", partial(_leave_out, Step.SYNC_DIRECTORY)),),
        breaks=frozenset({Guarantee.TIDY}),
    ),
    InHistories(
        name="second fsync believed",
        wrong="After an fsync that failed with EIO a second one is tried, and its success believed.",
        changes=(
            Edit(
                "dfslab.sim.writing:Writer.take",
                "case Step.SYNC_DATA:\n            disk.sync(self._data)",
                "case Step.SYNC_DATA:\n"
                "            try:\n"
                "                disk.sync(self._data)\n"
                "            except OSError:\n"
                "                disk.sync(self._data)",
            ),
        ),
        breaks=frozenset({Guarantee.FENCED}),
        begin=18,
    ),
    InHistories(
        name="failed publishing stays",
        wrong="A replica whose publishing failed keeps its final name.",
        changes=(Edit(f"{_SHELF}:to_discard", "return DISCARD if", "return () if"),),
        breaks=frozenset({Guarantee.TIDY, Guarantee.FENCED}),
        begin=22,
    ),
)
