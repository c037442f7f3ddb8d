"""The master tracker in virtual time: the real core, a catalog that syncs, calls that are answered once it has."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dfslab.core.errors import CatalogUnwritable, DfsError, MasterUnavailable
from dfslab.core.master import Master, events
from dfslab.core.master.instructions import (
    AppendCatalog,
    CatalogRecord,
    CopyReplica,
    DropReplica,
    Instruction,
    Note,
    Refuse,
    Reply,
)
from dfslab.core.nodes import MASTER
from dfslab.core.options import Options
from dfslab.core.policies import Policies
from dfslab.core.trace import TraceEvent
from dfslab.sim.catalog import Catalog
from dfslab.sim.loop import Loop, Promise
from dfslab.sim.network import Answer, Network
from dfslab.sim.node import Life

ORDER_TIMEOUT_S = 5.0
NOBODY = 0
QUESTION = "question"
"""The method of a call that only looks: its request is a function of the core."""
MakeEvent = Callable[[int], events.Event]


@dataclass
class Surroundings:
    """What every node of a simulation lives in."""

    loop: Loop
    network: Network
    options: Options
    trace: Callable[[TraceEvent], None]
    counts: dict[str, int]

    def count(self, what: str) -> None:
        """Count something."""
        self.counts[what] = self.counts.get(what, 0) + 1


class SimMaster:
    """The master of a simulation.

    Parameters
    ----------
    on_event : callable
        Told of every event that the core has taken, and of what it wants done, before that is done.
    """

    name = MASTER

    def __init__(
        self,
        around: Surroundings,
        policies: Policies,
        rng: random.Random,
        catalog: Catalog,
        on_event: Callable[[events.Event, list[Instruction]], None],
    ) -> None:
        self._around, self._policies, self._rng, self.catalog = around, policies, rng, catalog
        self._on_event = on_event
        self._boots = 0
        self.life = Life(around.loop, MASTER)
        self.life.end()
        self.core = Master(around.options, policies, rng, "0")

    def boot(self) -> None:
        """Start it, from what its catalog has."""
        self.life = Life(self._around.loop, MASTER)
        self._queue: list[tuple[MakeEvent, Answer]] = []
        self._questions: list[tuple[Callable[[Master], object], Answer]] = []
        self._answers: dict[int, Answer] = {}
        self._last_request = NOBODY
        self._busy = False
        self._load(None)
        self._around.network.listen(self.life, self._serve)
        self.life.after(self._around.options.tick_s, self._tick)

    def _load(self, before: Master | None) -> None:
        self._boots += 1
        rng = random.Random(self._rng.getrandbits(64))
        self.core = Master(self._around.options, self._policies, rng, str(self._boots))
        for instruction in self.core.start(self.catalog.image(), self._around.loop.now, before):
            self._carry_out(instruction)

    def _tick(self) -> None:
        if self.core.is_read_only and not self.catalog.is_full:
            self._enqueue(lambda request: events.WritesWork(), _nobody)
        self._enqueue(lambda request: events.Tick(), _nobody)
        self.life.after(self._around.options.tick_s, self._tick)

    def _serve(self, method: str, request: Any, answer: Answer) -> None:
        if method == QUESTION:
            self._questions.append((request, answer))
            if not self._busy:
                self._answer_questions()
        else:
            self._enqueue(request, answer)

    def _enqueue(self, make: MakeEvent, answer: Answer) -> None:
        self._queue.append((make, answer))
        if not self._busy:
            self._handle_queue()

    def _handle_queue(self) -> None:
        """Let the core decide on all that has come; what it wants is done once its records are durable."""
        queue, self._queue = self._queue, []
        batch = []
        for make, answer in queue:
            self._last_request += 1
            self._answers[self._last_request] = answer
            batch.append(make(self._last_request))
        todo = self._decide(batch)
        records = [record for one in todo if isinstance(one, AppendCatalog) for record in one.records]
        if records:
            self._busy = True
            self.life.after(self._around.network.latency(), self._commit, batch, records, todo)
        else:
            self._carry_out_all(todo)

    def _decide(self, batch: Sequence[events.Event]) -> list[Instruction]:
        todo: list[Instruction] = []
        for event in batch:
            wanted = self.core.handle(event, self._around.loop.now)
            self._around.count("core events")
            self._on_event(event, wanted)
            todo += wanted
        return todo

    def _commit(self, batch: Sequence[events.Event], records: list[CatalogRecord], todo: list[Instruction]) -> None:
        """Make the records durable, or else have the core decide again, read-only, from what the catalog has."""
        try:
            self.catalog.append(records)
        except CatalogUnwritable as error:
            self._around.count("full catalog")
            self._send_back_those_who_waited(batch, todo)
            self._load(before=self.core)
            todo = self._decide([events.WritesFailed(error), *batch])
        self.life.after(self._around.network.latency(), self._carry_out_all, todo)

    def _send_back_those_who_waited(self, batch: Sequence[events.Event], todo: Sequence[Instruction]) -> None:
        """Have those ask again whose answers, to earlier requests, hung on what did not become durable."""
        asked = [getattr(event, "request", NOBODY) for event in batch]
        error = MasterUnavailable(address=MASTER, reason="it has gone back to its catalog")
        for one in todo:
            if isinstance(one, Reply | Refuse) and one.request not in asked:
                self._answer(one.request, error)

    def _carry_out_all(self, todo: list[Instruction]) -> None:
        for instruction in todo:
            self._carry_out(instruction)
        self._go_on()

    def _go_on(self) -> None:
        self._busy = False
        self._answer_questions()
        if self._queue:
            self._handle_queue()

    def _answer_questions(self) -> None:
        questions, self._questions = self._questions, []
        for question, answer in questions:
            try:
                answer(question(self.core))
            except DfsError as error:
                answer(error)

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case Note(event):
                self._around.trace(event)
            case Reply(request, value):
                self._answer(request, value)
            case Refuse(request, error):
                self._answer(request, error)
            case CopyReplica():
                self._order_copy(instruction)
            case DropReplica(_, keeper):
                self._around.network.call(self.life, keeper, "drop", instruction, ORDER_TIMEOUT_S)
            case AppendCatalog():
                pass  # durable already

    def _answer(self, request: int, answer: object) -> None:
        asked = self._answers.pop(request, None)
        if asked is not None:
            asked(answer)

    def _order_copy(self, copy: CopyReplica) -> None:
        def failed(source_at_fault: bool) -> Callable[[Promise], None]:
            def tell(promise: Promise) -> None:
                if promise.error is not None:
                    reason = str(promise.error)
                    self._enqueue(
                        lambda request: events.CopyFailed(
                            request, "", copy.copy_id, reason, source_at_fault=source_at_fault
                        ),
                        _nobody,
                    )

            return tell

        call = self._around.network.call
        call(self.life, copy.source, "offer", copy, ORDER_TIMEOUT_S).then(failed(True))
        call(self.life, copy.target, "fetch", copy, ORDER_TIMEOUT_S).then(failed(False))


def _nobody(answer: object) -> None:
    """Take an answer that nobody waits for."""
