"""Makes nodes that are processes of their own, and keeps their networks like the cluster's."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from dfslab.core.model import Address
from dfslab.core.nodes import MASTER
from dfslab.lab.launching import Failpoint, NodeState
from dfslab.lab.processes.feed import Feed
from dfslab.lab.processes.plain import plain
from dfslab.lab.processes.process import NodeProcess
from dfslab.runtime.clock import Clock
from dfslab.runtime.gate import NodeDown
from dfslab.runtime.keeper_node import KeeperSettings
from dfslab.runtime.network import Network
from dfslab.runtime.recorder import Recorder

if TYPE_CHECKING:
    from dfslab.runtime.master_node import MasterSettings

START_S = 60.0
"""How long a process may take to be there: on a busy machine, many are imported at once."""
ANSWER_S = 10.0
"""How long a running process may take to answer what it can do at once."""
LOOK_S = 0.1
"""How often it is looked whether one that does not answer still runs."""


class _InProcess:
    """What master and keeper have in common: a process, and the ports that it told of."""

    def __init__(self, process: NodeProcess, launcher: ProcessLauncher, told: dict[str, Any]) -> None:
        self._process, self._launcher = process, launcher
        self.address = Address(*told["address"])

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def state(self) -> NodeState:
        """Return how the kernel has it."""
        state = self._process.state()
        if state is NodeState.RUNNING and self._process.is_behind:  # somebody else has continued it
            self._launcher.bring_up_to_date(self._process)
        return state

    def cut(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def end(self) -> None:
        """Have it stop in good order."""
        self._process.end()

    def join(self) -> None:
        """Wait until it has ended; what it told before is in the trace then."""
        self._process.bury()
        self._launcher.forget(self._process)

    def arm(self, point: Failpoint) -> None:
        """Arm a failpoint in it."""
        self._process.demand("arm", ANSWER_S, name=point.name, action=point.action, at=point.at)

    def disarm(self, name: str) -> int:
        """Let everything pass a failpoint again."""
        return int(self._process.demand("disarm", ANSWER_S, name=name))


class MasterProcess(_InProcess):
    """A master tracker in a process of its own."""


class KeeperProcess(_InProcess):
    """A data keeper in a process of its own."""

    def __init__(self, process: NodeProcess, launcher: ProcessLauncher, told: dict[str, Any]) -> None:
        super().__init__(process, launcher, told)
        self.data_address = Address(*told["data_address"])
        self._disk_is_full = False

    def start(self) -> None:
        """Register, and begin to send heartbeats."""
        self._process.demand("start", START_S)

    def start_patiently(self) -> None:
        """Begin to send heartbeats and keep trying to register."""
        self._process.demand("start_patiently", ANSWER_S)

    def fill_disk(self, *, full: bool) -> None:
        """Have its disk take nothing more, or take files again; one that is stopped hears of it when it goes on."""
        if full != self._disk_is_full:
            self._disk_is_full = full
            self._launcher.tell(self._process, "fill_disk", full=full)

    def freeze(self) -> None:
        """SIGSTOP."""
        self._process.stop()

    def thaw(self) -> None:
        """SIGCONT, after the network was put in its pipe as it is now."""
        self._launcher.wake(self._process)

    def beat_now(self) -> Future[None]:
        """Have it send a heartbeat at once."""
        return self._process.ask("beat")

    def scrub_now(self) -> Future[list[dict[str, Any]]]:
        """Have it read every replica again."""
        return self._process.ask("scrub")


class ProcessLauncher:
    """Makes processes, from one thread that lives as long as they do.

    Parameters
    ----------
    clock, recorder, network
        The cluster's.
    name : str
        The cluster's, for the names of threads.
    seed : int or None
    policies : mapping
        The master's, by names that a process can import.
    """

    def __init__(
        self,
        clock: Clock,
        recorder: Recorder,
        network: Network,
        *,
        name: str,
        seed: int | None,
        policies: Mapping[str, str],
    ) -> None:
        self._clock, self._network, self._seed, self._policies = clock, network, seed, policies
        self._feed = Feed(recorder, name)
        self._spawner = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-spawner")
        self._unnamed: list[NodeProcess] = []
        self._nodes: list[NodeProcess] = []
        network.watch(self._network_changed)

    # -- making them --------------------------------------------------------------------------

    def expect(self, count: int) -> None:
        """Spawn so many processes: they import what they need side by side, before they are told who they are."""
        for one in [self._spawner.submit(self._spawn) for _ in range(count)]:
            one.result()

    def _spawn(self) -> None:
        self._unnamed.append(NodeProcess(self._feed, self._clock))

    def _next(self, node: str) -> NodeProcess:
        if not self._unnamed:
            self.expect(1)
        process = self._unnamed.pop(0)
        process.is_called(node)
        self._nodes.append(process)
        return process

    def _launch(self, role: str, node: str, armed: Sequence[Failpoint], **settings: Any) -> tuple[NodeProcess, Any]:
        process = self._next(node)
        try:
            told = process.demand(
                role,
                START_S,
                origin=self._clock.origin,
                network=self._network.as_dict(),
                seed=None if self._seed is None else f"{self._seed} {node}",
                armed=[astuple(point) for point in armed],
                **settings,
            )
        except BaseException:
            process.kill()
            process.bury()
            self.forget(process)
            raise
        return process, told

    def master(self, settings: MasterSettings, armed: Sequence[Failpoint] = ()) -> MasterProcess:
        """Start a master tracker."""
        process, told = self._launch(
            "master",
            MASTER,
            armed,
            settings=plain(settings, leave_out=("policies",)),
            policies=dict(self._policies),
        )
        return MasterProcess(process, self, told)

    def keeper(self, settings: KeeperSettings, armed: Sequence[Failpoint] = ()) -> KeeperProcess:
        """Make a data keeper."""
        process, told = self._launch("keeper", settings.name, armed, settings=plain(settings))
        return KeeperProcess(process, self, told)

    def check(self, point: Failpoint) -> Failpoint:
        """Return it: a process can meet every failpoint."""
        return point

    def forget(self, process: NodeProcess) -> None:
        """Take a process off the list once nothing of it is left."""
        if process in self._nodes:
            self._nodes.remove(process)

    # -- what all of them hear of -------------------------------------------------------------

    def _network_changed(self, table: dict[str, Any]) -> None:
        """Have every running node's network be so before going on; those that are stopped hear of it later."""
        for process in self._nodes:
            process.is_behind = not _runs(process)
        running = [process for process in self._nodes if not process.is_behind]
        self._settle("network", {process: process.ask("network", table=table) for process in running})

    def bring_up_to_date(self, process: NodeProcess) -> None:
        """Have a node's network be as it is now."""
        process.is_behind = False
        self.tell(process, "network", table=self._network.as_dict())

    def tell(self, process: NodeProcess, command: str, **arguments: Any) -> None:
        """Have a node do something at once; one that is stopped does it when it goes on, one that has ended never."""
        self._settle(command, {process: process.ask(command, **arguments)})

    def wake(self, process: NodeProcess) -> None:
        """Continue a stopped process, its network being as it is now."""
        done = process.ask("network", table=self._network.as_dict())
        process.is_behind = False
        process.go_on()
        self._settle("network", {process: done})

    @staticmethod
    def _settle(command: str, asked: Mapping[NodeProcess, Future[Any]]) -> None:
        """Wait until those who were asked have answered; whoever has ended or is stopped gives no answer."""
        deadline = time.monotonic() + ANSWER_S
        for process, answer in asked.items():
            while not wait([answer], LOOK_S).done and _runs(process):
                if time.monotonic() >= deadline:
                    raise process.unanswered(command, ANSWER_S)
            if answer.done() and not isinstance(answer.exception(), NodeDown):
                answer.result()

    # -- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Leave no process, no pipe and no thread, whatever the nodes' own ends have left."""
        self._network.watch(None)
        self._spawner.shutdown(wait=True)
        left = [*self._unnamed, *self._nodes]
        for process in left:
            process.kill()
        for process in left:
            process.bury()
        self._unnamed, self._nodes = [], []
        self._feed.close()

    def abandon(self) -> None:
        """In a forked child: hold no end of a pipe that would keep a node from seeing its parent gone."""
        for process in [*self._unnamed, *self._nodes]:
            process.abandon()
        self._feed.abandon()


def _runs(process: NodeProcess) -> bool:
    return process.state() is NodeState.RUNNING
