"""The emulated network: every node's `Nic` waits here as its link, a path or a partition has it.

Each end paces its own side: a sender before its bytes leave, a receiver after they came, so that TCP's
own flow control carries a slow receiver back to the sender. A network that is plain costs one look at a flag.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from dfslab.core.links import Bucket, Link, LinkTable
from dfslab.runtime.gate import Gate, NodeDown

QUANTUM_S = 0.005
"""What passes at a time is so long, so that the connections of a node share its rate evenly."""
BUFFERED_S = 0.05
"""What lies in the kernel has left its sender: so little that a sender's progress is the receiver's."""
MAX_QUANTUM_S = 0.5
"""On the slowest links less than `MIN_QUANTUM_BYTES` passes at a time, or each run would look like a stall."""
MIN_QUANTUM_BYTES = 4 * 1024
MAX_QUANTUM_BYTES = MAX_BUFFER_BYTES = 256 * 1024
MIN_BUFFER_BYTES = 32 * 1024
"""With less, TCP waits for its own delayed acknowledgements."""
FROZEN_LOOK_S = 0.05
"""How often the letters of a frozen node are tried again."""


def _never() -> bool:
    return False


class Network:
    """The links between the nodes of one cluster, as they are at the moment. Safe to use from all threads.

    Parameters
    ----------
    seed : int or str, optional
        Makes jitter and loss repeatable, as far as the order of messages is.
    """

    def __init__(self, seed: int | str | None = None) -> None:
        self.is_plain = True
        self._told: Callable[[dict[str, Any]], None] | None = None
        self._one_change = threading.Lock()
        self._table = LinkTable()
        self._rng = random.Random(seed)
        self._changed = threading.Condition()
        self._buckets: dict[tuple[str, bool], Bucket] = {}
        self._posts: list[tuple[float, int, Callable[[], None]]] = []
        self._post_numbers = itertools.count()
        self._postman: threading.Thread | None = None
        self._closed = False

    # -- what the laboratory does --------------------------------------------------------------

    def link(self, node: str) -> Link:
        """Return a node's link."""
        with self._changed:
            return self._table.link(node)

    def set_link(self, node: str, link: Link) -> None:
        """Give a node another link; what waits for its rate waits for the new one instead."""

        def change() -> None:
            self._forget_rate(node, link)
            self._table.set_link(node, link)

        self._change(change)

    def _forget_rate(self, node: str, link: Link) -> None:
        """Void what a node was granted when its new link has another rate."""
        if link.rate_mb_s != self._table.link(node).rate_mb_s:
            for outbound in (False, True):
                self._buckets.pop((node, outbound), None)

    def pair(self, a: str, b: str) -> Link | None:
        """Return what two nodes have between them in place of their own links' delay and loss, or None."""
        with self._changed:
            return self._table.pair(a, b)

    def set_pair(self, a: str, b: str, link: Link | None) -> None:
        """Give two nodes a delay and a loss of their own, both ways, or take them away again."""
        self._change(lambda: self._table.set_pair(a, b, link))

    def partition(self, a: Iterable[str], b: Iterable[str], *, one_way: bool = False) -> None:
        """Let nothing pass from any of `a` to any of `b`, nor back unless `one_way`."""
        self._change(lambda: self._table.cut(a, b, one_way=one_way))

    def heal(self) -> None:
        """End every partition."""
        self._change(self._table.heal)

    def mute(self, node: str, *, muted: bool = True) -> None:
        """Lose every heartbeat of a node, or no more."""
        self._change(lambda: self._table.mute(node, muted=muted))

    def is_muted(self, node: str) -> bool:
        """Return True while a node's heartbeats get lost."""
        with self._changed:
            return self._table.is_muted(node)

    def _change(self, change: Callable[[], None]) -> None:
        with self._one_change:  # so that whoever is told hears of all changes in their order
            with self._changed:
                change()
                self.is_plain = self._table.is_plain
                self._changed.notify_all()
            if self._told is not None:
                self._told(self.as_dict())

    # -- several networks that are one ---------------------------------------------------------

    def watch(self, told: Callable[[dict[str, Any]], None] | None) -> None:
        """Have `told` called with every table that changes make, before they return; None: nobody any more."""
        self._told = told

    def as_dict(self) -> dict[str, Any]:
        """Return its table as plain JSON values, for `LinkTable.from_dict`."""
        with self._changed:
            return self._table.as_dict()

    def replace(self, table: LinkTable) -> None:
        """Be as another network is, of whose changes this one is told."""

        def change() -> None:
            for node in table.named():
                self._forget_rate(node, table.link(node))
            self._table = table

        self._change(change)

    def wake(self) -> None:
        """Have everybody who waits look again: a node was killed, or a transfer given up."""
        with self._changed:
            self._changed.notify_all()

    # -- what the nodes meet -------------------------------------------------------------------

    def nic(self, node: str, gate: Gate | None = None) -> Nic:
        """Return the network card of a node, which `gate` may kill or freeze."""
        return Nic(self, node, gate)

    def delay_s(self, a: str, b: str) -> float:
        """Draw how long a message takes from `a` to `b`."""
        with self._changed:
            path = self._table.path(a, b)
            return path.delay_s + (self._rng.uniform(-path.jitter_s, path.jitter_s) if path.jitter_s else 0.0)

    def is_cut(self, a: str, b: str) -> bool:
        """Return True when nothing passes from `a` to `b`."""
        with self._changed:
            return self._table.is_cut(a, b)

    def reserve(self, node: str, count: int, *, outbound: bool) -> tuple[float, Callable[[], bool]] | None:
        """Take `count` bytes out of a node's bucket; None when it has no limit.

        Else return when they have passed, by the monotonic clock, and what tells whether the rate
        has changed meanwhile: then they are to be reserved again.
        """
        now = time.monotonic()
        with self._changed:
            rate = self._table.link(node).rate_mb_s
            if rate is None:
                return None
            bucket = self._buckets.setdefault((node, outbound), Bucket())
            return bucket.reserve(count, rate, now), lambda: self._buckets.get((node, outbound)) is not bucket

    def break_after(self, a: str, b: str, size: int) -> int | None:
        """Draw whether a request of `size` bytes is to be broken off, and after how many bytes; None: it is not."""
        with self._changed:
            loss = self._table.path(a, b).loss
            if not loss or self._rng.random() >= loss:
                return None
            return self._rng.randrange(max(1, size))

    def wait(self, over: Callable[[], bool], deadline: float) -> bool:
        """Wait until `over()`, which is asked again at every change, the deadline or `close`; return whether it was."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or over(), max(0.0, deadline - time.monotonic()))
            return over()

    # -- letters that nobody waits for ---------------------------------------------------------

    def post(self, delay_s: float, deliver: Callable[[], None]) -> None:
        """Call `deliver` after a while, on the network's own thread."""
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._posts, (time.monotonic() + delay_s, next(self._post_numbers), deliver))
            if self._postman is None:
                self._postman = threading.Thread(target=self._deliver, name="network-post", daemon=True)
                self._postman.start()
            self._changed.notify_all()

    def _deliver(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not (self._posts and self._posts[0][0] <= time.monotonic()):
                    wait_s = self._posts[0][0] - time.monotonic() if self._posts else None
                    self._changed.wait(wait_s)
                if self._closed:
                    return
                deliver = heapq.heappop(self._posts)[2]
            with contextlib.suppress(NodeDown):  # the sender was killed meanwhile, and its letter with it
                deliver()

    def close(self) -> None:
        """Deliver nothing more, and let nobody wait."""
        with self._changed:
            self._closed = True
            self._posts.clear()
            self._changed.notify_all()
        if self._postman is not None:
            self._postman.join()


class Nic:
    """One node's network card: what its threads pass with every message and every run of bytes.

    A wait ends early with NodeDown when the node is killed, and with ConnectionError when the transfer
    is `given_up`.

    Parameters
    ----------
    network : Network
    node : str
    gate : Gate or None
        The node's gate, if it is one that can be killed.
    """

    def __init__(self, network: Network, node: str, gate: Gate | None) -> None:
        self.network, self.node, self.gate = network, node, gate
        if gate is not None:
            gate.enter(self, network.wake)

    @property
    def is_plain(self) -> bool:
        """True when nothing needs to wait."""
        return self.network.is_plain

    @property
    def is_muted(self) -> bool:
        """True while this node's heartbeats get lost."""
        return not self.network.is_plain and self.network.is_muted(self.node)

    def connect(self, peer: str, timeout_s: float, given_up: Callable[[], bool] = _never) -> None:
        """Wait as a TCP handshake does: one round trip. Raise TimeoutError when it takes longer than that."""
        if not self.network.is_plain:
            deadline = time.monotonic() + timeout_s
            self._wait_while_cut(peer, deadline, given_up)
            self._arrive(
                self.network.delay_s(self.node, peer) + self.network.delay_s(peer, self.node), deadline, given_up
            )

    def message(self, peer: str, timeout_s: float, given_up: Callable[[], bool] = _never) -> None:
        """Wait as long as the first byte of a message on the data plane takes; raise TimeoutError if that is longer."""
        if not self.network.is_plain:
            deadline = time.monotonic() + timeout_s
            self._wait_while_cut(peer, deadline, given_up)
            self._arrive(self.network.delay_s(self.node, peer), deadline, given_up)

    def pass_bytes(
        self,
        peer: str,
        count: int,
        timeout_s: float,
        *,
        outbound: bool,
        given_up: Callable[[], bool] = _never,
    ) -> None:
        """Wait until the node's bucket lets bytes pass, to the peer if `outbound`, else from it.

        Raises TimeoutError when that takes longer than `timeout_s`, or the peer is cut off for so long:
        TCP needs both directions, so that a cut in either stalls a connection.
        """
        if not self.network.is_plain:
            deadline = time.monotonic() + timeout_s
            self._wait_while_cut(peer, deadline, given_up)
            self._pass_bucket(count, max(deadline, time.monotonic() + MAX_QUANTUM_S), outbound, given_up)

    def _pass_bucket(self, count: int, deadline: float, outbound: bool, given_up: Callable[[], bool]) -> None:
        while (grant := self.network.reserve(self.node, count, outbound=outbound)) is not None:
            passed_at, is_void = grant
            if passed_at <= time.monotonic():
                return
            if self._wait(is_void, min(passed_at, deadline), given_up):
                continue
            if passed_at > deadline:
                raise TimeoutError("the link is too slow")
            return

    def quantum(self, peer: str, most: int) -> int:
        """Return how many bytes to pass at a time, `most` at most."""
        rate = self._slower_rate(peer)
        if rate is None:
            return most
        least = min(MIN_QUANTUM_BYTES, max(1, int(rate * 1e6 * MAX_QUANTUM_S)))
        return min(most, MAX_QUANTUM_BYTES, max(least, int(rate * 1e6 * QUANTUM_S)))

    def buffer_bytes(self, peer: str) -> int:
        """Return how much may lie in the kernel on its way to or from the peer; 0: as much as the kernel likes."""
        rate = self._slower_rate(peer)
        if rate is None:
            return 0
        return min(MAX_BUFFER_BYTES, max(MIN_BUFFER_BYTES, int(rate * 1e6 * BUFFERED_S)))

    def _slower_rate(self, peer: str) -> float | None:
        if self.network.is_plain:
            return None
        rates = (self.network.link(node).rate_mb_s for node in (self.node, peer))
        return min((rate for rate in rates if rate is not None), default=None)

    def break_after(self, peer: str, size: int) -> int | None:
        """Draw whether a request is to be broken off, and after how many of its bytes."""
        return None if self.network.is_plain else self.network.break_after(self.node, peer, size)

    def request(self, peer: str, deadline: float) -> None:
        """Wait as a call on the control plane does on its way out; raise TimeoutError when it does not arrive."""
        self._travel(self.node, peer, deadline)

    def reply(self, peer: str, deadline: float) -> None:
        """Wait as the answer to a call does on its way back; raise TimeoutError when it does not arrive."""
        self._travel(peer, self.node, deadline)

    def post(self, peer: str, timeout_s: float, deliver: Callable[[float], None], lost: Callable[[], None]) -> None:
        """Send a letter that nobody waits for: `deliver(seconds left)` once it arrives, or `lost()` after the timeout.

        Letters of a killed node are never delivered, those of a frozen one when it goes on.
        """
        delay_s = self.network.delay_s(self.node, peer)
        if delay_s >= timeout_s or self.network.is_cut(self.node, peer):
            self.network.post(timeout_s, lambda: self._when_running(lost))
            return
        self.network.post(delay_s, lambda: self._when_running(lambda: deliver(timeout_s - delay_s)))

    def _when_running(self, act: Callable[[], None]) -> None:
        if self.gate is not None and self.gate.is_frozen:
            self.network.post(FROZEN_LOOK_S, lambda: self._when_running(act))
        elif self.gate is None or not self.gate.is_cut:
            act()

    def _travel(self, a: str, b: str, deadline: float) -> None:
        if self.network.is_plain:
            return
        if not self._wait(lambda: not self.network.is_cut(a, b), deadline, _never):
            raise TimeoutError("cut off by a partition")
        self._arrive(self.network.delay_s(a, b), deadline, _never)

    def _wait_while_cut(self, peer: str, deadline: float, given_up: Callable[[], bool]) -> None:
        def passes() -> bool:
            return not self.network.is_cut(self.node, peer) and not self.network.is_cut(peer, self.node)

        if not passes() and not self._wait(passes, deadline, given_up):
            raise TimeoutError("cut off by a partition")

    def _arrive(self, delay_s: float, deadline: float, given_up: Callable[[], bool]) -> None:
        """Wait for as long as something is on its way, or raise TimeoutError at the deadline."""
        if delay_s <= 0:
            return
        arrives = time.monotonic() + delay_s
        self._wait(_never, min(arrives, deadline), given_up)
        if arrives > deadline:
            raise TimeoutError("the delay is longer than the timeout")

    def _wait(self, over: Callable[[], bool], deadline: float, given_up: Callable[[], bool]) -> bool:
        """Wait on the network until it is over, the deadline has come, or this side has ended."""
        gate = self.gate

        def ended() -> bool:
            return (gate is not None and gate.is_cut) or given_up()

        was_over = self.network.wait(lambda: ended() or over(), deadline)
        if gate is not None:
            gate.check()
        if given_up():
            raise ConnectionError("the transfer was given up")
        return was_over
