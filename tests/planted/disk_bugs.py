"""Bugs in what a keeper does with its disk, for the simulator to find."""

from __future__ import annotations

from collections.abc import Callable

from dfslab.core.guarantees import Guarantee
from dfslab.core.keeper.shelf import Step
from tests.planted.mutant import Edit, InHistories, Swap

_SHELF = "dfslab.core.keeper.shelf"
_KEEPER = "dfslab.sim.keeper"


def _without(step: Step) -> Callable[[tuple[Step, ...]], tuple[Step, ...]]:
    return lambda steps: tuple(one for one in steps if one is not step)


DISK_BUGS = (
    InHistories(
        name="data not synced",
        wrong="A replica is published without an fsync of its data.",
        changes=(Swap(f"{_SHELF}:PUBLISH", _without(Step.SYNC_DATA)),),
        breaks=frozenset({Guarantee.FENCED}),
    ),
    InHistories(
        name="checksums not synced",
        wrong="A replica is published without an fsync of its checksums.",
        changes=(Swap(f"{_SHELF}:PUBLISH", _without(Step.SYNC_CHECKSUMS)),),
        breaks=frozenset({Guarantee.FENCED}),
    ),
    InHistories(
        name="directory not synced",
        wrong="A replica is published without an fsync of the directory that its name is in.",
        changes=(Swap(f"{_SHELF}:PUBLISH", _without(Step.SYNC_DIRECTORY)),),
        breaks=frozenset({Guarantee.FENCED}),
    ),
    InHistories(
        name="leftovers stay",
        wrong="A keeper that starts does not sweep what its last life was writing.",
        changes=(Edit(f"{_SHELF}:leftovers", "return [name for name in there if", "return [name for name in () if"),),
        breaks=frozenset({Guarantee.TIDY}),
        begin=4,
    ),
    InHistories(
        name="reader checks nothing",
        wrong="A reader takes the bytes of a replica without comparing their checksums.",
        changes=(Edit(f"{_KEEPER}:fetch_range", "if bad is not None:", "if False:"),),
        breaks=frozenset({Guarantee.EXACT}),
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
        begin=1,
    ),
)
