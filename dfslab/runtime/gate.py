"""What stands between a node and everything else, so that a thread can be killed or frozen like a process."""

from __future__ import annotations

import threading
from collections.abc import Callable


class NodeDown(Exception):
    """This node was killed; the thread that meets it has nothing more to do.

    Not an OSError, so that nothing mistakes it for a failure of a disk or a peer.
    """


class Gate:
    """Every send, every reply and every publishing on disk of a node passes here.

    `cut` is a crash: nothing passes any more, and the sockets that were entered are shut at once.
    `freeze` is SIGSTOP: whoever comes waits, until `thaw` or `cut`.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._closers: dict[object, Callable[[], None]] = {}
        self._open = True
        self._is_cut = False

    def check(self) -> None:
        """Pass, wait while frozen, or raise NodeDown."""
        if self._open:
            return
        with self._condition:
            self._condition.wait_for(lambda: self._open or self._is_cut)
            if self._is_cut:
                raise NodeDown("this node was killed")

    def freeze(self) -> None:
        """Hold everybody who comes."""
        with self._condition:
            if not self._is_cut:
                self._open = False

    def thaw(self) -> None:
        """Let everybody go on."""
        with self._condition:
            self._open = not self._is_cut
            self._condition.notify_all()

    def cut(self) -> None:
        """Let nobody pass any more, and shut every socket that was entered."""
        with self._condition:
            self._open, self._is_cut = False, True
            self._condition.notify_all()
        while (close := self._next_closer()) is not None:  # one by one: a cut can be interrupted
            close()

    def _next_closer(self) -> Callable[[], None] | None:
        with self._condition:
            key = next(iter(self._closers), None)
            return None if key is None else self._closers.pop(key)

    @property
    def is_cut(self) -> bool:
        """True once the node was killed or closed."""
        return self._is_cut

    @property
    def is_frozen(self) -> bool:
        """True while the node is held."""
        return not self._open and not self._is_cut

    def enter(self, key: object, close: Callable[[], None]) -> None:
        """Register a socket's closer, to be called by `cut`; at once if it is cut already."""
        with self._condition:
            if not self._is_cut:
                self._closers[key] = close
                return
        close()

    def leave(self, key: object) -> None:
        """Forget a socket that was closed by its owner."""
        with self._condition:
            self._closers.pop(key, None)
