"""Bugs in what keepers and clients decide, for the simulator to find."""

from __future__ import annotations

from dfslab.core.guarantees import Guarantee
from tests.planted.mutant import Edit, InHistories

_KEEPER = "dfslab.core.keeper.keeper:Keeper"

PROTOCOL_BUGS = (
    InHistories(
        name="not recorded, and kept",
        wrong="A keeper keeps a replica that the master told it to delete.",
        changes=(Edit(f"{_KEEPER}._on_stored_answered", "if event.keep or event", "if True or event"),),
        breaks=frozenset({Guarantee.TIDY}),
        begin=5,
    ),
    InHistories(
        name="failed chunk left out",
        wrong="A download counts a chunk that failed as one that arrived.",
        changes=(
            Edit(
                "dfslab.core.download:Download.failed",
                "if chunk.index not in self._in_flight:",
                "self.done_bytes += chunk.length\n    if chunk.index not in self._in_flight:",
            ),
        ),
        breaks=frozenset({Guarantee.EXACT}),
    ),
)
