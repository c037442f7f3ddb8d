"""Group commit for calls: what comes while a call is under way shares the next one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from dfslab.core.errors import DfsError

Q = TypeVar("Q")
A = TypeVar("A")

MOST = 64
"""Requests in one call."""
MOST_BYTES = 1024 * 1024
"""Of requests in one call, beyond the first."""
REST_S = 0.05
"""How long after a call the next one waits for company, while nobody whose request is in it is in a hurry."""


class _Waiting(Generic[Q, A]):
    """A request, its answer once there is one, and whether its thread is to make the next call."""

    def __init__(self, request: Q, hurries: bool) -> None:
        self.request, self.hurries = request, hurries
        self.woken = threading.Event()
        self.leads = False
        self.answer: A | BaseException | None = None


class Together(Generic[Q, A]):
    """Sends the requests of many threads in few calls, one at a time.

    The thread that comes first makes the call; those that come meanwhile wait, and one of them makes the next
    call for all of them. Alone, a thread waits for nobody, unless its request can wait and another has just been made.

    Parameters
    ----------
    send : callable
        Sends some requests in one call and returns the answer to each, in their order; an error in an answer's
        place is raised where that request came from, one that it raises everywhere.
    size_of : callable
        How many bytes a request takes.
    """

    def __init__(
        self, send: Callable[[Sequence[Q]], Sequence[A | DfsError]], size_of: Callable[[Q], int] = lambda request: 0
    ) -> None:
        self._send, self._size_of = send, size_of
        self._lock = threading.Lock()
        self._queue: list[_Waiting[Q, A]] = []
        self._is_calling = False
        self._rests_until = 0.0
        self._hurry = threading.Event()

    def call(self, request: Q, *, hurries: bool = True) -> A:
        """Send a request and return its answer, or raise the error that it is answered with."""
        mine = _Waiting[Q, A](request, hurries)
        with self._lock:
            self._queue.append(mine)
            if hurries:
                self._hurry.set()
            mine.leads = not self._is_calling
            self._is_calling = True
        if not mine.leads:
            mine.woken.wait()
        if mine.leads:
            self._lead()
        if isinstance(mine.answer, BaseException):
            raise mine.answer
        assert mine.answer is not None
        return mine.answer

    def _lead(self) -> None:
        """Make one call for those who wait, the caller first among them, then let the next in line lead."""
        self._rest()
        together = self._next()
        try:
            answers: Sequence[A | BaseException] = self._send([one.request for one in together])
        except BaseException as error:  # noqa: BLE001 - it is everybody's: each raises it
            answers = [error] * len(together)
        for one, answer in zip(together, answers, strict=True):
            one.answer = answer
        self._rests_until = time.monotonic() + REST_S
        with self._lock:
            following = self._queue[0] if self._queue else None
            self._is_calling = following is not None
        if following is not None:
            following.leads = True
            following.woken.set()
        for one in together:
            one.woken.set()

    def _rest(self) -> None:
        left_s = self._rests_until - time.monotonic()
        if left_s > 0.0:
            self._hurry.wait(left_s)

    def _next(self) -> list[_Waiting[Q, A]]:
        with self._lock:
            count, size = 1, 0
            for one in self._queue[1:MOST]:
                size += self._size_of(one.request)
                if size > MOST_BYTES:
                    break
                count += 1
            together, self._queue = self._queue[:count], self._queue[count:]
            if not any(one.hurries for one in self._queue):
                self._hurry.clear()
            return together
