"""The nodes of a cluster: started, killed, frozen, brought back; each keeps its name, its ports and its disk."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfslab.core.checks import check_count
from dfslab.core.errors import InvalidOption, UnknownKeeper, WrongState
from dfslab.core.links import Link
from dfslab.core.liveness import Liveness
from dfslab.core.model import Address
from dfslab.core.nodes import MASTER, keeper_name, short_name
from dfslab.core.trace import Kind, Tracer
from dfslab.lab.launching import Failpoint, Keeper, Launcher, Node
from dfslab.lab.launching import NodeState as NodeState
from dfslab.lab.making import Making
from dfslab.runtime.clock import Clock
from dfslab.runtime.failpoints import ACTIONS
from dfslab.runtime.keeper_node import KeeperSettings
from dfslab.runtime.network import Network
from dfslab.runtime.ports import ReservedPorts
from dfslab.runtime.recorder import Recorder

if TYPE_CHECKING:
    from dfslab.runtime.master_node import MasterSettings

GONE = "it is no part of the cluster any more; add_keeper() starts another"
"""What to do about a keeper that was decommissioned."""


_FOUND = {NodeState.RUNNING: "resume", NodeState.PAUSED: "pause", NodeState.KILLED: "kill"}
"""What was done to a node that is found to be so, by whomever."""


@dataclass
class _Slot:
    """A keeper's place in the cluster, filled or not."""

    settings: KeeperSettings
    node: Keeper
    state: NodeState = NodeState.RUNNING
    disk_is_full: bool = False
    armed: list[Failpoint] = field(default_factory=list)


class Nodes:
    """A master and its keepers, as threads of this process or as processes: the launcher knows.

    Every change is a line of kind `fault` in the trace. A kill is a crash: the links are cut first,
    the threads ended after, and nobody is told.

    Parameters
    ----------
    root : Path
        The master works in `root/master`, keeper i in `root/keeper-i`.
    settings : MasterSettings
    keeper_settings : callable
        Makes a keeper's settings from its number.
    launcher : Launcher
        Makes the nodes.
    network : Network
        What all of them are on.
    link : Link
        A new keeper's link; later changes outlive its restarts.
    """

    def __init__(
        self,
        root: Path,
        settings: MasterSettings,
        keeper_settings: Callable[[int, Address], KeeperSettings],
        clock: Clock,
        recorder: Recorder,
        tracer: Tracer,
        launcher: Launcher,
        network: Network,
        link: Link,
    ) -> None:
        self._root, self._clock, self._recorder, self._tracer = root, clock, recorder, tracer
        self._launcher, self.network, self._link = launcher, network, link
        self._keeper_settings = keeper_settings
        self._lock = threading.RLock()
        self._slots: dict[str, _Slot] = {}
        self._last_number = 0
        self._master_armed: list[Failpoint] = []
        self._ports = ReservedPorts()
        self._master = launcher.master(settings)
        self._master_settings = replace(settings, port=self._master.address.port)
        self._master_state = NodeState.RUNNING

    # -- keepers ------------------------------------------------------------------------------

    def add_first(self, count: int) -> None:
        """Start so many keepers: they are made side by side, and register in the order of their numbers."""
        with self._lock:
            while len(self._slots) < count:  # numbers of those that were decommissioned earlier are passed over
                numbers = range(self._last_number + 1, self._last_number + 1 + count - len(self._slots))
                with Making(self._made, numbers, _thrown_away) as made:
                    for number in numbers:
                        settings, node = made.take()
                        self._last_number = number
                        if self._registers(node):
                            self._take_in(settings, node)

    def _made(self, number: int) -> tuple[KeeperSettings, Keeper]:
        settings = self._keeper_settings(number, self._master.address)
        if self.network.link(settings.name) != self._link:  # every process is told of a change
            self.network.set_link(settings.name, self._link)
        return settings, self._launcher.keeper(settings)

    def _registers(self, node: Keeper) -> bool:
        """Have a keeper start; return False, and leave nothing of it, if it was decommissioned in an earlier life."""
        try:
            node.start()
        except BaseException as error:
            node.cut()
            node.join()
            if isinstance(error, WrongState) and error.fields["state"] == str(Liveness.DECOMMISSIONED):
                return False
            raise
        return True

    def _take_in(self, settings: KeeperSettings, node: Keeper) -> None:
        settings = replace(settings, port=node.address.port, data_port=node.data_address.port)
        self._slots[settings.name] = _Slot(settings, node)

    def add(self) -> str:
        """Start a keeper under the next number and return its name once it is registered."""
        with self._lock:
            self._need_master("a keeper can't register")
            while True:
                settings, node = self._made(self._last_number + 1)
                registered = self._registers(node)
                self._last_number += 1
                if registered:
                    self._take_in(settings, node)
                    return settings.name

    def _start(
        self,
        settings: KeeperSettings,
        *,
        disk_is_full: bool = False,
        patiently: bool = False,
        armed: Sequence[Failpoint] = (),
    ) -> Keeper:
        node = self._launcher.keeper(settings, armed)
        try:
            node.fill_disk(full=disk_is_full)
            if patiently:
                node.start_patiently()
            else:
                node.start()
        except BaseException:
            node.cut()
            node.join()
            raise
        return node

    def held(self) -> threading.RLock:
        """Return the lock under which nodes are changed; `close` waits for it."""
        return self._lock

    def kill(self, keeper: str | int) -> tuple[str, str]:
        """Crash a keeper; this and the other changes return its name and the id of the line in the trace."""
        with self._lock:
            slot = self._in_state(keeper, "cluster.restart({0}) brings it back", NodeState.RUNNING, NodeState.PAUSED)
            slot.state = NodeState.KILLED
            slot.node.cut()
            event = self.note("kill", slot.settings.name)
            slot.node.join()
            self._ports.hold(slot.settings.name, _ports_of(slot.settings))
            return slot.settings.name, event

    def restart(self, keeper: str | int, *, wipe: bool) -> tuple[str, str]:
        """Start a killed keeper again with its name, its ports and, unless `wipe`, its disk.

        One that is cut off from the master comes up unregistered, and goes on trying.
        """
        with self._lock:
            slot = self._in_state(keeper, "only a dead keeper can be restarted; kill({0}) it first", NodeState.KILLED)
            self._need_master("a keeper can't register")
            slot.node.cut()  # in case the kill was interrupted
            slot.node.join()
            if wipe:
                shutil.rmtree(slot.settings.directory)
            name = slot.settings.name
            event = self.note("restart", name, wipe=wipe)
            self._ports.release(name)
            try:
                armed, slot.armed = slot.armed, []
                slot.node = self._start(
                    slot.settings, disk_is_full=slot.disk_is_full, patiently=self._is_cut_off(name), armed=armed
                )
            except BaseException:
                self.note("kill", name)  # the trace says that it was started
                self._ports.hold(name, _ports_of(slot.settings))
                raise
            slot.state = NodeState.RUNNING
            return name, event

    def _is_cut_off(self, keeper: str) -> bool:
        return self.network.is_cut(keeper, MASTER) or self.network.is_cut(MASTER, keeper)

    def pause(self, keeper: str | int) -> tuple[str, str]:
        """Freeze a keeper where it is."""
        with self._lock:
            slot = self._in_state(keeper, "only a running keeper can be paused", NodeState.RUNNING)
            slot.node.freeze()
            slot.state = NodeState.PAUSED
            return slot.settings.name, self.note("pause", slot.settings.name)

    def resume(self, keeper: str | int) -> tuple[str, str]:
        """Let a paused keeper go on."""
        with self._lock:
            slot = self._in_state(keeper, "only a paused keeper can be resumed", NodeState.PAUSED)
            event = self.note("resume", slot.settings.name)
            slot.state = NodeState.RUNNING
            slot.node.thaw()
            return slot.settings.name, event

    def fill_disk(self, keeper: str | int, *, full: bool) -> tuple[str, str]:
        """Have a keeper's disk take nothing more, or take files again; a dead keeper's too."""
        with self._lock:
            advice = "it has no disk to fill any more"
            slot = self._in_state(keeper, advice, NodeState.RUNNING, NodeState.PAUSED, NodeState.KILLED)
            name = slot.settings.name
            if slot.disk_is_full == full:
                number = short_name(name)
                state, back = ("already full", "free_disk") if full else ("not full", "fill_disk")
                advice = f"{back}({number}) changes that"
                raise WrongState(node=f"{name}'s disk", state=state, advice=advice)
            slot.disk_is_full = full
            slot.node.fill_disk(full=full)
            return name, self.note("fill_disk" if full else "free_disk", name)

    def full_disks(self) -> tuple[str, ...]:
        """Return the keepers whose disk takes nothing more."""
        with self._lock:
            return tuple(name for name, slot in self._slots.items() if slot.disk_is_full)

    def directory(self, keeper: str) -> Path:
        """Return where a keeper keeps its files."""
        with self._lock:
            return self._slots[keeper].settings.directory

    def retire(self, keeper: str | int) -> None:
        """Stop a keeper that the master has let go."""
        with self._lock:
            slot = self._slot(keeper)
            slot.node.end()
            self.note("decommission", slot.settings.name)
            slot.node.join()
            slot.state = NodeState.DECOMMISSIONED

    def running(self, keeper: str | int, action: str) -> Keeper:
        """Return a running keeper's node, or raise WrongState."""
        with self._lock:
            advice = f"only a running keeper can {action}; cluster.restart({{0}}) or resume({{0}}) it"
            return self._in_state(keeper, advice, NodeState.RUNNING).node

    def _in_state(self, keeper: str | int, advice: str, *allowed: NodeState) -> _Slot:
        slot = self._slot(keeper)
        self._look_at(slot)
        if slot.state not in allowed:
            name = slot.settings.name
            number = short_name(name)
            state = "already dead" if slot.state is NodeState.KILLED else str(slot.state)
            if slot.state is NodeState.DECOMMISSIONED:
                advice = GONE
            raise WrongState(node=name, state=state, advice=advice.format(number))
        return slot

    def _slot(self, keeper: str | int) -> _Slot:
        return self._slots[self.name_of(keeper)]

    def name_of(self, keeper: str | int) -> str:
        """Return the name of a keeper given by name or number, or raise UnknownKeeper."""
        name = keeper_name(keeper)
        if name not in self._slots:
            raise UnknownKeeper(keeper=repr(keeper), known=list(self._slots))
        return name

    def states(self) -> Mapping[str, NodeState]:
        """Return what the laboratory has done to each keeper, by name."""
        with self._lock:
            for slot in self._slots.values():
                self._look_at(slot)
            return {name: slot.state for name, slot in self._slots.items()}

    def _look_at(self, slot: _Slot) -> None:
        """Notice what was done to a keeper behind the laboratory's back, by a failpoint or by hand."""
        slot.state = self._found(slot.settings.name, slot.node, slot.state, _ports_of(slot.settings))

    def _found(self, name: str, node: Node, believed: NodeState, ports: Sequence[Address]) -> NodeState:
        if believed not in (NodeState.RUNNING, NodeState.PAUSED):
            return believed
        found = node.state()
        if found is not believed:
            if found is NodeState.KILLED:
                node.join()  # what it told before
                self._ports.hold(name, ports)
            self.note(_FOUND[found], name)
        return found

    # -- failpoints ---------------------------------------------------------------------------

    def arm(self, node: str | int, name: str, action: str, at: int = 1) -> None:
        """Have something happen at the `at`-th time that a node passes a failpoint, once.

        A dead node meets it after its next start. Threads share their failpoints: there, whichever node
        passes it is struck.

        Parameters
        ----------
        node : str or int
            A keeper, or "master".
        name : str
            One of those that `dfslab.runtime.failpoints.hit` names.
        action : {"EIO", "ENOSPC", "kill", "stop"}
            An error of the disk or, of a process only, SIGKILL or SIGSTOP.
        at : int
            At which passage, from 1 on.

        Raises
        ------
        InvalidOption
            There is no such action, or not for threads.
        UnknownKeeper, WrongState
        """
        if action not in ACTIONS:
            raise InvalidOption(option="action", value=repr(action), reason=f"known are {', '.join(ACTIONS)}")
        point = self._launcher.check(Failpoint(name, action, check_count("at", at)))
        with self._lock:
            if node == MASTER:
                state, one, waiting = self.master_state, self.node(node), self._master_armed
            else:
                slot = self._in_state(node, "resume({0}) it first", NodeState.RUNNING, NodeState.KILLED)
                state, one, waiting = slot.state, slot.node, slot.armed
            if state is NodeState.KILLED:
                waiting.append(point)
            else:
                one.arm(point)

    def disarm(self, node: str | int, name: str) -> int:
        """Let a running node pass a failpoint again; return how often it has since that was armed."""
        with self._lock:
            return self.node(node).disarm(name)

    def node(self, node: str | int) -> Node:
        """Return a keeper, or the master: its threads or its process."""
        return self._master if node == MASTER else self._slot(node).node

    # -- the master ---------------------------------------------------------------------------

    @property
    def master_address(self) -> Address:
        """Where the master listens, or listened."""
        return self._master.address

    @property
    def master_state(self) -> NodeState:
        """What was done to the master."""
        with self._lock:
            self._master_state = self._found(
                MASTER, self._master, self._master_state, [_address_of(self._master_settings)]
            )
            return self._master_state

    def _need_master(self, why: str) -> None:
        if self.master_state is not NodeState.RUNNING:
            raise WrongState(node=MASTER, state=self.master_state, advice=f"{why}; restart_master() first")

    def kill_master(self) -> str:
        """Crash the master; return the id of the line in the trace."""
        with self._lock:
            if self.master_state is NodeState.KILLED:
                raise WrongState(node=MASTER, state="already dead", advice="restart_master() brings it back")
            self._master_state = NodeState.KILLED
            self._master.cut()
            event = self.note("kill", MASTER)
            self._master.join()
            self._ports.hold(MASTER, [_address_of(self._master_settings)])
            return event

    def restart_master(self) -> None:
        """Start the master again with its port and its catalog."""
        with self._lock:
            if self.master_state is not NodeState.KILLED:
                raise WrongState(node=MASTER, state=self.master_state, advice="kill_master() it first")
            self._master.cut()  # in case the kill was interrupted
            self._master.join()
            self.note("restart", MASTER)
            self._ports.release(MASTER)
            try:
                armed, self._master_armed = self._master_armed, []
                self._master = self._launcher.master(self._master_settings, armed)
            except BaseException:
                self.note("kill", MASTER)  # the trace says that it was started
                self._ports.hold(MASTER, [_address_of(self._master_settings)])
                raise
            self._master_state = NodeState.RUNNING

    # -- all of them --------------------------------------------------------------------------

    def note(self, action: str, node: str, *, file_name: str = "", version: str = "", **detail: Any) -> str:
        """Put something that was done to a node into the trace; return the id of its line, to be named as a cause."""
        event = self._tracer.event(
            Kind.FAULT, self._clock.now(), file_name=file_name, version=version, peer=node, action=action, **detail
        )
        self._recorder.add(event)
        return event.id

    def abandon(self) -> None:
        """In a forked child: hold no port that a node of the parent's may need."""
        self._ports.close()

    def close(self) -> None:
        """Stop everybody: tell all of them, then wait for all of them."""
        with self._lock:
            self._ports.close()
            # The dead ones, too: a kill may have been interrupted.
            nodes: list[Node] = [*(slot.node for slot in self._slots.values()), self._master]
            for node in nodes:
                node.end()
            for node in nodes:
                node.join()
            self._slots.clear()
            self._master_state = NodeState.KILLED


def _thrown_away(made: tuple[KeeperSettings, Keeper]) -> None:
    _, node = made
    node.cut()
    node.join()


def _ports_of(settings: KeeperSettings) -> list[Address]:
    return [Address(settings.host, settings.port), Address(settings.host, settings.data_port)]


def _address_of(settings: MasterSettings) -> Address:
    return Address(settings.host, settings.port)
