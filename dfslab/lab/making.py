"""Many things are made side by side, and taken in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

SIDE_BY_SIDE = 4
"""More threads would only wait for each other: most of a keeper is made under the interpreter's lock."""

K = TypeVar("K")
T = TypeVar("T")


class Making(Generic[K, T]):
    """Makes a thing of each key; on leaving, those that nobody took are thrown away.

    Parameters
    ----------
    make : callable
        Makes a thing, on a thread of this object's own.
    keys : iterable
    throw_away : callable
        Leaves nothing of a thing that was made.
    """

    def __init__(self, make: Callable[[K], T], keys: Iterable[K], throw_away: Callable[[T], None]) -> None:
        self._throw_away = throw_away
        self._pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="making")
        self._made: deque[Future[T]] = deque(self._pool.submit(make, key) for key in keys)

    def take(self) -> T:
        """Wait for the next thing and return it, or raise what its making met."""
        thing = self._made[0].result()
        self._made.popleft()
        return thing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for future in self._made:
            future.cancel()
        self._pool.shutdown(wait=True)
        for future in self._made:
            if not future.cancelled() and future.exception() is None:
                self._throw_away(future.result())
