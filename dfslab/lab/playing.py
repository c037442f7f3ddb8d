"""Playing a scenario: each step at its time, on a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from dfslab.core.errors import ClusterClosed, InvalidOption, WaitTimedOut
from dfslab.core.nodes import CLIENT, MASTER, keeper_name, short_name
from dfslab.lab.background import Background
from dfslab.lab.scenario import Scenario

if TYPE_CHECKING:
    from dfslab.lab.faults import Faults


class Playing(Background):
    """A scenario that is being played; `cluster.play(scenario, wait=False)` returns it.

    A step that takes longer than the time to the next one holds that one up. The first step that
    fails ends it; `join` and `stop` raise its error, which names the step. As a context manager it is
    stopped on leaving.

    Attributes
    ----------
    scenario : Scenario
    done : int
        Steps that were done so far.
    """

    def __init__(self, lab: Faults, scenario: Scenario, *, force: bool) -> None:
        super().__init__(lab, "scenario")
        self.scenario, self.done = scenario, 0
        self._force = force

    def _work(self) -> None:
        started = time.monotonic()
        for index, step in enumerate(self.scenario):
            due = started + step.time_s / self._lab.setup.speed
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                return
            try:
                self._lab.perform(step.action, force=self._force)
            except Exception as error:
                error.add_note(f"in scenario[{index}], {str(step).strip()}")
                raise
            self.done += 1

    def stop(self) -> None:
        """Do no further step, and return when the current one is done; what is broken stays so."""
        self.signal()
        self.wait()
        self._raise_error()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until the last step is done.

        Raises
        ------
        WaitTimedOut
            After `timeout_s`, and the playing goes on.
        ClusterClosed
            The cluster was closed before the last step.
        DfsError
            A step failed.
        """
        if not self.wait(timeout_s):
            left = [str(step).strip() for step in self.scenario[self.done :]]
            raise WaitTimedOut(waited_s=timeout_s or 0.0, missing=left)
        self._raise_error()
        if self._lab._closing and self.done < len(self.scenario):
            raise ClusterClosed(name=self._lab.name)

    def __enter__(self) -> Playing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()
        else:
            self.signal()
            self.wait()

    def __repr__(self) -> str:
        state = "playing" if self.is_running else "ended"
        return f"<dfslab scenario, {state}: {self.done} of {len(self.scenario)} steps done>"


def check_nodes(scenario: Scenario, keepers: Sequence[str], clients: Sequence[str] = (CLIENT,)) -> None:
    """Refuse a scenario that names a keeper which there is not, and which it does not add itself.

    Raises
    ------
    InvalidOption
        Naming the step and the argument, such as `scenario[3].kill.keeper`.
    """
    numbers = [int(short_name(name)) for name in keepers]
    highest = max(numbers, default=0)
    others = (MASTER, *clients)
    known = dict.fromkeys((*keepers, *others))
    for index, step in enumerate(scenario):
        if step.action.kind == "add_keeper":
            highest += 1
            known[keeper_name(highest)] = None
        for option, given in step.action.arguments.items():
            if option not in ("keeper", "node", "other", "a", "b") or given is None:
                continue
            for node in given if isinstance(given, list) else [given]:
                name = keeper_name(node)
                if name not in known or (option == "keeper" and name in others):
                    reason = f"no such node at that time; there are {', '.join(known)}"
                    where = f"scenario[{index}].{step.action.kind}.{option}"
                    raise InvalidOption(option=where, value=repr(given), reason=reason)
