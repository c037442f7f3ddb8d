"""What a fault method returns: the name of what it broke, which is also the way back."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any


class Fault(str):
    """The name of the node that was broken; as a context manager it undoes the fault and waits for recovery.

    ``with cluster.kill(3): ...`` restarts keeper-3 on leaving, and returns once it is alive again and
    every file is back at its number of copies. What was undone already in the body is left as it is.
    After an exception the fault is undone, but nothing is waited for, and the exception goes on.

    Attributes
    ----------
    event : str
        The id of its line in the trace, which others may name as their cause.
    recovery_timeout_s : float
        How long leaving the block waits for recovery, seconds.
    """

    event: str
    recovery_timeout_s: float
    _undo: Callable[[], object]
    _wait: Callable[[float], object]

    def __new__(
        cls,
        name: str,
        *,
        event: str,
        undo: Callable[[], object],
        wait: Callable[[float], object],
        recovery_timeout_s: float,
    ) -> Fault:
        """Make one; the methods of `Cluster` do."""
        fault = super().__new__(cls, name)
        fault.event, fault.recovery_timeout_s = event, recovery_timeout_s
        fault._undo, fault._wait = undo, wait
        return fault

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._undo()
            self._wait(self.recovery_timeout_s)
            return
        try:
            self._undo()
        except Exception as second:  # noqa: BLE001 - the error of the body must not be masked: this one is added to it
            error.add_note(f"and {self} could not be mended: {second}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as a plain name: the cluster stays here."""
        return (str, (str(self),))
