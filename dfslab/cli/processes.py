"""A node as a process of its own: it runs until a signal, and ends cleanly."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from dfslab.cli.failures import CommandFailed, Exit
from dfslab.cli.log import Log

LOOK_S = 0.2
STOP_S = 15.0
"""How long a node may take to stop before its process ends all the same."""


class Node(Protocol):
    """What `run` needs of a master or a keeper."""

    @property
    def name(self) -> str:
        """What it is called in the log."""

    def cut(self) -> None:
        """Cut every link."""

    def join(self) -> None:
        """Wait until every thread is gone."""


class Signals:
    """The signals that ask this process to end, in the order they come.

    The handler only puts into a queue, which is allowed at any point of the main thread's code.
    """

    def __init__(self) -> None:
        self._came: queue.SimpleQueue[int] = queue.SimpleQueue()
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it to go on
            numbers.append(signal.SIGHUP)
        for number in numbers:
            signal.signal(number, lambda number, frame: self._came.put(number))

    def wait(self, timeout_s: float) -> str | None:
        """Return the name of the signal that has come, or None after `timeout_s`."""
        try:
            return signal.Signals(self._came.get(timeout=timeout_s)).name
        except queue.Empty:
            return None


def run(node: Node, log: Log, signals: Signals, look: Callable[[], str]) -> None:
    """Keep the node running until a signal comes.

    Parameters
    ----------
    look : callable
        Asked five times a second; a text that is not empty says why the node has to end.

    Raises
    ------
    CommandFailed
        With that text; the node is stopped first.
    """
    with _stopping(node, log):
        while (came := signals.wait(LOOK_S)) is None:
            why = look()
            if why:
                raise CommandFailed(f"{node.name}: {why}", Exit.NO_ACCESS)
    log.say(f"stopped ({came})", always=False)


@contextlib.contextmanager
def _stopping(node: Node, log: Log) -> Iterator[None]:
    try:
        yield
    finally:
        overdue = threading.Timer(STOP_S, _give_up, (node, log))
        overdue.daemon = True
        overdue.start()
        node.cut()
        node.join()
        overdue.cancel()


def _give_up(node: Node, log: Log) -> None:
    log.complain(f"did not stop within {STOP_S:.0f} s, so its process ends now; nothing that was acknowledged is lost")
    log.close()
    os._exit(Exit.FAILED)
