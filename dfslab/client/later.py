"""Acts that are due a moment later, unless they are called off before: one thread for all of them."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable

LATE_S = 0.05
"""After so long, a file of a single chunk is no longer a matter of one thread. Hardly a hedge is due before."""


class Later:
    """Carries out acts `after_s` seconds after they were asked for.

    The thread is there only while an act is due. Who calls his act off does not wake it, so that an act
    which hardly ever comes to pass costs next to nothing.

    Parameters
    ----------
    after_s : float
        The same for all acts, so that they are due in the order in which they came.
    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._changed = threading.Condition()
        self._due: collections.deque[tuple[float, list[Callable[[], None]]]] = collections.deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def act(self, act: Callable[[], None]) -> Callable[[], None]:
        """Have `act` carried out on the thread; return what calls it off."""
        pending = [act]
        with self._changed:
            self._due.append((time.monotonic() + self._after_s, pending))
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="client-later", daemon=True)
                self._thread.start()
        return pending.clear

    def _run(self) -> None:
        while (pending := self._next()) is not None:
            for act in list(pending):
                act()

    def _next(self) -> list[Callable[[], None]] | None:
        """Wait for the next act; return None, and be gone, when there is none."""
        with self._changed:
            while self._due and not self._closed:
                while len(self._due) > 1 and not self._due[0][1]:  # called off; the last keeps the thread for others
                    self._due.popleft()
                left_s = self._due[0][0] - time.monotonic()
                if left_s <= 0:
                    return self._due.popleft()[1]
                self._changed.wait(left_s)
            self._thread = None
            return None

    def close(self) -> None:
        """Call everything off, and wait until the thread is gone."""
        with self._changed:
            self._closed, thread = True, self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join()
