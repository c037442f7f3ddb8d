"""One processor for the small work of a process whose threads are nodes.

Only one thread of an interpreter runs Python at a time. One that gives the interpreter lock away for a system call
of a few microseconds finds it taken on return, by a thread that was woken on another processor meanwhile; soon that
one gives it away, and both wait for each other more than they work (D. Beazley, "Understanding the Python GIL", PyCon
2010). On one processor whoever is woken begins only when the one who runs has to wait. With eight clients, the download
of a file of 64 KiB was 100 waits and 2.3 ms of processor time, and is 25 and 1.1 ms.

What moves many bytes spends its time outside of the lock, and has every processor.

Where other processes want that processor as well, its threads would wait there while another may be free: until the
machine is quiet again, it is given up, and the system places every thread.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from dfslab.core.blocks import SMALL_BYTES

LOOK_S = 1.0
"""How often one should look how much the others use."""
STALE_S = 10.0
"""What was seen longer ago says nothing about now."""
CROWDED = 0.25
"""The part of the processors' time that others use, in two looks one after the other, from which none is shared: about
what sharing gains where nobody else is.
"""
BUSY = 0.1
"""The part of one processor that this process must have used itself: else nobody has waited for it."""


@dataclass(frozen=True)
class Usage:
    """What was used of some processors up to a time: by all, and by this process, seconds."""

    at_s: float
    all_s: float
    own_s: float


def is_crowded_between(before: Usage, after: Usage, processors: int) -> bool:
    """Return whether, between two looks, this process worked and others had much of so many processors' time."""
    seconds = after.at_s - before.at_s
    own_s = after.own_s - before.own_s
    others_s = after.all_s - before.all_s - own_s
    return own_s >= BUSY * seconds and others_s >= CROWDED * seconds * processors


def is_crowded(looks: Sequence[Usage], processors: int) -> bool | None:
    """Return whether it was crowded in the last two intervals; None where they do not agree: one may be an accident."""
    intervals = [is_crowded_between(*two, processors) for two in itertools.pairwise(list(looks)[-3:])]
    return intervals[0] if len(intervals) == 2 and intervals[0] is intervals[1] else None


def usage(cpus: Set[int]) -> Usage | None:
    """Return what was used of these processors since the machine came up; None where the system does not say."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    names = {f"cpu{cpu}" for cpu in cpus}
    ticks = 0
    for line in lines:
        name, *fields = line.split()
        if name in names:
            user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, fields)
            ticks += user + nice + system + irq + softirq
    return Usage(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time())


def _threads_on(cpus: Set[int]) -> dict[int, str]:
    """Return the threads of this process that may run on just these processors, each with its start: numbers return."""
    found = {}
    with contextlib.suppress(FileNotFoundError):  # no /proc here
        for thread in map(int, os.listdir("/proc/self/task")):
            with contextlib.suppress(OSError):  # it has ended
                if os.sched_getaffinity(thread) == cpus:
                    found[thread] = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()[19]
    return found


class Processor:
    """Which processor the small work of this process shares; none while no node is a thread of it.

    Where the system can't do it, or forbids it, or others want the processor, every thread stays where the system
    puts it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clusters = 0
        self._all: Set[int] = frozenset()
        self._shared: Set[int] | None = None
        self._given_up: Set[int] | None = None
        self._let_go: dict[int, str] = {}
        self._guests: set[int] = set()  # threads in `together`, which are somebody's
        self._own = threading.local()
        self._looks: collections.deque[Usage] = collections.deque(maxlen=3)

    def enter(self) -> None:
        """Begin to share one, if there is a choice: a cluster in threads of this process is being started."""
        with self._lock:
            self._clusters += 1
            if self._clusters == 1 and hasattr(os, "sched_setaffinity"):
                self._all = os.sched_getaffinity(0)
                if self._looks and time.monotonic() - self._looks[-1].at_s > STALE_S:
                    self._looks.clear()
                one = random.SystemRandom().choice(sorted(self._all))  # not the same for a whole class's processes
                self._shared = None if len(self._all) == 1 or is_crowded(self._looks, len(self._all)) else {one}

    def leave(self) -> None:
        """Share none any more when the last such cluster is closed."""
        with self._lock:
            self._clusters -= 1
            if self._clusters == 0:
                self._give_up()
                self._given_up = None

    def forget(self) -> None:
        """Share nothing in a forked child: its parent's threads are not there, nor is whoever may have had the lock."""
        self._lock = threading.Lock()
        self._clusters = 0
        self._guests.clear()
        shared, self._shared, self._given_up = self._shared, None, None
        if shared is not None and os.sched_getaffinity(0) == shared:
            self._place([0], self._everywhere())

    def look(self) -> None:
        """Give the shared processor up if the machine is crowded, and share it again when it is not any more."""
        with self._lock:
            if not self._clusters or (self._looks and time.monotonic() - self._looks[-1].at_s < LOOK_S / 2):
                return
            seen = usage(self._all)
            if seen is not None:
                self._looks.append(seen)
                crowded = is_crowded(self._looks, len(self._all))
                if crowded:
                    self._give_up()
                elif crowded is False:
                    self._take_back()

    def _give_up(self) -> None:
        """Let every thread that is on the shared processor go: also those that a library has started from there."""
        shared, self._shared = self._shared, None
        if shared is not None:
            threads = _threads_on(shared)
            self._place(threads, self._all)
            self._given_up = shared
            self._let_go = {thread: start for thread, start in threads.items() if thread not in self._guests}

    def _take_back(self) -> None:
        """Share again what was given up, with the threads that were let go; others come with their next work."""
        if self._given_up is not None:
            shared, self._given_up = set(self._given_up), None
            here = _threads_on(self._all)
            self._shared = shared
            self._place([thread for thread, start in self._let_go.items() if here.get(thread) == start], shared)

    def _place(self, threads: Iterable[int], cpus: Set[int]) -> None:
        for thread in threads:
            with contextlib.suppress(OSError):  # it has ended; or it is forbidden, and the system knows better
                os.sched_setaffinity(thread, cpus)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Have the calling thread on the shared processor until the block ends; threads that it starts stay there."""
        shared = self._shared
        if shared is None or getattr(self._own, "cpus", None) is not None:
            yield
            return
        me = threading.get_native_id()
        self._own.cpus = os.sched_getaffinity(0)
        try:
            self._guests.add(me)
            self._own.place = shared
            self._move(shared, shared)
            yield
        finally:
            self._move(self._own.cpus, shared)
            self._own.cpus = None
            self._guests.discard(me)

    def settle(self, size: int) -> None:
        """Have the calling thread where it is to move so many bytes, until it settles again, or leaves `together`.

        If they are many, that is wherever it may go. It is not brought back behind them: the next bytes are likely as
        many, and to be moved to another processor takes a while, with the interpreter lock in hand.
        """
        shared = self._shared
        place = self._everywhere() if size > SMALL_BYTES else shared
        if shared is not None and place is not None and place is not getattr(self._own, "place", None):
            self._own.place = place
            self._move(place, shared)

    def _move(self, cpus: Set[int], shared: Set[int] | None) -> None:
        """Have the calling thread on these; on the shared one only while it is what it was: it may be given up now."""
        try:
            os.sched_setaffinity(0, cpus)
            if cpus == shared and self._shared is not shared:
                os.sched_setaffinity(0, self._everywhere())
        except OSError:  # it is forbidden, or these processors were taken away: the system knows better
            self._shared = None

    def _everywhere(self) -> Set[int]:
        """Return where the calling thread may go if nothing is shared."""
        return getattr(self._own, "cpus", None) or self._all


PROCESSOR = Processor()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PROCESSOR.forget)
