"""What can be killed and frozen: a node's process, and the processes of virtual time that run in it."""

from __future__ import annotations

from typing import Any, Protocol

from dfslab.sim.loop import Action, Loop, Process, Promise, Running


class Connection(Protocol):
    """What a life holds open."""

    def hang_up(self) -> None:
        """End it."""


class Life:
    """One life of a node, from its start to its crash. Nothing of it runs once it is over, and nothing while frozen."""

    def __init__(self, loop: Loop, node: str) -> None:
        self.node, self._loop = node, loop
        self.alive = True
        self._frozen = False
        self._waiting: list[tuple[Action, tuple[Any, ...]]] = []
        self._processes: dict[Running, None] = {}
        self._connections: dict[Connection, None] = {}

    def run(self, action: Action, args: tuple[Any, ...] = ()) -> None:
        """Run something as a part of this life: now, once it is thawed, or never."""
        if not self.alive:
            return
        if self._frozen:
            self._waiting.append((action, args))
        else:
            action(*args)

    def after(self, delay_s: float, action: Action, *args: Any) -> None:
        """Have something happen in this life in a while."""
        self._loop.after(delay_s, self.run, action, args)

    def spawn(self, process: Process) -> Promise:
        """Start a process; the promise has what it returns or raises."""
        promise = Promise()

        def ended(running: Running, value: Any, error: BaseException | None) -> None:
            self._processes.pop(running, None)
            if error is None:
                promise.keep(value)
            else:
                promise.fail(error)

        running = Running(self._loop, process, self.run, ended)
        self._processes[running] = None
        running.start()
        return promise

    def start(self, process: Process) -> None:
        """Start a process of which nothing is expected; an error in it is a bug, and ends the simulation."""
        self.spawn(process).then(_raise_its_error)

    def enter(self, connection: Connection) -> None:
        """Have a connection hung up when this life ends."""
        self._connections[connection] = None

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._connections.pop(connection, None)

    def freeze(self) -> None:
        """Hold everything, as SIGSTOP does."""
        self._frozen = True

    def thaw(self) -> None:
        """Let what was held go on, in its order."""
        self._frozen = False
        while self._waiting and self.alive and not self._frozen:
            action, args = self._waiting.pop(0)
            action(*args)

    @property
    def is_frozen(self) -> bool:
        """True between `freeze` and `thaw`."""
        return self._frozen

    def end(self) -> None:
        """Crash: every process ends where it is."""
        self.alive = False
        for running in list(self._processes):
            running.end()
        self._processes.clear()
        for connection in list(self._connections):
            connection.hang_up()


def _raise_its_error(promise: Promise) -> None:
    if promise.error is not None:
        raise promise.error
