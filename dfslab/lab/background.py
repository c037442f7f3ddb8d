"""Something that goes on beside the cell: a thread of the laboratory that acts on the cluster until it is stopped."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dfslab.core.errors import ClusterClosed

if TYPE_CHECKING:
    from dfslab.lab.faults import Faults


class Background:
    """A thread that ends when its work is done, when it is stopped, or when the cluster is closed.

    An error that it meets is kept, and raised by whoever waits for it.

    Parameters
    ----------
    lab : Faults
        The cluster.
    name : str
        What it does, for the name of the thread.
    """

    def __init__(self, lab: Faults, name: str) -> None:
        self._lab = lab
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"{lab.name}-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """True until its work is done or it was stopped."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work()
        except ClusterClosed:
            return  # there is nothing left to do anything to
        except Exception as error:  # noqa: BLE001 - kept for whoever waits
            if not self._lab._closing:
                self._error = error

    def _work(self) -> None:
        raise NotImplementedError

    def signal(self) -> None:
        """Have it end after what it is just doing."""
        self._stopping.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended; return whether it has."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _raise_error(self) -> None:
        """Raise what it met, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error
