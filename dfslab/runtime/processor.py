"""One processor for the small work of a process whose threads are nodes.

Only one thread of an interpreter runs Python at a time. One that gives the interpreter lock away for a system call
of a few microseconds finds it taken on return, by a thread that was woken on another processor meanwhile; soon that
one gives it away, and both wait for each other more than they work (D. Beazley, "Understanding the Python GIL", PyCon
2010). On one processor whoever is woken begins only when the one who runs has to wait. With eight clients, in memory,
the upload of a file of 64 KiB was 200 waits and 5.3 ms of processor time, and is 150 and 4.3 ms; if the steps on the
disk were not taken beside that processor, it would be 55 and 2.6.

What moves many bytes spends its time outside of the lock, and has every processor.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections.abc import Iterator, Set
from contextlib import AbstractContextManager

from dfslab.core.blocks import SMALL_BYTES


class Processor:
    """Which processor the small work of this process shares; none while no node is a thread of it.

    Where the system can't do it, or forbids it, every thread stays where the system puts it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clusters = 0
        self._all: Set[int] = frozenset()
        self._shared: Set[int] | None = None
        self._own = threading.local()

    def enter(self) -> None:
        """Begin to share one, if there is a choice: a cluster in threads of this process is being started."""
        with self._lock:
            self._clusters += 1
            if self._clusters == 1 and hasattr(os, "sched_setaffinity"):
                self._all = os.sched_getaffinity(0)
                one = random.SystemRandom().choice(sorted(self._all))  # not the same for a whole class's processes
                self._shared = {one} if len(self._all) > 1 else None

    def leave(self) -> None:
        """Share none any more when the last such cluster is closed."""
        with self._lock:
            self._clusters -= 1
            if self._clusters == 0:
                self._shared = None

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Have the calling thread on the shared processor until the block ends; threads that it starts stay there."""
        shared = self._shared
        if shared is None or getattr(self._own, "cpus", None) is not None:
            yield
            return
        try:
            self._own.cpus = os.sched_getaffinity(0)
            with self._on(shared):
                yield
        finally:
            self._own.cpus = None

    def apart(self, size: int) -> AbstractContextManager[None]:
        """Have the calling thread wherever it likes while it moves so many bytes, if they are many."""
        if self._shared is None or size <= SMALL_BYTES:
            return contextlib.nullcontext()
        return self._on(getattr(self._own, "cpus", None) or self._all)

    def beside(self) -> AbstractContextManager[None]:
        """Have a thread that is on the shared processor on another one while it works on a disk.

        Some of a disk's system calls are long and do not sleep: to make a file may take half a millisecond, in which
        the others would stand still. Where files are made at once, this costs more than it gains.
        """
        shared = self._shared
        if shared is None or os.sched_getaffinity(0) != shared:
            return contextlib.nullcontext()
        return self._on(self._all - shared)

    @contextlib.contextmanager
    def _on(self, cpus: Set[int]) -> Iterator[None]:
        before = os.sched_getaffinity(0)
        self._move(cpus)
        try:
            yield
        finally:
            self._move(before)

    def _move(self, cpus: Set[int]) -> None:
        try:
            os.sched_setaffinity(0, cpus)
        except OSError:  # it is forbidden, or these processors were taken away: the system knows better
            self._shared = None


PROCESSOR = Processor()
