"""Progress of long transfers: a callable of one's own, or a tqdm bar."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from dfslab.core.errors import InvalidOption

Progress = Callable[[int, int], None]
ProgressArgument = bool | Progress | None
BAR_DELAY_S = 0.5
"""A transfer that is over sooner shows no bar."""


@contextlib.contextmanager
def progress_of(given: ProgressArgument, title: str, total: int) -> Iterator[Progress | None]:
    """Yield the function to tell of `(done_bytes, total_bytes)`: `given` itself, a bar for True; None: nobody asks.

    The bar is for people, in a notebook or a terminal: into a file or a pipe, nothing is written.
    """
    if not callable(given) and not isinstance(given, bool | None):
        raise InvalidOption(option="progress", value=repr(given), reason="it must be True, False or a function")
    if callable(given):
        yield given
    elif given:
        from tqdm.auto import tqdm

        with tqdm(total=total, desc=title, unit="B", unit_scale=True, delay=BAR_DELAY_S, disable=None) as bar:

            def tell(done: int, total: int) -> None:
                bar.update(done - bar.n)

            yield tell
    else:
        yield None
