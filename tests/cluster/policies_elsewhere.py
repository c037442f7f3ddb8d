"""Policies in a module of their own, for processes that have to import them."""

import sys
import threading
from collections.abc import Sequence
from random import Random

from dfslab.core.policies.placement import Balanced, KeeperLoad


class LastFirst:
    """Puts every replica on the last keepers that there are."""

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: Random) -> str:
        """Return the last."""
        return max(load.keeper for load in candidates)


class Fails(Balanced):
    """Has a thread fail beside it, which nobody catches."""

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: Random) -> str:
        """Choose, and let a thread die."""
        thread = threading.Thread(target=self._fail)
        thread.start()
        thread.join()
        return super().choose(candidates, size, rng)

    def _fail(self) -> None:
        raise ZeroDivisionError("on a thread of its own")


class Muttering(Balanced):
    """Says something on stdout, which is nobody's error."""

    def choose(self, candidates: Sequence[KeeperLoad], size: int, rng: Random) -> str:
        """Choose aloud."""
        print("I choose", file=sys.stdout, flush=True)
        return super().choose(candidates, size, rng)


last_first = LastFirst()
