"""Virtual time: a heap of what happens when, and processes that wait in it.

A process is a generator. It yields a number of seconds to sleep, or a `Promise` to wait for, whose value
comes back from the `yield` (or its error is raised there). What happens at the same moment happens in
the order in which it was asked for, so that one seed is one history.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from typing import Any

Process = Generator["float | Promise", Any, Any]
Action = Callable[..., None]


class Promise:
    """A value that comes later, or an error in its place; whichever is first counts."""

    __slots__ = ("_callbacks", "done", "error", "value")

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None
        self._callbacks: list[Callable[[Promise], None]] = []

    def keep(self, value: Any = None) -> None:
        """Give the value."""
        if not self.done:
            self.done, self.value = True, value
            self._tell()

    def fail(self, error: BaseException) -> None:
        """Give an error instead."""
        if not self.done:
            self.done, self.error = True, error
            self._tell()

    def _tell(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def then(self, callback: Callable[[Promise], None]) -> None:
        """Have `callback` called once it is done; at once if it is."""
        if self.done:
            callback(self)
        else:
            self._callbacks.append(callback)


class Loop:
    """What happens when. `steps` counts what has happened."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._heap: list[tuple[float, int, Action, tuple[Any, ...]]] = []
        self._number = 0

    def at(self, time_s: float, action: Action, *args: Any) -> None:
        """Have something happen at a moment."""
        self._number += 1
        heapq.heappush(self._heap, (time_s, self._number, action, args))

    def after(self, delay_s: float, action: Action, *args: Any) -> None:
        """Have something happen in `delay_s` seconds."""
        self.at(self.now + delay_s, action, *args)

    def step(self) -> None:
        """Let the next thing happen. There is always one: the nodes' clocks tick on."""
        self.now, _, action, args = heapq.heappop(self._heap)
        self.steps += 1
        action(*args)


class Running:
    """A process under way, which can be ended from outside, as a crash does."""

    __slots__ = ("_generator", "_loop", "_on_end", "_run", "ended")

    def __init__(
        self,
        loop: Loop,
        generator: Process,
        run: Callable[[Action, tuple[Any, ...]], None],
        on_end: Callable[[Running, Any, BaseException | None], None],
    ) -> None:
        self._loop, self._generator, self._run, self._on_end = loop, generator, run, on_end
        self.ended = False

    def start(self) -> None:
        """Run up to its first wait."""
        self._resume(None, None)

    def end(self) -> None:
        """End it where it waits; nothing more comes of it."""
        if not self.ended:
            self.ended = True
            self._generator.close()

    def _resume(self, value: Any, error: BaseException | None) -> None:
        if self.ended:
            return
        try:
            wanted = self._generator.send(value) if error is None else self._generator.throw(error)
        except StopIteration as stop:
            self.ended = True
            self._on_end(self, stop.value, None)
        except Exception as failure:  # noqa: BLE001 - whoever waits for the process gets it
            self.ended = True
            self._on_end(self, None, failure)
        else:
            if isinstance(wanted, Promise):
                wanted.then(self._woken)
            else:
                self._loop.after(wanted, self._run, self._resume, (None, None))

    def _woken(self, promise: Promise) -> None:
        self._run(self._resume, (promise.value, promise.error))
