"""What `Nodes` needs of a node, however it runs: as threads of this process, or as a process of its own."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dfslab.core.errors import InvalidOption
from dfslab.core.model import Address
from dfslab.runtime.clock import Clock
from dfslab.runtime.keeper_node import KeeperSettings
from dfslab.runtime.network import Network
from dfslab.runtime.recorder import Recorder

if TYPE_CHECKING:
    from dfslab.runtime.master_node import MasterSettings

ISOLATIONS = ("thread", "process")


class NodeState(enum.StrEnum):
    """What the laboratory has done to a node, whatever the master believes of it."""

    RUNNING = "running"
    PAUSED = "paused"
    KILLED = "dead"
    DECOMMISSIONED = "decommissioned"


@dataclass(frozen=True, slots=True)
class Failpoint:
    """A named point (`dfslab.runtime.failpoints`) at whose `at`-th passage something happens."""

    name: str
    action: str
    at: int = 1


class Node(Protocol):
    """A node that was started."""

    @property
    def address(self) -> Address:
        """Where its gRPC server listens."""

    @property
    def pid(self) -> int:
        """The id of the process that it runs, or ran, in."""

    def state(self) -> NodeState:
        """Return how it is found to be: running, paused or dead, whoever did it."""

    def cut(self) -> None:
        """Crash: nothing that it does from here on has an effect."""

    def end(self) -> None:
        """Have it stop in good order."""

    def join(self) -> None:
        """After `cut` or `end`, return when nothing of it is left."""

    def arm(self, point: Failpoint) -> None:
        """Have something happen at a failpoint."""

    def disarm(self, name: str) -> int:
        """Let everything pass a failpoint again; return how often it was passed since it was armed."""


class Master(Node, Protocol):
    """A master tracker that was started."""


class Keeper(Node, Protocol):
    """A data keeper that was made; it speaks to the master from `start` on."""

    @property
    def data_address(self) -> Address:
        """Where its data port listens."""

    def start(self) -> None:
        """Register, and begin to send heartbeats."""

    def start_patiently(self) -> None:
        """Begin to send heartbeats and keep trying to register."""

    def fill_disk(self, *, full: bool) -> None:
        """Have its disk take nothing more, or take files again."""

    def freeze(self) -> None:
        """Hold it where it is, as SIGSTOP does."""

    def thaw(self) -> None:
        """Let it go on."""

    def beat_now(self) -> Future[None]:
        """Have it send a heartbeat at once."""

    def scrub_now(self) -> Future[list[dict[str, Any]]]:
        """Have it read every replica again; the future has `version`, `bytes` and `problem` of each."""


class Launcher(Protocol):
    """Makes nodes. What it makes has its ports and its disk, or is not there: then it raises the reason."""

    def expect(self, count: int) -> None:
        """Prepare for so many nodes that are about to be asked for."""

    def master(self, settings: MasterSettings, armed: Sequence[Failpoint] = ()) -> Master:
        """Start a master tracker."""

    def keeper(self, settings: KeeperSettings, armed: Sequence[Failpoint] = ()) -> Keeper:
        """Make a data keeper."""

    def check(self, point: Failpoint) -> Failpoint:
        """Return a failpoint that its nodes can meet; raise InvalidOption for one that they can't."""

    def close(self) -> None:
        """Leave nothing, once every node has been joined."""

    def abandon(self) -> None:
        """In a forked child, let go of what is the parent's."""


def launcher_of(
    isolation: str,
    clock: Clock,
    recorder: Recorder,
    network: Network,
    *,
    name: str,
    seed: int | None,
    policies: Mapping[str, str],
) -> Launcher:
    """Return the launcher of an isolation; each is imported when it is first used."""
    if isolation == "thread":
        from dfslab.lab.thread_nodes import ThreadLauncher

        return ThreadLauncher(clock, recorder, network)
    from dfslab.lab.processes.launcher import ProcessLauncher

    return ProcessLauncher(clock, recorder, network, name=name, seed=seed, policies=policies)


def check_isolation(isolation: str, platform: str) -> str:
    """Return how nodes are to run; raise InvalidOption where they can't run so.

    Parameters
    ----------
    isolation : {"thread", "process"}
    platform : str
        As `sys.platform` has it.
    """
    if isolation not in ISOLATIONS:
        raise InvalidOption(option="isolation", value=repr(isolation), reason="it is 'thread' or 'process'")
    if isolation == "process" and not platform.startswith("linux"):
        reason = (
            f"on {platform} nothing ends the processes of a parent that was killed, as Linux does; "
            "use isolation='thread', which shows the same"
        )
        raise InvalidOption(option="isolation", value=repr(isolation), reason=reason)
    return isolation
