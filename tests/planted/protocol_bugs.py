"""Bugs in what keepers and clients decide, for the simulator to find."""

from __future__ import annotations

from dfslab.core.guarantees import Guarantee
from tests.planted.mutant import Edit, InHistories

_KEEPER = "dfslab.core.keeper.keeper:Keeper"

PROTOCOL_BUGS = (
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
        begin=2,
    ),
    InHistories(
        name="an error that lies",
        wrong="An upload that may have been stored fails with an error that says nothing was.",
        changes=(
            Edit(
                "dfslab.core.upload:Upload._fail",
                "if self._sent_at is None and not self._may_be_stored:",
                "if True:",
            ),
        ),
        breaks=frozenset({Guarantee.HONEST, Guarantee.WHOLE_VERSIONS}),
        begin=34,
    ),
    InHistories(
        name="failed deletion confirmed",
        wrong="A keeper confirms a deletion of which a step has failed.",
        changes=(
            Edit(
                f"{_KEEPER}._on_delete_failed",
                "return [instructions.Note(note)",
                "done = [instructions.SendDropped(event.version, order.incarnation)] if order else []\n"
                "    return [*done, instructions.Note(note)",
            ),
        ),
        breaks=frozenset({Guarantee.TIDY}),
        begin=17,
    ),
    InHistories(
        name="download with holes",
        wrong="A download that has lost its holders is called whole.",
        changes=(
            Edit("dfslab.core.retrieval:Retrieval._on_try_ended", "if event.whole:", "if event.whole or event.lost:"),
        ),
        breaks=frozenset({Guarantee.EXACT}),
        begin=12,
    ),
)
