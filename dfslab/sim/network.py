"""The network between simulated nodes: late, lossy, repeating, cut in one way or both, and slow.

Calls (gRPC) may arrive in any order and be lost; those that somebody may repeat may also arrive twice.
Connections (TCP) keep the order of what is sent over them, stall while their path is cut, and break.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from dfslab.core.errors import DfsError, KeeperUnreachable, MasterUnavailable
from dfslab.core.nodes import MASTER
from dfslab.core.retrieval import NO_ANSWER
from dfslab.sim.loop import Loop, Promise
from dfslab.sim.node import Life

REFUSED = "nobody listens there"
CONNECT_TIMEOUT_S = 2.0
REPEATED_AFTER_S = (0.0, 0.0, 0.3, 3.0)
"""How long after a call its second copy may arrive: when its sender has long been told something else."""
Answer = Callable[[object], None]
Server = Callable[[str, Any, Answer], None]


class Network:
    """What connects the nodes.

    Attributes
    ----------
    loss, repeat : float
        The chance of each message to be lost, and of a repeatable call to arrive twice.
    delay_s : float
        The mean delay of a message, seconds (exponentially distributed, so that messages overtake each other).
    """

    def __init__(self, loop: Loop, rng: random.Random) -> None:
        self.loop, self._rng = loop, rng
        self.loss = self.repeat = 0.0
        self.delay_s = 0.002
        self._cuts: dict[tuple[str, str], int] = {}
        self._slow: dict[str, float] = {}
        self._busy_until: dict[str, float] = {}
        self._lives: dict[str, Life] = {}
        self._servers: dict[str, Server] = {}
        self._acceptors: dict[str, Callable[[End], None]] = {}
        self._stalled: list[Callable[[], None]] = []
        self.struck: dict[str, int] = {}

    def listen(self, life: Life, serve: Server, accept: Callable[[End], None] | None = None) -> None:
        """Have a node's life answer calls, and take connections."""
        self._lives[life.node] = life
        self._servers[life.node] = serve
        if accept is not None:
            self._acceptors[life.node] = accept

    # -- faults -------------------------------------------------------------------------------

    def cut(self, source: str, target: str) -> None:
        """Let nothing pass from one node to another; cuts add up."""
        self._cuts[source, target] = self._cuts.get((source, target), 0) + 1

    def heal(self, source: str, target: str) -> None:
        """Take one cut away."""
        left = self._cuts[source, target] - 1
        if left:
            self._cuts[source, target] = left
            return
        del self._cuts[source, target]
        stalled, self._stalled = self._stalled, []
        for go_on in stalled:
            go_on()

    def is_cut(self, source: str, target: str) -> bool:
        """Return True while nothing passes."""
        return (source, target) in self._cuts

    def slow_down(self, node: str, bytes_s: float | None) -> None:
        """Let a node's connections carry so many bytes a second in all; None: as many as they like."""
        if bytes_s is None:
            self._slow.pop(node, None)
        else:
            self._slow[node] = bytes_s

    def strike(self, fault: str) -> None:
        """Count a fault that has really hit a message."""
        self.struck[fault] = self.struck.get(fault, 0) + 1

    def latency(self) -> float:
        """Draw a message's delay."""
        return 0.0002 + self._rng.expovariate(1.0) * self.delay_s

    def is_lost(self) -> bool:
        """Draw whether a message is lost."""
        if self.loss and self._rng.random() < self.loss:
            self.strike("loss")
            return True
        return False

    def transmission_s(self, source: str, target: str, size: int) -> float:
        """Return how long `size` bytes hold the slower end's card, from when it is free."""
        worst = 0.0
        for node in (source, target):
            rate = self._slow.get(node)
            if rate is not None:
                start = max(self.loop.now, self._busy_until.get(node, 0.0))
                self._busy_until[node] = start + size / rate
                worst = max(worst, self._busy_until[node] - self.loop.now)
                self.strike("slow link")
        return worst

    # -- calls --------------------------------------------------------------------------------

    def call(
        self, source: Life, target: str, method: str, request: Any, timeout_s: float, *, repeatable: bool = True
    ) -> Promise:
        """Call a node; the promise has the answer, or the error that the caller of gRPC would meet."""
        promise = Promise()
        source.after(timeout_s, _time_out, promise, target, False)
        copies = 1 + (repeatable and self.repeat > 0 and self._rng.random() < self.repeat)
        for copy in range(copies):
            late_s = 0.0
            if copy:
                self.strike("repeated")
                late_s = self._rng.choice(REPEATED_AFTER_S)
            if self.is_cut(source.node, target):
                self.strike("cut")
            elif not self.is_lost():
                self.loop.after(late_s + self.latency(), self._arrive, source, target, method, request, promise)
        return promise

    def _arrive(self, source: Life, target: str, method: str, request: Any, promise: Promise) -> None:
        life = self._lives.get(target)
        if life is None or not life.alive:
            self._answer(source, target, promise, _unreachable(target, REFUSED, definite=True))
            return
        serve = self._servers[target]
        life.run(serve, (method, request, lambda answer: self._answer(source, target, promise, answer)))

    def _answer(self, source: Life, target: str, promise: Promise, answer: object) -> None:
        if self.is_cut(target, source.node):
            self.strike("cut")
        elif not self.is_lost():
            settle = promise.fail if isinstance(answer, DfsError) else promise.keep
            source.after(self.latency(), settle, answer)

    # -- connections --------------------------------------------------------------------------

    def connect(self, source: Life, target: str) -> Promise:
        """Open a connection; the promise has the caller's end of it."""
        promise = Promise()
        source.after(CONNECT_TIMEOUT_S, _time_out, promise, target, True)
        if self.is_cut(source.node, target) or self.is_cut(target, source.node):
            self.strike("cut")
        else:
            self.loop.after(self.latency(), self._accept, source, target, promise)
        return promise

    def _accept(self, source: Life, target: str, promise: Promise) -> None:
        life = self._lives.get(target)
        if life is None or not life.alive or not source.alive:
            source.after(self.latency(), promise.fail, _unreachable(target, REFUSED, definite=True))
            return
        mine, theirs = End(self, source, target), End(self, life, source.node)
        mine.peer, theirs.peer = theirs, mine
        source.enter(mine)
        life.enter(theirs)
        life.run(self._acceptors[target], (theirs,))
        source.after(self.latency(), promise.keep, mine)

    def when_healed(self, go_on: Callable[[], None]) -> None:
        """Try again when a cut is taken away."""
        self._stalled.append(go_on)


class End:
    """One end of a connection: what is sent arrives in its order, or not at all once it is broken."""

    peer: End

    def __init__(self, network: Network, life: Life, far: str) -> None:
        self._network, self.life, self.far = network, life, far
        self._arrived: list[object] = []
        self._outbox: list[tuple[object, int]] = []
        self._waiter: Promise | None = None
        self._last_arrival = 0.0
        self.broken = ""

    def send(self, message: object, size: int = 0) -> None:
        """Send something, of so many bytes; it stalls while the path is cut."""
        network = self._network
        if self.broken:
            return
        if network.is_lost():
            self.reset("the connection was reset")
            return
        self._outbox.append((message, size))
        if len(self._outbox) == 1:
            self._push()

    def _push(self) -> None:
        network, here = self._network, self.life.node
        if self.broken:
            return
        if network.is_cut(here, self.far) or network.is_cut(self.far, here):
            network.strike("cut")
            network.when_healed(self._push)
            return
        for message, size in self._outbox:
            held_s = network.transmission_s(here, self.far, size)
            self._last_arrival = max(self._last_arrival, network.loop.now + held_s + network.latency())
            network.loop.at(self._last_arrival, self.peer.life.run, self.peer._take, (message,))
        self._outbox.clear()

    def _take(self, message: object) -> None:
        if self._waiter is not None and not self._waiter.done:
            self._waiter.keep(message)
        else:
            self._arrived.append(message)

    def receive(self, timeout_s: float) -> Promise:
        """Return the promise of the next message; it fails when the connection breaks or stays silent."""
        promise = Promise()
        if self._arrived:
            promise.keep(self._arrived.pop(0))
        elif self.broken:
            promise.fail(_unreachable(self.far, self.broken, definite=True))
        else:
            self._waiter = promise
            self.life.after(timeout_s, _time_out, promise, self.far, True)
        return promise

    def reset(self, reason: str) -> None:
        """Break the connection for both ends."""
        self._break(reason)
        self.peer._break(reason)

    def hang_up(self) -> None:
        """End it; the other end notices after what was sent before, unless nothing passes."""
        if self.broken:
            return
        self.broken = "it was closed"
        self.life.leave(self)
        network = self._network
        if not network.is_cut(self.life.node, self.far):
            self._last_arrival = max(self._last_arrival, network.loop.now + network.latency())
            network.loop.at(self._last_arrival, self.peer._break, "the connection ended in the middle of a transfer")

    def _break(self, reason: str) -> None:
        if self.broken:
            return
        self.broken = reason
        self.life.leave(self)
        if self._waiter is not None and not self._waiter.done and self.life.alive:
            self.life.run(self._waiter.fail, (_unreachable(self.far, reason, definite=True),))


def _time_out(promise: Promise, node: str, definite: bool) -> None:
    if not promise.done:
        promise.fail(_unreachable(node, NO_ANSWER, definite=definite))


def _unreachable(node: str, reason: str, *, definite: bool) -> DfsError:
    if node == MASTER:
        return MasterUnavailable(address=MASTER, reason=reason, definite=definite)
    return KeeperUnreachable(keeper=node, reason=reason, definite=definite)
