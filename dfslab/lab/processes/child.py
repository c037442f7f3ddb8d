"""What runs in a node's process: it does what its parent says on one pipe, and tells the trace on another.

It never outlives its parent. The kernel kills it when the thread that spawned it ends
(PR_SET_PDEATHSIG), stopped or not; a parent that had ended before that was asked for is no longer its
parent; and whoever holds the other end of the commands' pipe is alive.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import astuple
from typing import Any

from dfslab.core.errors import DfsError, InternalError
from dfslab.core.links import LinkTable
from dfslab.core.saved import line_of
from dfslab.core.trace import TraceEvent
from dfslab.lab.launching import Failpoint
from dfslab.lab.policy_names import policies_by_name
from dfslab.lab.processes.plain import made
from dfslab.runtime import failpoints
from dfslab.runtime.clock import Clock
from dfslab.runtime.gate import NodeDown
from dfslab.runtime.keeper_node import KeeperNode, KeeperSettings
from dfslab.runtime.master_node import MasterNode, MasterSettings
from dfslab.runtime.network import Network
from dfslab.runtime.wire import error_to

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, and end at once if it has."""
    if _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(1)


def be_called(name: str) -> None:
    """Have `ps` and `top` show the node's name."""
    _libc().prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


class Telling:
    """The pipe to the parent: one line at a time, in the kernel's hands before whoever tells goes on."""

    def __init__(self, fd: int) -> None:
        self._fd, self._lock = fd, threading.Lock()

    def event(self, *events: TraceEvent) -> None:
        """Tell lines of the trace."""
        if events:
            self._write("\n".join(map(line_of, events)))

    def answer(self, number: int, value: Any) -> None:
        """Tell what became of a command."""
        self._write(json.dumps({"answer": number, "value": value}, separators=(",", ":")))

    def error(self, number: int, error: BaseException, node: str) -> None:
        """Tell what a command met."""
        if isinstance(error, NodeDown):
            told = [type(error).__name__, "{}", str(error)]
        else:
            known = error if isinstance(error, DfsError) else InternalError(node=node, reason=repr(error))
            message = error_to(known)
            told = [message.name, message.fields, message.message]
        self._write(json.dumps({"answer": number, "error": told}, separators=(",", ":")))

    def _write(self, line: str) -> None:
        data = memoryview(line.encode(errors="backslashreplace") + b"\n")
        with self._lock:
            while data:
                data = data[os.write(self._fd, data) :]


class Child:
    """A node that takes commands.

    Parameters
    ----------
    telling : Telling
    """

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._network = Network()
        self._node: KeeperNode | MasterNode
        self._name = "a node"

    def obey(self, line: bytes) -> None:
        """Do what a line says and answer it, at once or from another thread if it takes its time."""
        command = json.loads(line)
        number = command["number"]
        try:
            done = _COMMANDS[command["do"]](self, **command["with"])
        except (Exception, NodeDown) as error:  # noqa: BLE001 - it goes to whoever gave the command
            self._telling.error(number, error, self._name)
            return
        if isinstance(done, Future):
            done.add_done_callback(lambda finished: self._finish(number, finished))
        else:
            self._telling.answer(number, done)

    def _finish(self, number: int, finished: Future[Any]) -> None:
        error = finished.exception()
        if error is None:
            self._telling.answer(number, finished.result())
        else:
            self._telling.error(number, error, self._name)

    # -- the commands -------------------------------------------------------------------------

    def _begin(self, name: str, origin: float, network: Any, seed: str | None, armed: list[list[Any]]) -> Clock:
        self._name = name
        be_called(name)
        for point in armed:
            failpoints.arm(*point)
        self._network = Network(seed)
        self._network.replace(LinkTable.from_dict(network))
        return Clock(origin)

    def keeper(self, settings: dict[str, Any], **common: Any) -> Any:
        """Be a data keeper."""
        clock = self._begin(settings["name"], **common)
        node = KeeperNode(made(KeeperSettings, settings), clock, self._telling.event, self._network)
        self._node = node
        return {"address": astuple(node.address), "data_address": astuple(node.data_address)}

    def master(self, settings: dict[str, Any], policies: dict[str, str], **common: Any) -> Any:
        """Be the master tracker."""
        clock = self._begin(MasterNode.name, **common)
        options = settings["options"]
        policy = policies_by_name(policies, options["heartbeat_timeout_s"], options["replicas"])
        node = MasterNode(made(MasterSettings, settings, policies=policy), clock, self._telling.event, self._network)
        self._node = node
        return {"address": astuple(node.address)}

    def start(self) -> Future[None]:
        """Register; other commands are heard meanwhile."""
        return _in_thread(self._keeper.start)

    def start_patiently(self) -> None:
        """Keep trying to register."""
        self._keeper.start_patiently()

    def beat(self) -> Future[None]:
        """Send a heartbeat."""
        return self._keeper.beat_now()

    def scrub(self) -> Future[list[dict[str, Any]]]:
        """Read every replica again."""
        return self._keeper.scrub_now()

    def fill_disk(self, full: bool) -> None:
        """Have the disk take nothing more, or take files again."""
        self._keeper.fill_disk(full=full)

    @property
    def _keeper(self) -> KeeperNode:
        assert isinstance(self._node, KeeperNode)
        return self._node

    def network(self, table: Any) -> None:
        """Have the network be so."""
        self._network.replace(LinkTable.from_dict(table))

    def arm(self, name: str, action: str, at: int) -> None:
        """Arm a failpoint."""
        point = Failpoint(name, action, at)
        failpoints.arm(point.name, point.action, point.at)

    def disarm(self, name: str) -> int:
        """Let everything pass a failpoint again."""
        return failpoints.disarm(name)

    def end(self) -> None:
        """Stop in good order."""
        self._node.cut()
        self._node.join()
        os._exit(0)


_COMMANDS: dict[str, Callable[..., Any]] = {
    name: getattr(Child, name)
    for name in (
        "keeper",
        "master",
        "start",
        "start_patiently",
        "beat",
        "scrub",
        "fill_disk",
        "network",
        "arm",
        "disarm",
        "end",
    )
}


def _in_thread(act: Callable[[], None]) -> Future[None]:
    """Do something on a thread of its own."""
    future: Future[None] = Future()

    def run() -> None:
        try:
            act()
        except (Exception, NodeDown) as error:  # noqa: BLE001 - it is the future's
            future.set_exception(error)
        else:
            future.set_result(None)

    threading.Thread(target=run, name="command", daemon=True).start()
    return future


def main(parent: int, commands: int, tell: int) -> None:
    """Obey until the parent is gone."""
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    failpoints.arm_from_environment()
    child = Child(Telling(tell))
    with open(commands, "rb") as lines:
        for line in lines:
            child.obey(line)
    os._exit(1)  # nobody holds the other end: whatever this node is doing, nobody wants it


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
