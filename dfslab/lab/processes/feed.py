"""What the nodes' processes tell, taken in by their parent: lines of the trace, answers, and what was on stderr.

The nodes write their lines before they answer anybody, so whatever a caller may have heard of lies in a
pipe by then. Whoever looks at the trace takes in what lies there first, and so sees what threads would show.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from operator import attrgetter

from dfslab.core.errors import TraceUnreadable
from dfslab.core.saved import event_of
from dfslab.core.trace import Kind, TraceEvent, Tracer
from dfslab.lab.processes.lines import LineReader, Reader
from dfslab.runtime.clock import Clock
from dfslab.runtime.recorder import Recorder

ANSWER = b'{"answer":'
"""How a line begins that is no event."""
QUIET_S = 0.2
"""A traceback comes in pieces: it is whole when nothing has come for so long."""
MAX_SAID = 4_000
"""Characters of it that are kept: the last ones tell what happened."""


class Ear:
    """The parent's ear at one process.

    Parameters
    ----------
    node : str
    boot : str
        Makes the ids of its events differ from those of others.
    told, stderr : int
        The reading ends of its pipes.
    answered : callable
        Takes each line that is an answer.
    ended : callable
        Called once, when nothing more can come.
    """

    def __init__(
        self,
        node: str,
        boot: str,
        told: int,
        stderr: int,
        clock: Clock,
        answered: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self.node = node
        self._boot, self._tracer = boot, Tracer(node, boot)
        self._told, self._stderr = LineReader(told), Reader(stderr)
        self._clock, self._answered, self._ended = clock, answered, ended
        self._said, self._said_at = "", 0.0
        self.last_words = ""
        self._knows_of_end = False

    def is_called(self, node: str) -> None:
        """Be the ear at this node from now on: a process learns late who it is."""
        self.node, self._tracer = node, Tracer(node, self._boot)

    def fds(self) -> list[int]:
        """Return what to wait on."""
        return [reader.fd for reader in (self._told, self._stderr) if not reader.at_end]

    @property
    def has_ended(self) -> bool:
        """True when nothing more can come."""
        return self._told.at_end

    @property
    def is_waiting(self) -> bool:
        """True while something was said that may go on."""
        return bool(self._said)

    def take(self) -> list[TraceEvent]:
        """Return the events that have come, and hand on the answers."""
        events = []
        for line in self._told.lines():
            if line.startswith(ANSWER):
                self._answered(line)
                continue
            try:
                events.append(event_of(line))
            except TraceUnreadable as error:
                events.append(self._error(f"it told nonsense: {error}"))
        events += self._hear()
        if self._told.at_end and not self._knows_of_end:
            self._knows_of_end = True
            self._ended()
        return events

    def _hear(self) -> list[TraceEvent]:
        came = self._stderr.read()
        if came:
            self._said = (self._said + came.decode(errors="backslashreplace"))[-MAX_SAID:]
            self._said_at = time.monotonic()
        is_whole = self._stderr.at_end or time.monotonic() - self._said_at >= QUIET_S
        if not self._said.strip() or not is_whole:
            return []
        self.last_words, self._said = self._said.strip(), ""
        return [self._error(self.last_words)]

    def _error(self, reason: str) -> TraceEvent:
        return self._tracer.event(Kind.NODE_ERROR, self._clock.now(), reason=reason)

    def close(self) -> None:
        """Close both pipes."""
        self._told.close()
        self._stderr.close()


class Feed:
    """The ears of a cluster, and the one thread that listens with them.

    Only that thread reads: an interrupt of the main thread, in the middle of anything, loses no event.

    Parameters
    ----------
    recorder : Recorder
        Where the events go.
    name : str
        For the name of the thread.
    """

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._changed = threading.Condition()
        self._ears: list[Ear] = []
        self._early: list[TraceEvent] = []
        self._asked = self._caught_up = 0
        self._is_open = True
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._listen, name=f"{name}-feed", daemon=True)
        self._thread.start()
        recorder.follow(self.catch_up)

    def add(self, ear: Ear) -> None:
        """Listen to one more process."""
        with self._changed:
            self._ears.append(ear)
            self._look_again()

    def remove(self, ear: Ear) -> None:
        """Take in what a process that has ended left in its pipes, and close them."""
        self.catch_up()
        with self._changed:
            if ear in self._ears:
                self._ears.remove(ear)
                ear.close()
            self._look_again()

    def catch_up(self) -> None:
        """Return when all is in the trace that had been told before."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._look_again()
            self._changed.wait_for(lambda: self._caught_up >= mine or not self._is_open)

    def _look_again(self) -> None:
        if self._wake >= 0:
            with contextlib.suppress(BlockingIOError):  # it has been told already
                os.write(self._wake, b"!")

    def _listen(self) -> None:
        try:
            while self._is_open:
                self._wait()
                with self._changed:
                    asked = self._asked
                    events = self._take()
                self._recorder.take_in(events)
                with self._changed:
                    self._caught_up = asked
                    self._changed.notify_all()
        finally:
            with self._changed:  # nobody may wait for a thread that is no more
                self._is_open = False
                self._changed.notify_all()

    def _wait(self) -> None:
        """Wait until something is told, or somebody asks."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        with self._changed:
            for fd in [fd for ear in self._ears for fd in ear.fds()]:
                poll.register(fd, select.POLLIN)
            wait_s = 0.0 if self._early else QUIET_S if any(ear.is_waiting for ear in self._ears) else None
        if any(fd == self._woken for fd, _ in poll.poll(None if wait_s is None else wait_s * 1e3)):
            os.read(self._woken, 1024)

    def _take(self) -> list[TraceEvent]:
        """Return what has come, by time, no effect before its cause.

        A cause was written before its effect, but maybe to a pipe that was read a moment earlier. So every
        pipe is read a second time, and what is newer than all of the first time is kept for the next.
        """
        first = self._early + [event for ear in self._ears for event in ear.take()]
        self._early = []
        if not first:
            return []
        newest = max(event.time_s for event in first)
        for event in [event for ear in self._ears for event in ear.take()]:
            (first if event.time_s <= newest else self._early).append(event)
        return sorted(first, key=attrgetter("time_s"))

    def close(self) -> None:
        """End the thread; every ear has been removed."""
        self._recorder.follow(lambda: None)
        self.catch_up()
        with self._changed:
            self._is_open = False
            self._look_again()
        self._thread.join()
        self._recorder.take_in(self._take())
        self._close_pipes()

    def abandon(self) -> None:
        """In a forked child, where that thread is not: close every pipe, and keep nobody waiting."""
        self._is_open = False
        self._recorder.follow(lambda: None)
        for ear in self._ears:
            ear.close()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for fd in (self._woken, self._wake):
            if fd >= 0:
                os.close(fd)
        self._woken = self._wake = -1
