"""The nemesis at work: once every few seconds it breaks something, or lets it go."""

from __future__ import annotations

import time
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

from dfslab.core import nemesis as core
from dfslab.core.errors import ClusterClosed, NoSuchFile, NoSuchReplica, TooManyFaults, WrongState
from dfslab.core.faults import Action
from dfslab.core.guard import Standing
from dfslab.core.scenario import Step
from dfslab.lab.background import Background
from dfslab.lab.scenario import Scenario

if TYPE_CHECKING:
    from dfslab.lab.faults import Faults


class Nemesis(Background):
    """A random evil at work on a cluster; `cluster.nemesis(...)` returns it.

    As a context manager it is stopped on leaving: then everything that is broken is mended, and it
    returns when the cluster has recovered. Links that it did not change stay as they were set. After
    an exception in the body nothing is waited for.
    """

    def __init__(self, lab: Faults, mind: core.Nemesis, *, every_s: float, force: bool) -> None:
        super().__init__(lab, "nemesis")
        self._mind, self._every_s, self._force = mind, every_s, force
        self._steps: list[Step] = []

    @property
    def actions(self) -> Scenario:
        """What it did, in lesson time since it began: a scenario that can be played again."""
        return Scenario(list(self._steps))

    def _work(self) -> None:
        started, speed = time.monotonic(), self._lab.setup.speed
        while not self._stopping.wait(self._every_s / speed):
            standing = self._lab._standing()
            move = self._mind.next(standing, self._lab._good_copies())
            if isinstance(move, core.Discovery):
                self._lab._discover_on(move.name, move.keeper)
            elif move is not None and self._is_done(move, standing):
                self._steps.append(Step(round((time.monotonic() - started) * speed, 3), move))

    def _is_done(self, move: Action, standing: Standing) -> bool:
        """Do something; return False when it is not to be done any more.

        The guard also counts damage that is not made up for yet, which the mind takes for mended; and
        somebody else may have done something since it looked: a file that was to be damaged may have been
        overwritten or deleted by a client, its replica moved or trimmed.
        """
        try:
            self._lab.perform(move, force=self._force)
        except (TooManyFaults, NoSuchFile, NoSuchReplica):
            self._mind.refused(move)
            return False
        except WrongState:
            if self._lab._standing() == standing:
                raise
            self._mind.refused(move)
            return False
        return True

    def stop(self, recovery_timeout_s: float = 30.0) -> None:
        """Break nothing more, mend everything that is broken, and return when the cluster has recovered.

        May be called again. Does nothing more once the cluster is closed.

        Raises
        ------
        DfsError
            What it met while it was at work, once all is mended.
        WaitTimedOut
            Naming what is not back within `recovery_timeout_s`.
        """
        self._end()
        self._raise_error()
        if not self._lab._closing:
            self._lab.wait_for_recovery(recovery_timeout_s)

    def _end(self) -> None:
        self.signal()
        self.wait()
        try:
            self._lab._check_open()
            standing = self._lab._standing()
            links = tuple(ends for ends in standing.links if ends in self._links_changed())
            self._lab._mend(self._lab._mends(replace(standing, links=links)))
        except ClusterClosed:
            return  # it was closed with all that was broken

    def _links_changed(self) -> list[tuple[str, str]]:
        """Return the ends of the links that it changed: a link is a setting, too, which others may have made."""
        return [(str(step.action.arguments["node"]), "") for step in self._steps if step.action.kind == "set_link"]

    def __enter__(self) -> Nemesis:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()
            return
        try:
            self._end()
            self._raise_error()
        except Exception as second:  # noqa: BLE001 - the error of the body must not be masked: this one is added to it
            error.add_note(f"and the nemesis met: {second}")

    def __repr__(self) -> str:
        state = "at work" if self.is_running else "stopped"
        return f"<dfslab nemesis, {state}: {len(self._steps)} actions>"

    def _repr_html_(self) -> str:
        return f"<p>nemesis, {'at work' if self.is_running else 'stopped'}</p>{self.actions._repr_html_()}"
