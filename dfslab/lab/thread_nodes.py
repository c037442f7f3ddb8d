"""Nodes as threads of this process: started in milliseconds, killed and frozen at their gates."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from dfslab.core.errors import InvalidOption
from dfslab.lab.launching import Failpoint, NodeState
from dfslab.runtime import failpoints
from dfslab.runtime.clock import Clock
from dfslab.runtime.gate import Gate
from dfslab.runtime.keeper_node import KeeperNode, KeeperSettings
from dfslab.runtime.master_node import MasterNode, MasterSettings
from dfslab.runtime.network import Network
from dfslab.runtime.pacemaker import Pacemaker
from dfslab.runtime.processor import LOOK_S, PROCESSOR
from dfslab.runtime.recorder import Recorder

WHOLE_PROCESS = ("kill", "stop")
"""What a failpoint may do to a process, but not to some threads of one."""


class _InThreads:
    """What threads have to offer besides what the nodes of the runtime do by themselves."""

    gate: Gate
    armed: dict[str, None]

    @property
    def pid(self) -> int:
        """The id of this process."""
        return os.getpid()

    def state(self) -> NodeState:
        """Return whether it is held; a killed one is known to whoever killed it."""
        return NodeState.PAUSED if self.gate.is_frozen else NodeState.RUNNING

    def arm(self, point: Failpoint) -> None:
        """Arm a failpoint, for all nodes of this process: it strikes whoever passes it."""
        failpoints.arm(point.name, point.action, point.at)
        self.armed[point.name] = None

    def disarm(self, name: str) -> int:
        """Let everything pass a failpoint again."""
        self.armed.pop(name, None)
        return failpoints.disarm(name)


class ThreadKeeper(_InThreads, KeeperNode):
    """A data keeper in threads."""

    def end(self) -> None:
        """Cut it: `join` does the rest in good order."""
        self.cut()


class ThreadMaster(_InThreads, MasterNode):
    """A master tracker in threads."""

    def end(self) -> None:
        """Cut it: `join` does the rest in good order."""
        self.cut()


class _Lookout:
    """Looks now and then whether others want the processor that the nodes share."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_s = clock.now()

    def next_wake_s(self) -> float:
        """Return when to look next."""
        return self._next_s

    def wake(self) -> bool:
        """Look."""
        PROCESSOR.look()
        self._next_s = self._clock.now() + LOOK_S
        return True


class ThreadLauncher:
    """Makes nodes that are threads of this process, on the cluster's own network."""

    def __init__(self, clock: Clock, recorder: Recorder, network: Network) -> None:
        self._clock, self._recorder, self._network = clock, recorder, network
        self._pacemaker = Pacemaker(clock.now)
        self._armed: dict[str, None] = {}
        self._shares_processor = True
        PROCESSOR.enter()

    def expect(self, count: int) -> None:
        """Look from now on whether the processor that they share is wanted by others; threads need nothing else."""
        self._pacemaker.add(_Lookout(self._clock))

    def master(self, settings: MasterSettings, armed: Sequence[Failpoint] = ()) -> ThreadMaster:
        """Start a master tracker."""
        self._arm(armed)
        node = ThreadMaster(settings, self._clock, self._recorder.add, self._network)
        node.armed = self._armed
        return node

    def keeper(self, settings: KeeperSettings, armed: Sequence[Failpoint] = ()) -> ThreadKeeper:
        """Make a data keeper."""
        self._arm(armed)
        node = ThreadKeeper(settings, self._clock, self._recorder.add, self._network, self._pacemaker)
        node.armed = self._armed
        return node

    def check(self, point: Failpoint) -> Failpoint:
        """Return a failpoint that threads can meet; raise InvalidOption for one that would end this process."""
        if point.action in WHOLE_PROCESS:
            reason = "it would strike this whole process, which the nodes are threads of; use isolation='process'"
            raise InvalidOption(option="action", value=repr(point.action), reason=reason)
        return point

    def _arm(self, armed: Sequence[Failpoint]) -> None:
        for point in armed:
            failpoints.arm(point.name, point.action, point.at)
            self._armed[point.name] = None

    def close(self) -> None:
        """End what woke the keepers, and leave no failpoint armed."""
        self._pacemaker.close()
        while self._armed:
            with contextlib.suppress(KeyError):  # whoever armed it has disarmed it
                failpoints.disarm(self._armed.popitem()[0])
        self._leave_processor()

    def abandon(self) -> None:
        """Do nothing in a forked child, which has no threads of its parent's."""
        self._shares_processor = False

    def _leave_processor(self) -> None:
        if self._shares_processor:
            self._shares_processor = False
            PROCESSOR.leave()
