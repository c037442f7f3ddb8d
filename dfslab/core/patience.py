"""When something that was not answered is tried again, and when to stop trying."""

from __future__ import annotations


class Patience:
    """The pauses between the tries of one request.

    Parameters
    ----------
    patience_s : float
        How long to go on, from the first try that failed if `since` is not given.
    pause_s, longest_s : float
        The first pause, and what it is doubled up to.
    since : float, optional
        From when patience is counted.
    """

    def __init__(
        self, patience_s: float, *, pause_s: float = 0.1, longest_s: float = 0.1, since: float | None = None
    ) -> None:
        self.patience_s = patience_s
        self._pause_s, self._longest_s, self._since = pause_s, longest_s, since

    def next_pause(self, now: float) -> float | None:
        """Return how long to wait before the next try, or None when it is time to give up."""
        self._since = now if self._since is None else self._since
        if now - self._since >= self.patience_s:
            return None
        pause_s, self._pause_s = self._pause_s, min(self._longest_s, 2 * self._pause_s)
        return pause_s
